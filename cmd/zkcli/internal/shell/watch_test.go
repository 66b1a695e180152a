package shell

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"holt/wire"
)

// TestWatch changes nodes by another session while the command runs.
func TestWatch(t *testing.T) {
	s := newScript(t)
	ctx := t.Context()
	for _, line := range []string{"create /a", "create /a/b"} {
		if code := s.shell.Run(ctx, strings.Fields(line)); code != 0 {
			t.Fatalf("%s: exit %d: %s", line, code, s.page.take())
		}
	}
	s.page.take()
	done := make(chan int)
	go func() { done <- s.shell.Run(ctx, []string{"watch", "-r", "-n", "5", "/a"}) }()

	other := newOther(t, s)
	code := 0
	for running := true; running; {
		// When the command began to watch is chance, so the changes are repeated.
		other.create(ctx, "/a/b/new")
		other.set(ctx, "/a/b/new")
		other.delete(ctx, "/a/b/new")
		select {
		case code = <-done:
			running = false
		default:
		}
	}
	line := regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3} zxid=0x[0-9a-f]+ +(created |changed |deleted ) /a/b/new$`)
	lines := strings.Split(strings.TrimSuffix(s.page.take(), "\n"), "\n")
	if code != 0 || len(lines) != 5 {
		t.Fatalf("exit %d, %d lines: %q", code, len(lines), lines)
	}
	for _, l := range lines {
		if !line.MatchString(l) {
			t.Errorf("line %q", l)
		}
	}
	// The watch is gone: a change is not told any more.
	other.create(ctx, "/a/b/late")
	if err := s.shell.Session().Sync(ctx, "/"); err != nil {
		t.Fatal(err)
	}
	if out := s.page.take(); out != "" {
		t.Errorf("after the end: %q", out)
	}
}

// other is a session beside that of a script.
type other struct {
	t     *testing.T
	shell *Shell
}

func newOther(t *testing.T, s *script) other {
	sh := New(s.shell.cfg)
	sh.quiet.Store(true)
	if err := sh.Connect(t.Context(), "memory"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sh.Close(context.Background()) })
	return other{t, sh}
}

func (o other) create(ctx context.Context, path string) {
	if _, err := o.shell.Session().Create(ctx, path, nil, wire.OpenACL(), wire.ModePersistent, 0); err != nil {
		o.t.Fatal(err)
	}
}

func (o other) set(ctx context.Context, path string) {
	if _, err := o.shell.Session().SetData(ctx, path, nil, -1); err != nil {
		o.t.Fatal(err)
	}
}

func (o other) delete(ctx context.Context, path string) {
	if err := o.shell.Session().Delete(ctx, path, -1); err != nil {
		o.t.Fatal(err)
	}
}
