package peer

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/xdg-go/scram"

	"holt/broker/kerror"
	"holt/broker/protocol"
)

// SASL is how this broker authenticates to others.
type SASL struct {
	Mechanism      string // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
	User, Password string
}

// exchangeNow sends a request and reads the answer, before the reader is there.
func (k *conn) exchangeNow(req kmsg.Request) (kmsg.Response, error) {
	key := protocol.Key(req.Key())
	k.correlation++
	if _, err := k.nc.Write(protocol.AppendRequest(nil, k.correlation, k.client.cfg.ClientID, req)); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	frame, err := k.readFrame()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	id, body, err := protocol.ParseResponseHeader(frame, key, req.GetVersion())
	if err == nil && id != k.correlation {
		err = fmt.Errorf("answer %d to request %d", id, k.correlation)
	}
	if err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	if err := resp.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return resp, nil
}

// learnVersions asks what the broker serves.
func (k *conn) learnVersions() error {
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version = 2
	resp, err := k.exchangeNow(req)
	if err != nil {
		return err
	}
	r := resp.(*kmsg.ApiVersionsResponse)
	if code := kerror.Code(r.ErrorCode); code != kerror.OK {
		return fmt.Errorf("ApiVersions: %s", code)
	}
	k.versions = make(map[protocol.Key]int16, len(r.ApiKeys))
	for _, v := range r.ApiKeys {
		k.versions[protocol.Key(v.ApiKey)] = v.MaxVersion
	}
	return nil
}

// authenticate goes through SASL as the broker's listener wants it.
func (k *conn) authenticate(s *SASL) error {
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Version, hello.Mechanism = 1, s.Mechanism
	resp, err := k.exchangeNow(hello)
	if err != nil {
		return err
	}
	r := resp.(*kmsg.SASLHandshakeResponse)
	if code := kerror.Code(r.ErrorCode); code != kerror.OK {
		return fmt.Errorf("SASL mechanism %s: %s; the broker has %v", s.Mechanism, code, r.SupportedMechanisms)
	}
	step, err := s.begin()
	if err != nil {
		return err
	}
	var challenge []byte
	for {
		token, done, err := step(challenge)
		if err != nil {
			return fmt.Errorf("SASL: %w", err)
		}
		if done {
			return nil
		}
		req := kmsg.NewPtrSASLAuthenticateRequest()
		req.Version, req.SASLAuthBytes = 1, token
		resp, err := k.exchangeNow(req)
		if err != nil {
			return err
		}
		a := resp.(*kmsg.SASLAuthenticateResponse)
		if code := kerror.Code(a.ErrorCode); code != kerror.OK {
			text := code.String()
			if a.ErrorMessage != nil {
				text = *a.ErrorMessage
			}
			return fmt.Errorf("SASL: %s", text)
		}
		challenge = a.SASLAuthBytes
	}
}

// begin returns the client's side of the mechanism: what to say to what the broker said, until done.
func (s *SASL) begin() (step func(challenge []byte) (token []byte, done bool, err error), err error) {
	var hash scram.HashGeneratorFcn
	switch s.Mechanism {
	case "PLAIN":
		said := false
		return func([]byte) ([]byte, bool, error) {
			if said {
				return nil, true, nil
			}
			said = true
			return []byte("\x00" + s.User + "\x00" + s.Password), false, nil
		}, nil
	case "SCRAM-SHA-256":
		hash = scram.SHA256
	case "SCRAM-SHA-512":
		hash = scram.SHA512
	default:
		return nil, fmt.Errorf("SASL mechanism %q is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", s.Mechanism)
	}
	client, err := hash.NewClient(s.User, s.Password, "")
	if err != nil {
		return nil, fmt.Errorf("SASL: %w", err)
	}
	talk := client.NewConversation()
	return func(challenge []byte) ([]byte, bool, error) {
		token, err := talk.Step(string(challenge))
		if err != nil {
			return nil, false, err
		}
		if talk.Done() {
			if !talk.Valid() {
				return nil, false, errors.New("the broker did not prove that it knows the password")
			}
			return nil, true, nil
		}
		return []byte(token), false, nil
	}, nil
}
