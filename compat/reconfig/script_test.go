package reconfig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
)

// superDigest is super:admin.
const superDigest = "DigestAuthenticationProvider.superDigest=super:xQJmxLMiHGwaqBvst5y6rkB6HQs="

// script runs one file on an ensemble of three. Directives, with S for a session by name, on
// member 1 unless at=N; $N is the spec of member N, $No that of it as an observer:
//
//	start [SETTING...]      the ensemble
//	connect S [at=N] [super]
//	reconfig S              the input has lines joining ..., leaving ..., members ..., version V,
//	                        where V is current, a number in hex, or absent for −1
//	config S [watch]        reads /zookeeper/config
//	event S                 the next event
//	allow S                 lets everybody write /zookeeper/config
//	newcomer N              a further member, started and ready
//	mode N WANT             as srvr tells it, once it is WANT
//	write S PATH            creates a node
//	read S PATH             its data, after a sync
//	files N                 zoo.cfg once it names the present version, its lines sorted, and the files beside it
//
// In the output ports are cN, qN, eN for those of member N, versions v1, v2, ... in the order in
// which they appear.
type script struct {
	t        *testing.T
	e        *ensemble.Ensemble
	sessions map[string]*session
	versions map[string]string
	current  string
}

type session struct {
	*client.Conn
	events chan client.Event
}

func TestScripts(t *testing.T) {
	target.Kind(t)
	datadriven.Walk(t, "testdata", func(t *testing.T, file string) {
		s := &script{t: t, sessions: map[string]*session{}, versions: map[string]string{}}
		defer func() {
			for _, c := range s.sessions {
				c.Abort()
			}
		}()
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			s.t = t
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			out, err := s.run(ctx, d)
			if err != nil {
				t.Fatalf("%s: %v", d.Pos, err)
			}
			return s.neutral(out)
		})
	})
}

func (s *script) run(ctx context.Context, d *datadriven.TestData) (string, error) {
	word := func(i int) string { return d.CmdArgs[i].Key }
	number := func(i int) *ensemble.Member {
		var n int
		if _, err := fmt.Sscan(word(i), &n); err != nil || n > len(s.e.Members()) {
			d.Fatalf(s.t, "no member %s", word(i))
		}
		return s.e.Members()[n-1]
	}
	switch d.Cmd {
	case "start":
		settings := []string{"tickTime=500", "initLimit=20", "syncLimit=10", superDigest}
		for line := range strings.Lines(d.Input) {
			settings = append(settings, strings.TrimSpace(line))
		}
		s.e = target.Start(s.t, ensemble.Config{Members: 3, Reconfigurable: true, Settings: settings})
		return "", nil
	case "connect":
		return "", s.connect(ctx, d)
	case "newcomer":
		m, err := s.e.Newcomer(s.e.Members())
		if err == nil {
			err = m.Start()
		}
		if err == nil {
			err = m.Ready(ctx)
		}
		return "", err
	case "mode":
		for {
			mode, err := number(0).Mode(ctx)
			if mode == "leader" {
				mode = "follower" // one of them leads
			}
			if err == nil && mode == word(1) || ctx.Err() != nil {
				return mode, nil
			}
			time.Sleep(20 * time.Millisecond)
		}
	case "files":
		return s.files(ctx, number(0))
	}
	c := s.sessions[word(0)]
	if c == nil {
		d.Fatalf(s.t, "no session %s", word(0))
	}
	switch d.Cmd {
	case "reconfig":
		return s.reconfig(ctx, c, d.Input)
	case "config":
		if err := c.Sync(ctx, "/"); err != nil {
			return "", err
		}
		data, stat, err := c.GetData(ctx, "/zookeeper/config", d.HasArg("watch"))
		return fmt.Sprintf("%s\n%s", ordered(data), s.stat(&stat)), err
	case "event":
		select {
		case e := <-c.events:
			return fmt.Sprintf("%v %s", e.Type, e.Path), nil
		case <-ctx.Done():
			return "none", nil
		}
	case "write":
		_, err := c.Create(ctx, word(1), []byte(word(1)), []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}}, wire.ModePersistent)
		return "", err
	case "read":
		err := c.Sync(ctx, "/")
		if err != nil {
			return "", err
		}
		data, _, err := c.GetData(ctx, word(1), false)
		return string(data), err
	case "allow":
		_, err := c.SetACL(ctx, "/zookeeper/config", []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}}, -1)
		return "", err
	}
	return "", fmt.Errorf("unknown directive %s", d.Cmd)
}

func (s *script) connect(ctx context.Context, d *datadriven.TestData) error {
	at := 1
	if d.HasArg("at") {
		d.ScanArgs(s.t, "at", &at)
	}
	c := &session{events: make(chan client.Event, 16)}
	var err error
	c.Conn, err = client.Dial(ctx, s.e.Members()[at-1].Addr(), client.Options{SessionTimeout: 10 * time.Second, OnEvent: func(e client.Event) { c.events <- e }})
	if err == nil && d.HasArg("super") {
		err = c.Auth(ctx, "digest", []byte("super:admin"))
	}
	if err == nil {
		s.sessions[d.CmdArgs[0].Key] = c
	}
	return err
}

func (s *script) reconfig(ctx context.Context, c *session, input string) (string, error) {
	req := wire.ReconfigRequest{CurConfigID: -1}
	for line := range strings.Lines(input) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, m := range s.e.Members() {
			value = strings.ReplaceAll(value, fmt.Sprintf("$%do", m.ID()), strings.Replace(m.Spec, "participant", "observer", 1))
			value = strings.ReplaceAll(value, fmt.Sprintf("$%d", m.ID()), m.Spec)
		}
		value = strings.ReplaceAll(value, `\n`, "\n")
		switch key {
		case "joining":
			req.JoiningServers = &value
		case "leaving":
			req.LeavingServers = &value
		case "members":
			req.NewMembers = &value
		case "version":
			if value == "current" {
				value = s.current
			}
			if _, err := fmt.Sscanf(value, "%x", &req.CurConfigID); err != nil {
				return "", err
			}
		}
	}
	before := c.LastZxid()
	data, stat, err := c.Reconfig(ctx, &req)
	zxid := c.LastZxid()
	if code := wire.ErrCode(0); errors.As(err, &code) {
		if zxid <= before {
			return "", fmt.Errorf("zxid %v after %v", zxid, before)
		}
		return code.String(), nil
	} else if err != nil {
		return "", err
	}
	if stat.Mzxid != zxid {
		return "", fmt.Errorf("mzxid %v after zxid %v", stat.Mzxid, zxid)
	}
	out := fmt.Sprintf("%s\n%s", ordered(data), s.stat(&stat))
	if !strings.HasSuffix(string(data), fmt.Sprintf("version=%x", int64(zxid))) {
		return "", fmt.Errorf("the version is not the zxid %v: %s", zxid, data)
	}
	return out, nil
}

// ordered sorts the servers: the original has them in the order of its hash table, Holt by id.
func ordered(config []byte) string {
	lines := strings.Split(string(config), "\n")
	slices.Sort(lines[:len(lines)-1])
	return strings.Join(lines, "\n")
}

// stat is what does not depend on times and zxids.
func (s *script) stat(st *wire.Stat) string {
	return fmt.Sprintf("czxid %v, version %d, cversion %d, children %d", st.Czxid, st.Version, st.Cversion, st.NumChildren)
}

// files waits until zoo.cfg names the present version.
func (s *script) files(ctx context.Context, m *ensemble.Member) (string, error) {
	for {
		text, err := os.ReadFile(m.ConfigPath())
		if err != nil {
			return "", err
		}
		if strings.Contains(string(text), ".dynamic."+s.current) {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return "", fmt.Errorf("zoo.cfg does not come to name version %s: %s", s.current, text)
		}
	}
	dir := filepath.Dir(m.ConfigPath())
	var b strings.Builder
	for _, name := range []string{"zoo.cfg", "zoo.cfg.bak", "zoo.cfg.dynamic." + s.current} {
		name = filepath.Join(dir, name)
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(l string) bool {
			return strings.HasPrefix(l, "#") || strings.HasPrefix(l, "admin.enableServer")
		})
		if base := filepath.Base(name); base == "zoo.cfg" || base == "zoo.cfg.bak" {
			slices.Sort(lines)
			lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" })
		}
		fmt.Fprintf(&b, "-- %s\n%s\n", filepath.Base(name), strings.Join(lines, "\n"))
	}
	return strings.ReplaceAll(b.String(), dir, "DIR"), nil
}

var version = regexp.MustCompile(`(version=|zoo\.cfg\.dynamic\.)([0-9a-f]+)`)

// neutral replaces ports and versions.
func (s *script) neutral(out string) string {
	if s.e == nil {
		return out
	}
	for _, m := range s.e.Members() {
		var q, e, c int
		if _, err := fmt.Sscanf(m.Spec, "127.0.0.1:%d:%d:participant;127.0.0.1:%d", &q, &e, &c); err != nil {
			s.t.Fatal(err)
		}
		for name, port := range map[string]int{"q": q, "e": e, "c": c} {
			out = regexp.MustCompile(fmt.Sprintf(`\b%d\b`, port)).ReplaceAllString(out, fmt.Sprint(name, m.ID()))
		}
	}
	return version.ReplaceAllStringFunc(out, func(found string) string {
		parts := version.FindStringSubmatch(found)
		if s.versions[parts[2]] == "" {
			s.versions[parts[2]] = fmt.Sprint("v", len(s.versions)+1)
		}
		if parts[1] == "version=" {
			s.current = parts[2]
		}
		return parts[1] + s.versions[parts[2]]
	})
}
