package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

const (
	defaultBrokers = "127.0.0.1:9092"
	clientID       = "holt"
)

// connection is where the brokers are and how they are spoken to: the flags
// that every command has.
type connection struct {
	brokers            []string
	timeout            time.Duration
	user, passwordFile string
	mechanism          string
	tls, insecure      bool
	ca, cert, key      string
	getenv             func(string) string
}

func (c *connection) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVarP(&c.brokers, "brokers", "b", nil, "brokers to ask first (default $KAFKA_BROKERS, else "+defaultBrokers+")")
	f.DurationVar(&c.timeout, "timeout", 15*time.Second, "longest wait for an answer")
	f.StringVar(&c.user, "user", "", "user to log in as; the password is in --password-file or $KAFKA_PASSWORD")
	f.StringVar(&c.passwordFile, "password-file", "", "file with the password")
	f.StringVar(&c.mechanism, "sasl-mechanism", "SCRAM-SHA-256", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	f.BoolVar(&c.tls, "tls", false, "speak TLS")
	f.StringVar(&c.ca, "tls-ca", "", "file with the authorities to trust, instead of the system's")
	f.StringVar(&c.cert, "tls-cert", "", "file with a certificate to show")
	f.StringVar(&c.key, "tls-key", "", "file with its key")
	f.BoolVar(&c.insecure, "tls-insecure", false, "do not check the broker's certificate")
	f.SetNormalizeFunc(scriptsNames)
}

// scriptsNames are the flags of Kafka's scripts that have another name here.
func scriptsNames(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	switch name {
	case "bootstrap-server", "broker-list":
		name = "brokers"
	case "replication-factor":
		name = "replicas"
	case "max-messages":
		name = "number"
	case "partition":
		name = "partitions"
	}
	return pflag.NormalizedName(name)
}

// options are kgo's for this connection.
func (c *connection) options() ([]kgo.Opt, error) {
	brokers := c.brokers
	if env := c.getenv("KAFKA_BROKERS"); len(brokers) == 0 && env != "" {
		brokers = strings.Split(env, ",")
	}
	if len(brokers) == 0 {
		brokers = []string{defaultBrokers}
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(brokers...),
		kgo.ClientID(clientID),
		kgo.RetryTimeout(c.timeout),
		kgo.MetadataMinAge(100 * time.Millisecond),
	}
	login, err := c.login()
	if err != nil {
		return nil, err
	}
	secure, err := c.secure()
	if err != nil {
		return nil, err
	}
	return append(append(opts, login...), secure...), nil
}

func (c *connection) login() ([]kgo.Opt, error) {
	if c.user == "" {
		return nil, nil
	}
	password := c.getenv("KAFKA_PASSWORD")
	if c.passwordFile != "" {
		b, err := os.ReadFile(c.passwordFile)
		if err != nil {
			return nil, usage("read the password: %w", err)
		}
		password = strings.TrimRight(string(b), "\r\n")
	}
	switch strings.ToUpper(c.mechanism) {
	case "PLAIN":
		return []kgo.Opt{kgo.SASL(plain.Auth{User: c.user, Pass: password}.AsMechanism())}, nil
	case "SCRAM-SHA-256":
		return []kgo.Opt{kgo.SASL(scram.Auth{User: c.user, Pass: password}.AsSha256Mechanism())}, nil
	case "SCRAM-SHA-512":
		return []kgo.Opt{kgo.SASL(scram.Auth{User: c.user, Pass: password}.AsSha512Mechanism())}, nil
	}
	return nil, usage("--sasl-mechanism %s: not PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", c.mechanism)
}

func (c *connection) secure() ([]kgo.Opt, error) {
	if !c.tls && !c.insecure && c.ca == "" && c.cert == "" {
		return nil, nil
	}
	cfg := &tls.Config{InsecureSkipVerify: c.insecure}
	if c.ca != "" {
		pem, err := os.ReadFile(c.ca)
		if err != nil {
			return nil, usage("read the authorities: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, usage("--tls-ca %s: no certificate in PEM form in it", c.ca)
		}
	}
	if c.cert != "" {
		pair, err := tls.LoadX509KeyPair(c.cert, c.key)
		if err != nil {
			return nil, usage("read the certificate to show: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return []kgo.Opt{kgo.DialTLSConfig(cfg)}, nil
}

// session is a connection in use.
type session struct {
	client *kgo.Client
	admin  *kadm.Client
	abort  context.CancelFunc // ends all that client still asks, so that close need not wait for it
}

// open connects, with options beyond those of the connection. It fails at once
// if no broker answers.
func (c *connection) open(ctx context.Context, more ...kgo.Opt) (*session, error) {
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	// A signal that ends ctx does not end what is under way: it has c.timeout to come to an end.
	life, abort := context.WithCancel(context.WithoutCancel(ctx))
	client, err := kgo.NewClient(append(append(opts, kgo.WithContext(life)), more...)...)
	if err != nil {
		abort()
		return nil, &Failure{codeUsage, err}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		abort()
		client.Close()
		if code := codeOf(err); code == codeDenied {
			return nil, failure(err, "log in")
		}
		seeds, _ := client.OptValue(kgo.SeedBrokers).([]string)
		return nil, &Failure{codeUnreachable, fmt.Errorf("no broker answers at %s: %w\nIs one running there? Others are asked with --brokers", strings.Join(seeds, ","), err)}
	}
	admin := kadm.NewClient(client)
	admin.SetTimeoutMillis(int32(c.timeout.Milliseconds()))
	return &session{client, admin, abort}, nil
}

func (s *session) close() {
	s.client.Close()
	s.abort()
}

// with runs do with a session and a context that ends after the timeout.
func (c *connection) with(ctx context.Context, do func(context.Context, *kadm.Client) error) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return do(ctx, s.admin)
}

// leaderPause is how long a coordinator or leader that is not ready yet is left alone.
const leaderPause = 200 * time.Millisecond

// coordinated asks until there is a coordinator to answer, or ctx has ended. The
// first question of this kind has a new cluster make the topic of its offsets, and
// the client library takes NOT_AVAILABLE, the answer meanwhile, for the last word.
func coordinated[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	for {
		answer, err := ask()
		if !errors.Is(err, kerr.CoordinatorNotAvailable) && !errors.Is(err, kerr.CoordinatorLoadInProgress) {
			return answer, err
		}
		select {
		case <-time.After(leaderPause):
		case <-ctx.Done():
			return answer, err
		}
	}
}

// committedBy returns the offsets of a group: none, if there is no such group.
func committedBy(ctx context.Context, adm *kadm.Client, group string) (kadm.OffsetResponses, error) {
	offsets, err := coordinated(ctx, func() (kadm.OffsetResponses, error) { return adm.FetchOffsets(ctx, group) })
	if codeOf(err) == codeNotFound {
		return nil, nil
	}
	return offsets, failure(err, "offsets of group %s", group)
}
