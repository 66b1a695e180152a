package operators

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
)

// auditLogging has the original write audit lines, and nothing else below a warning.
const auditLogging = `<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{ISO8601} %p %c{2}: %m%n%nopex</pattern></encoder>
  </appender>
  <logger name="org.apache.zookeeper.audit.Slf4jAuditLogger" level="INFO"/>
  <root level="WARN"><appender-ref ref="OUT"/></root>
</configuration>
`

// TestAuditLines has clients of a leader, a follower and an observer do the same on both sides: every member's audit lines are
// the same, in the same order, but for the ids of sessions.
func TestAuditLines(t *testing.T) {
	target.Kind(t) // skips unless a target was named; both are started
	logback := filepath.Join(t.TempDir(), "logback.xml")
	if err := os.WriteFile(logback, []byte(auditLogging), 0o644); err != nil {
		t.Fatal(err)
	}
	lines := map[ensemble.Kind]map[string][]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, kind := range []ensemble.Kind{ensemble.ZooKeeper, ensemble.Holt} {
		cfg := ensemble.Config{Kind: kind, Members: 3, Observers: 1, Dir: t.TempDir(), HeapMiB: 200, Reconfigurable: true,
			Properties: []string{"zookeeper.audit.enable=true", "zookeeper.extendedTypesEnabled=true"},
			Settings:   []string{superDigest}}
		if kind == ensemble.ZooKeeper {
			cfg.Properties = append(cfg.Properties, "logback.configurationFile="+logback)
		}
		e, err := ensemble.New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			got := auditedWork(t, e)
			mu.Lock()
			lines[kind] = got
			mu.Unlock()
		})
	}
	wg.Wait()
	for _, mode := range modes() {
		got, want := lines[ensemble.Holt][mode], lines[ensemble.ZooKeeper][mode]
		if len(want) < 20 {
			t.Errorf("%s: the original wrote only %d lines", mode, len(want))
		}
		for i := range max(len(got), len(want)) {
			g, w := "nothing", "nothing"
			if i < len(got) {
				g = got[i]
			}
			if i < len(want) {
				w = want[i]
			}
			if g != w {
				t.Errorf("%s, line %d:\n got %q\nwant %q", mode, i+1, g, w)
			}
		}
	}
}

// auditedWork starts the members, has clients work, stops the members and returns the lines of each by its mode.
func auditedWork(t *testing.T, e *ensemble.Ensemble) map[string][]string {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := e.StartAll(ctx); err != nil {
		t.Error(err)
		return nil
	}
	byMode := map[string]*ensemble.Member{}
	for _, m := range e.Members() {
		mode, err := m.Mode(ctx)
		if err != nil {
			t.Error(err)
			return nil
		}
		byMode[mode] = m
	}
	for _, mode := range modes() {
		if byMode[mode] == nil {
			t.Errorf("there is no %s", mode)
			return nil
		}
		auditedClients(ctx, t, byMode[mode].Addr(), "/"+mode)
		for _, m := range e.Members() { // has it all
			c, err := client.Dial(ctx, m.Addr(), client.Options{})
			if err == nil {
				err = c.Sync(ctx, "/")
			}
			if err == nil {
				err = c.CloseSession(ctx)
			}
			if err != nil {
				t.Error(err)
				return nil
			}
		}
	}
	lines := map[string][]string{}
	for mode, m := range byMode {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
		lines[mode] = auditLines(t, m)
	}
	return lines
}

// auditedClients is the script. Errors are part of it.
func auditedClients(ctx context.Context, t *testing.T, addr, root string) {
	dial := func() *client.Conn {
		c, err := client.Dial(ctx, addr, client.Options{SessionTimeout: 20 * time.Second})
		if err != nil {
			t.Error(err)
			return nil
		}
		return c
	}
	c := dial()
	if c == nil {
		return
	}
	open := wire.OpenACL()
	_, _ = c.Create(ctx, root, []byte("x"), open, wire.ModePersistent)
	for mode, name := range []string{"/p", "/e", "/ps-", "/es-"} {
		_, _ = c.Create(ctx, root+name, nil, open, wire.CreateMode(mode))
		_, _, _ = c.Create2(ctx, root+name+"2", nil, open, wire.CreateMode(mode))
	}
	_, _, _ = c.CreateContainer(ctx, root+"/c", nil, open)
	_, _, _ = c.CreateTTL(ctx, root+"/t", nil, open, wire.ModePersistentWithTTL, time.Hour)
	_, _, _ = c.CreateTTL(ctx, root+"/ts-", nil, open, wire.ModePersistentSequentialWithTTL, time.Hour)
	_, _ = c.Create(ctx, root+"/no/parent", nil, open, wire.ModePersistent)
	_, _ = c.Create(ctx, root+"/e/child", nil, open, wire.ModePersistent)
	_, _ = c.Create(ctx, root+"/p", nil, open, wire.ModePersistent)
	_, _ = c.Create(ctx, root+"/no-list", nil, nil, wire.ModePersistent)
	_, _ = c.SetData(ctx, root+"/p", []byte("y"), -1)
	_, _ = c.SetData(ctx, root+"/p", []byte("y"), 77)
	_, _ = c.SetData(ctx, root+"/none", []byte("y"), -1)
	acl := []wire.ACL{
		{Perms: wire.PermRead, Identity: wire.Identity{Scheme: "world", ID: "anyone"}},
		{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "ip", ID: "10.0.0.0/8"}},
		{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "digest", ID: "bob:ttt4KD2l/LR0Mpj5c6jU0hrwVdE="}},
	}
	_, _ = c.SetACL(ctx, root+"/p", acl, -1)
	_, _ = c.SetACL(ctx, root+"/none", open, -1)
	_, _ = c.SetData(ctx, root+"/p", []byte("refused"), -1)
	_, _ = c.Multi(ctx, wire.MultiOp{Op: wire.OpCreate, Record: &wire.CreateRequest{Path: root + "/m", ACL: open}},
		wire.MultiOp{Op: wire.OpSetData, Record: &wire.SetDataRequest{Path: root + "/m", Version: -1}},
		wire.MultiOp{Op: wire.OpCheck, Record: &wire.CheckVersionRequest{Path: root + "/m", Version: 1}},
		wire.MultiOp{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: root + "/m", Version: -1}})
	_, _ = c.Multi(ctx, wire.MultiOp{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: root + "/none", Version: -1}})
	_ = c.Delete(ctx, root+"/ps-20000000003", -1)
	_ = c.Delete(ctx, root+"/t", 5)
	_ = c.Delete(ctx, root+"/t", -1)
	_ = c.Delete(ctx, root, -1)
	_ = c.Auth(ctx, "digest", []byte("al:x"))
	_, _ = c.SetData(ctx, root+"/c", []byte("y"), -1)
	_ = c.Auth(ctx, "digest", []byte("super:test"))
	_, _ = c.SetData(ctx, root+"/p", []byte("z"), -1)
	joining := "server.99=nowhere:1:2:observer"
	_, _, _ = c.Reconfig(ctx, &wire.ReconfigRequest{JoiningServers: &joining, CurConfigID: 1})
	if err := c.CloseSession(ctx); err != nil {
		t.Error(err)
	}
}

var auditedSession = regexp.MustCompile(`session=0x[0-9a-f]+`)

// auditLines are those of a member's log, without time, level and logger, and sessions numbered as they
// appear. Users have no order in the original, nor do the nodes that go with a session.
func auditLines(t *testing.T, m *ensemble.Member) []string {
	b, err := os.ReadFile(m.LogPath())
	if err != nil {
		t.Error(err)
		return nil
	}
	sessions := map[string]string{}
	var lines []string
	for line := range strings.Lines(string(b)) {
		at := strings.Index(line, "session=0x")
		if user := strings.Index(line, "user="); at < 0 || user >= 0 && user < at {
			at = user
		}
		if at < 0 || !strings.Contains(line, "operation=") {
			continue
		}
		line = auditedSession.ReplaceAllStringFunc(strings.TrimSpace(line[at:]), func(s string) string {
			if sessions[s] == "" {
				sessions[s] = "session=" + string(rune('A'+len(sessions)))
			}
			return sessions[s]
		})
		fields := strings.Split(line, "\t")
		if last := len(fields) - 1; strings.HasPrefix(fields[last], "{") {
			fields = fields[:last] // what Holt's log adds to each of its lines
		}
		for i, f := range fields {
			if users, ok := strings.CutPrefix(f, "user="); ok {
				names := strings.Split(users, ",")
				slices.Sort(names)
				fields[i] = "user=" + strings.Join(names, ",")
			}
		}
		lines = append(lines, strings.Join(fields, "\t"))
	}
	const ends = "operation=ephemeralZNodeDeletion"
	for i := 0; i < len(lines); i++ {
		j := i
		for j < len(lines) && strings.Contains(lines[j], ends) {
			j++
		}
		slices.Sort(lines[i:j])
		i = max(i, j-1)
	}
	return lines
}
