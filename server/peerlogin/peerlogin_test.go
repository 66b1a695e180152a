package peerlogin

import (
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"holt/sasl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newLogin(t *testing.T, cfg Config, hosts ...string) *Login {
	t.Helper()
	l, err := New(cfg, Peers{Hosts: func() []string { return hosts }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// dance has a member of one configuration log in at one of another.
func dance(t *testing.T, learner, server Config) error {
	t.Helper()
	c, err := newLogin(t, learner).Begin(t.Context(), "h:1")
	if err != nil {
		t.Fatal(err)
	}
	s := newLogin(t, server).Accept()
	token, _, err := c.Step(nil)
	for err == nil {
		var answer []byte
		var taken, done bool
		if answer, taken, err = s.Step(token); err != nil {
			break
		}
		if token, done, err = c.Step(answer); taken {
			if err == nil && !done {
				err = errors.New("the learner wants more")
			}
			break
		}
	}
	return err
}

func TestLogin(t *testing.T) {
	server := Config{Users: map[string]string{"zk": "secret", "other": "word"}}
	for _, tt := range []struct {
		user, password string
		ok             bool
	}{
		{"zk", "secret", true},
		{"other", "word", true},
		{"zk", "word", false},
		{"zk", "", false},
		{"nobody", "secret", false},
		{"nobody", "", false},
	} {
		err := dance(t, Config{User: tt.user, Password: tt.password}, server)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, sasl.ErrCredentials) {
			t.Errorf("%q with %q: %v", tt.user, tt.password, err)
		}
	}
}

// TestNames pins what ZooKeeper's members have agreed upon.
func TestNames(t *testing.T) {
	challenge, _, err := newLogin(t, Config{Users: map[string]string{"zk": "secret"}}).Accept().Step(nil)
	if err != nil || !strings.Contains(string(challenge), `realm="zk-quorum-sasl-md5"`) {
		t.Errorf("challenge %q, %v", challenge, err)
	}
	c, err := newLogin(t, Config{User: "zk", Password: "secret"}).Begin(t.Context(), "h:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Step(nil); err != nil {
		t.Fatal(err)
	}
	response, _, err := c.Step(challenge)
	if err != nil || !strings.Contains(string(response), `digest-uri="zookeeper-quorum/zk-quorum-sasl-md5"`) {
		t.Errorf("response %q, %v", response, err)
	}
}

func TestStringHidesPasswords(t *testing.T) {
	c := &Config{User: "zk", Password: "secret", Users: map[string]string{"zk": "secret"}}
	if s := c.String(); strings.Contains(s, "secret") || !strings.Contains(s, "zk") {
		t.Error(s)
	}
}
