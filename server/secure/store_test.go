package secure

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStoreErrorsNameTheFile: what is wrong with it is for package keystore to say.
func TestStoreErrorsNameTheFile(t *testing.T) {
	s := Store{Location: "../../wire/keystore/testdata/key.jks", Password: "wrong"}
	_, keys := s.keyPairs(os.ReadFile)
	_, trust := s.authorities(os.ReadFile)
	s.Location += ".absent"
	_, absent := s.keyPairs(os.ReadFile)
	for _, tt := range []struct {
		err  error
		want string
	}{
		{keys, "key store " + "../../wire/keystore/testdata/key.jks: the password does not open it"},
		{trust, "trust store " + "../../wire/keystore/testdata/key.jks: the password does not open it"},
		{absent, "key.jks.absent: no such file"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("%v, want %q", tt.err, tt.want)
		}
	}
}

// TestPasswordFile takes the text without its line's end.
func TestPasswordFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(name, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := Store{Location: "../../wire/keystore/testdata/key.jks", Password: "wrong", PasswordFile: name}
	if _, err := s.keyPairs(os.ReadFile); err != nil {
		t.Error(err)
	}
	s.PasswordFile += ".absent"
	if _, err := s.keyPairs(os.ReadFile); err == nil || !strings.Contains(err.Error(), "password of ../../wire/keystore/testdata/key.jks") {
		t.Errorf("without the file: %v", err)
	}
}
