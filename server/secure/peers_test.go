package secure_test

import (
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"holt/server/secure"
	"holt/server/secure/securetest"
)

// TestForeignPeer has a peer dial whose certificate is another authority's, though it trusts the right one: the
// other side says whose it is.
func TestForeignPeer(t *testing.T) {
	ours, theirs := securetest.New(t, "ours"), securetest.New(t, "theirs")
	core, logs := observer.New(zap.InfoLevel)
	start := func(settings secure.Settings, log *zap.Logger) *secure.Peers {
		peers, err := secure.NewPeers(securetest.Open(t, settings, secure.Options{}), secure.PeersOptions{Dial: true, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		return peers
	}
	foreign := ours.Settings(t, "member")
	foreign.KeyStore = theirs.Settings(t, "stranger").KeyStore
	if err := talk(t, start(foreign, nil), start(ours.Settings(t, "member"), zap.New(core))); err == nil {
		t.Error("a foreign certificate is taken")
	}
	lines := logs.TakeAll()
	if len(lines) != 1 || !strings.Contains(lines[0].ContextMap()["cause"].(string), "CN=stranger,O=Holt is signed by nobody in the trust store: its authority is CN=theirs") {
		t.Errorf("lines %v", lines)
	}
}
