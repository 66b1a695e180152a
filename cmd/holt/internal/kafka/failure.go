package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Exit codes of a Failure, by what a script would do about it.
const (
	codeOther       = 1
	codeUsage       = 2
	codeNotFound    = 4
	codeConflict    = 5 // exists already, or is in use
	codeDenied      = 6
	codeUnreachable = 7 // or no answer in time
	codePartial     = 8 // some of several were done
)

// errNoAnswer says that brokers did not answer in time.
var errNoAnswer = errors.New("no answer")

// Failure is an error that knows the exit code it asks for.
type Failure struct {
	Code int
	err  error
}

func (f *Failure) Error() string { return f.err.Error() }
func (f *Failure) Unwrap() error { return f.err }

func usage(format string, args ...any) error {
	return &Failure{codeUsage, fmt.Errorf(format, args...)}
}

// codeOf is the exit code for an error.
func codeOf(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.GroupIDNotFound):
		return codeNotFound
	case errors.Is(err, kerr.TopicAlreadyExists), errors.Is(err, kerr.NonEmptyGroup), errors.Is(err, kerr.UnknownMemberID),
		errors.Is(err, kerr.ReassignmentInProgress):
		return codeConflict
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed),
		errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.TransactionalIDAuthorizationFailed),
		errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism):
		return codeDenied
	}
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errNoAnswer) || errors.Is(err, kerr.RequestTimedOut) ||
		errors.As(err, &network) {
		return codeUnreachable
	}
	return codeOther
}

// failure says what was tried and what came of it: nil for nil.
func failure(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	var known *Failure
	if errors.As(err, &known) {
		return err
	}
	what := fmt.Sprintf(format, args...)
	return &Failure{codeOf(err), fmt.Errorf("%s: %w", what, explained(err))}
}

// explained is err with a remedy, where one is known.
func explained(err error) error {
	remedy := ""
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		remedy = "there is no such topic or partition; to see which there are: holt topic list"
	case errors.Is(err, kerr.TopicAlreadyExists):
		remedy = "it exists already; --if-not-exists takes it as it is"
	case errors.Is(err, kerr.NonEmptyGroup), errors.Is(err, kerr.UnknownMemberID):
		remedy = "the group has members; stop its consumers first"
	case errors.Is(err, kerr.GroupIDNotFound):
		remedy = "there is no such group; to see which there are: holt group list"
	case errors.Is(err, kerr.InvalidReplicationFactor):
		remedy = "there are not that many brokers; to see which there are: holt broker list"
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		remedy = "the broker refuses this user or password"
	default:
		return err
	}
	return &remedied{err, remedy}
}

// remedied is an error told by its remedy, and the protocol's name of it.
type remedied struct {
	err    error
	remedy string
}

func (r *remedied) Unwrap() error { return r.err }

func (r *remedied) Error() string {
	var message *kadm.ErrAndMessage
	if errors.As(r.err, &message) && message.ErrMessage != "" {
		return fmt.Sprintf("%s (%s)", strings.TrimSuffix(message.ErrMessage, "."), r.remedy)
	}
	var known *kerr.Error
	if errors.As(r.err, &known) {
		return fmt.Sprintf("%s (%s)", r.remedy, known.Message)
	}
	return r.remedy
}

// message is an error from a response that brings a text of its own.
func message(err error, text string) error {
	if err == nil || text == "" {
		return err
	}
	return &kadm.ErrAndMessage{Err: err, ErrMessage: text}
}

// outcomes collects what became of several things that were asked for at once.
type outcomes struct {
	done int
	errs []error
}

func (o *outcomes) add(err error, format string, args ...any) {
	if err == nil {
		o.done++
		return
	}
	o.errs = append(o.errs, failure(err, format, args...))
}

// failure is nil if all went well, the failure if there was one thing to do,
// and a partial one if some went well.
func (o *outcomes) failure() error {
	switch {
	case len(o.errs) == 0:
		return nil
	case len(o.errs) == 1 && o.done == 0:
		return o.errs[0]
	case o.done == 0:
		var first *Failure
		errors.As(o.errs[0], &first)
		return &Failure{first.Code, errors.Join(o.errs...)}
	}
	return &Failure{codePartial, fmt.Errorf("%d of %d went wrong:\n%w", len(o.errs), len(o.errs)+o.done, errors.Join(o.errs...))}
}
