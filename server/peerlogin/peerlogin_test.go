package peerlogin

import (
	"errors"
	"strings"
	"testing"

	"holt/sasl"
)

// dance has a member of one configuration log in at one of another.
func dance(learner, server Config) error {
	c, s := New(learner).Begin(), New(server).Accept()
	token, done, err := c.Step(nil)
	for err == nil {
		var answer []byte
		var taken bool
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
		err := dance(Config{User: tt.user, Password: tt.password}, server)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, sasl.ErrCredentials) {
			t.Errorf("%q with %q: %v", tt.user, tt.password, err)
		}
	}
}

// TestNames pins what ZooKeeper's members have agreed upon.
func TestNames(t *testing.T) {
	challenge, _, err := New(Config{}).Accept().Step(nil)
	if err != nil || !strings.Contains(string(challenge), `realm="zk-quorum-sasl-md5"`) {
		t.Errorf("challenge %q, %v", challenge, err)
	}
	c := New(Config{User: "zk", Password: "secret"}).Begin()
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
