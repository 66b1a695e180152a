package migration

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
	"holt/znode"
)

// TestBackupOfReconfigured backs up an ensemble whose members are not those it began with, and makes new ones of the
// backup, which have members, and a configuration, of their own.
func TestBackupOfReconfigured(t *testing.T) {
	target.Kind(t)
	start := func(t *testing.T, reconfigurable bool, prepare func(*ensemble.Member)) *ensemble.Ensemble {
		t.Helper()
		e := must[*ensemble.Ensemble](t)(ensemble.New(t.Context(), ensemble.Config{
			Kind: ensemble.Holt, Members: 3, Dir: t.TempDir(), Settings: []string{"skipACL=yes"}, Reconfigurable: reconfigurable,
		}))
		t.Cleanup(func() { closeQuietly(e) })
		for _, m := range e.Members() {
			prepare(m)
		}
		if err := e.StartAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		return e
	}
	first := start(t, true, func(*ensemble.Member) {})
	last := first.Addrs()[2]
	c := dial(t, last, client.Options{})
	for i := range 50 {
		must[string](t)(c.Create(t.Context(), fmt.Sprintf("/n%d", i), []byte("x"), wire.OpenACL(), wire.ModePersistent))
	}
	add(t, first, c)
	leave(t, c, 1)
	must[wire.Stat](t)(c.SetData(t.Context(), "/n7", []byte("after the change"), -1))
	backups := filepath.Join(t.TempDir(), "backups")
	newcomer := first.Members()[3]
	synced(t, dial(t, newcomer.Addr(), client.Options{}))
	holt(t, "backup", "create", "--from", newcomer.DataDir(), "--to", backups)
	want := tree(t, c)
	closeQuietly(first)

	for _, reconfigurable := range []bool{true, false} {
		t.Run(fmt.Sprintf("reconfigurable=%v", reconfigurable), func(t *testing.T) {
			e := start(t, reconfigurable, func(m *ensemble.Member) {
				holt(t, "backup", "restore", backups, "--to", m.DataDir(), "--myid", fmt.Sprint(m.ID()))
			})
			for _, addr := range e.Addrs() {
				c := dial(t, addr, client.Options{})
				synced(t, c)
				compareTrees(t, tree(t, c), want)
			}
			c := dial(t, e.Addrs()[0], client.Options{})
			must[wire.Stat](t)(c.SetData(t.Context(), "/n7", []byte("here"), -1))
			config := configuration(t, c)
			for _, old := range first.Members() {
				if strings.Contains(config, old.Spec) {
					t.Errorf("the configuration names a member of the old ensemble: %s", config)
				}
			}
			if !reconfigurable {
				return
			}
			for _, m := range e.Members() {
				if want := fmt.Sprintf("server.%d=%s", m.ID(), m.Spec); !strings.Contains(config, want) {
					t.Errorf("the configuration %q is without %q", config, want)
				}
			}
			// It can be changed in its turn.
			c = dial(t, e.Addrs()[2], client.Options{})
			add(t, e, c)
			leave(t, c, 1)
			if config := configuration(t, c); strings.Contains(config, "server.1=") || !strings.Contains(config, "server.4=") {
				t.Errorf("after a change: %q", config)
			}
		})
	}
}

// leave removes a member.
func leave(t *testing.T, c *client.Conn, id int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	leaving := fmt.Sprint(id)
	reconfigure(ctx, t, c, &wire.ReconfigRequest{LeavingServers: &leaving, CurConfigID: -1})
}

func configuration(t *testing.T, c *client.Conn) string {
	t.Helper()
	text, _, err := c.GetData(t.Context(), znode.ConfigPath, false)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
