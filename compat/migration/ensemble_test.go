package migration

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
)

// TestMoveEnsemble moves three members there and back: the files of the one with the highest
// zxid are imported for each member, what one member exports is given to each server. In between a
// member is added that has imported nothing.
func TestMoveEnsemble(t *testing.T) {
	target.Kind(t)
	settings := []string{"skipACL=yes", "extendedTypesEnabled=true", "maxClientCnxns=0"}
	layOut := func(kind ensemble.Kind, extra ...string) *ensemble.Ensemble {
		e := must[*ensemble.Ensemble](t)(ensemble.New(t.Context(), ensemble.Config{
			Kind: kind, Members: 3, Dir: t.TempDir(), Settings: append(settings, extra...),
			Properties: []string{"zookeeper.extendedTypesEnabled=true"}, HeapMiB: 300, Reconfigurable: true,
		}))
		t.Cleanup(func() { closeQuietly(e) })
		return e
	}
	stop := func(e *ensemble.Ensemble) (newest *ensemble.Member) {
		newest = must[*ensemble.Member](t)(e.Leader(t.Context()))
		for _, m := range e.Members() {
			if err := m.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		return newest
	}
	start := func(e *ensemble.Ensemble) {
		if err := e.StartAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	first := layOut(ensemble.ZooKeeper)
	start(first)
	c := dial(t, first.Addrs()[0], client.Options{})
	workload(t, versions[len(versions)-1], c, dial(t, first.Addrs()[1], client.Options{}))
	before, last := tree(t, c), c.LastZxid()
	newest := stop(first)

	second := layOut(ensemble.Holt, "holt.sessionPasswords=zookeeper")
	for _, m := range second.Members() {
		holt(t, "import", "--from-zookeeper", newest.DataDir(), "--to", m.DataDir(), "--myid", fmt.Sprint(m.ID()))
	}
	start(second)
	for _, addr := range second.Addrs() {
		c = dial(t, addr, client.Options{Session: c.Session(), LastZxid: last})
		synced(t, c)
		compareTrees(t, tree(t, c), before)
	}
	add(t, second, c)
	c = dial(t, second.Addrs()[3], client.Options{Session: c.Session(), LastZxid: last})
	compareTrees(t, tree(t, c), before)
	must[wire.Stat](t)(c.SetData(t.Context(), "/a", []byte("here"), -1))
	before, last = tree(t, c), c.LastZxid()
	newest = stop(second)

	third := layOut(ensemble.ZooKeeper)
	for _, m := range third.Members() {
		holt(t, "export", "--from", newest.DataDir(), "--to-zookeeper", m.DataDir(), "--myid", fmt.Sprint(m.ID()))
	}
	start(third)
	for _, addr := range third.Addrs() {
		c = dial(t, addr, client.Options{Session: c.Session(), LastZxid: last})
		synced(t, c)
		compareTrees(t, tree(t, c), before)
	}
}

// add makes a member that has no data yet a voter.
func add(t *testing.T, e *ensemble.Ensemble, c *client.Conn) {
	t.Helper()
	m := must[*ensemble.Member](t)(e.Newcomer(e.Members()))
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if err := m.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	joining := fmt.Sprintf("server.%d=%s", m.ID(), m.Spec)
	reconfigure(ctx, t, c, &wire.ReconfigRequest{JoiningServers: &joining, CurConfigID: -1})
}

// reconfigure changes the members, again and again as long as too few of them are up to date.
func reconfigure(ctx context.Context, t *testing.T, c *client.Conn, r *wire.ReconfigRequest) {
	t.Helper()
	for {
		_, _, err := c.Reconfig(ctx, r)
		if err == nil {
			return
		}
		if !errors.Is(err, wire.ErrNewConfigNoQuorum) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// synced has the server catch up with the leader.
func synced(t testing.TB, c *client.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.Sync(ctx, "/"); err != nil {
		t.Fatal(err)
	}
}
