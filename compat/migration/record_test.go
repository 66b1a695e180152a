package migration

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
)

// rewrite has the files of znode/zkfile/testdata recorded anew.
var rewrite = flag.Bool("rewrite", false, "record the files of ZooKeeper 3.4 to 3.9 for znode/zkfile anew")

const goldenDir = "../../znode/zkfile/testdata"

// TestRecord has each release write snapshots and logs, with everything in them that it knows.
// Beside them goes what a client was told, and the sessions that live.
func TestRecord(t *testing.T) {
	if !*rewrite {
		t.Skip("records golden files with Apache ZooKeeper 3.4 to 3.9 (Java, Maven): -rewrite")
	}
	target.Kind(t)
	for _, v := range versions {
		for _, compression := range []string{"", "gz", "snappy"} {
			if compression != "" && !v.since36 || compression != "" && v.name != "3.9.4" {
				continue
			}
			name := strings.TrimSuffix(v.name+"-"+compression, "-")
			t.Run(name, func(t *testing.T) { record(t, v, compression, filepath.Join(goldenDir, name)) })
		}
	}
}

func record(t *testing.T, v version, compression, to string) {
	dir := t.TempDir()
	settings := []string{"snapCount=30", "preAllocSize=4"}
	if v.name == "3.9.4" {
		settings = append(settings, "snapshot.compression.method="+compression)
		if compression == "gz" {
			settings = append(settings, "serializeLastProcessedZxid.enabled=true")
		}
	}
	var flags []string
	for _, s := range settings {
		flags = append(flags, "-Dzookeeper."+s)
	}
	s := v.start(t, dir, freePort(t), nil, flags)
	c := dial(t, s.addr, client.Options{})
	other := dial(t, s.addr, client.Options{SessionTimeout: 20 * time.Second})
	workload(t, v, c, other)
	want := tree(t, c)
	sessions := fmt.Sprintf("%s %d\n%s %d\n", c.SessionID(), c.Timeout().Milliseconds(), other.SessionID(), other.Timeout().Milliseconds())
	s.kill()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "version-2", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files: %v, %v", files, err)
	}
	if err := os.MkdirAll(filepath.Join(to, "version-2"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b := must[[]byte](t)(os.ReadFile(f))
		if filepath.Ext(f) != "" && strings.HasPrefix(filepath.Base(f), "log.") {
			// Some of the padding tells as much as all of it.
			b = append(bytes.TrimRight(b, "\x00"), make([]byte, 100)...)
		}
		if err := os.WriteFile(filepath.Join(to, "version-2", filepath.Base(f)), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"tree.txt": want, "sessions.txt": sessions} {
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// workload does everything once that a release can do, and some things often enough that
// snapshots are taken in between. Both sessions live at the end, with nodes of theirs.
func workload(t *testing.T, v version, c, other *client.Conn) {
	ctx := t.Context()
	open := wire.OpenACL()
	digest := []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "digest", ID: "u:rwRdXyAUlyyLgDHExSF7UZWnEto="}}, {Perms: wire.PermRead, Identity: wire.Identity{Scheme: "ip", ID: "10.0.0.0/8"}}}
	create := func(path string, data []byte, acl []wire.ACL, mode wire.CreateMode) string {
		t.Helper()
		return must[string](t)(c.Create(ctx, path, data, acl, mode))
	}
	create("/a", []byte("one"), open, wire.ModePersistent)
	create("/a/null", nil, digest, wire.ModePersistent)
	create("/a/empty", []byte{}, open, wire.ModePersistent)
	for range 40 {
		create("/a/seq-", bytes.Repeat([]byte("x"), 50), open, wire.ModePersistentSequential)
	}
	create("/eph", []byte("mine"), open, wire.ModeEphemeral)
	must[string](t)(other.Create(ctx, "/eph-other", nil, open, wire.ModeEphemeralSequential))
	must[wire.Stat](t)(c.SetData(ctx, "/a", []byte("two"), 0))
	must[wire.Stat](t)(c.SetACL(ctx, "/a/empty", digest, -1))
	for i := range 25 {
		if err := c.Delete(ctx, fmt.Sprintf("/a/seq-%010d", i+2), -1); err != nil {
			t.Fatal(err)
		}
	}
	// Refused, each of them a transaction.
	_ = c.Delete(ctx, "/none", -1)
	_, _ = c.SetData(ctx, "/a", nil, 77)
	multi := func(ops ...wire.MultiOp) error {
		_, err := c.Multi(ctx, ops...)
		return err
	}
	newNode := func(path string, mode wire.CreateMode) wire.MultiOp {
		return wire.MultiOp{Op: wire.OpCreate, Record: &wire.CreateRequest{Path: path, Data: []byte("m"), ACL: open, Flags: int32(mode)}}
	}
	if err := multi(newNode("/m", 0), newNode("/m/seq-", wire.ModePersistentSequential), wire.MultiOp{Op: wire.OpCheck, Record: &wire.CheckVersionRequest{Path: "/m", Version: 0}},
		wire.MultiOp{Op: wire.OpSetData, Record: &wire.SetDataRequest{Path: "/m", Data: []byte("in one"), Version: 0}},
		newNode("/m/gone", 0), wire.MultiOp{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: "/m/gone", Version: -1}}); err != nil {
		t.Fatal(err)
	}
	_ = multi(newNode("/not", 0), wire.MultiOp{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: "/none", Version: -1}}, newNode("/not/either", 0))
	// A quota.
	create("/zookeeper/quota/a", nil, open, wire.ModePersistent)
	create("/zookeeper/quota/a/zookeeper_limits", []byte("count=1000,bytes=-1"), open, wire.ModePersistent)
	create("/zookeeper/quota/a/zookeeper_stats", []byte("count=0,bytes=0"), open, wire.ModePersistent)
	create("/a/counted", []byte("12345"), open, wire.ModePersistent)
	// A session that ends with its nodes, and one that is only forgotten by its client.
	third := dial(t, c.RemoteAddr().String(), client.Options{})
	must[string](t)(third.Create(ctx, "/third", nil, open, wire.ModeEphemeral))
	must[string](t)(third.Create(ctx, "/a/third", nil, open, wire.ModeEphemeral))
	if err := third.CloseSession(ctx); err != nil {
		t.Fatal(err)
	}
	if v.since35 {
		if _, _, err := c.CreateContainer(ctx, "/container", []byte("c"), open); err != nil {
			t.Fatal(err)
		}
		create("/container/child", nil, open, wire.ModePersistent)
		if _, _, err := c.CreateTTL(ctx, "/ttl", []byte("t"), open, wire.ModePersistentWithTTL, time.Hour); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Create2(ctx, "/two", []byte("2"), open, wire.ModePersistent); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 40 {
		must[wire.Stat](t)(c.SetData(ctx, "/m", fmt.Appendf(nil, "%d", i), -1))
	}
	sync, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := c.Sync(sync, "/"); err != nil {
		t.Fatal(err)
	}
}
