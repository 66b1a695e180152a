package migrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"holt/server"
	"holt/wire"
	"holt/znode"
	"holt/znode/zkfile"
)

const releases = "../../../../znode/zkfile/testdata"

// What goes out is what came in, for the files of each release.
func TestImportExport(t *testing.T) {
	for _, name := range []string{"3.4.14", "3.5.10", "3.6.4", "3.7.2", "3.8.4", "3.9.4", "3.9.4-gz", "3.9.4-snappy"} {
		t.Run(name, func(t *testing.T) {
			data, back, again := filepath.Join(t.TempDir(), "data"), t.TempDir(), filepath.Join(t.TempDir(), "again")
			in, err := Import(ImportConfig{From: filepath.Join(releases, name), To: data, MyID: 3})
			if err != nil {
				t.Fatal(err)
			}
			out, err := Export(ExportConfig{From: data, To: back, Compression: zkfile.Gzip})
			if err != nil {
				t.Fatal(err)
			}
			second, err := Import(ImportConfig{From: back, To: again})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []*Report{out, second} {
				if r.Digest != in.Digest || r.Nodes != in.Nodes || r.Sessions != in.Sessions || r.Zxid != in.Zxid || r.Member != 3 {
					t.Errorf("%+v\nwant what came in\n%+v", r, in)
				}
			}
			if len(in.Gaps)+len(second.Gaps) != 0 {
				t.Errorf("transactions are missing of whole files: %v %v", in.Gaps, second.Gaps)
			}
			// An export is a snapshot alone; a dataDir whose logs are elsewhere looks the same, and lacks writes.
			if in.WithoutLogs || !second.WithoutLogs {
				t.Errorf("without logs: %t of the files of ZooKeeper, %t of a snapshot", in.WithoutLogs, second.WithoutLogs)
			}
			var text bytes.Buffer
			if err := second.Text(&text); err != nil || !strings.Contains(text.String(), "--log-dir") {
				t.Errorf("%v, report of a snapshot:\n%s", err, text.String())
			}
			if !strings.HasPrefix(second.Checked, "the same") {
				t.Errorf("checked: %q", second.Checked)
			}
			if out.Foreign != 0 {
				t.Errorf("%d sessions with passwords that ZooKeeper refuses", out.Foreign)
			}
		})
	}
}

// A log in the middle is missing. The files of 3.4 have no digest that would tell.
func TestImportWithGap(t *testing.T) {
	from := t.TempDir()
	for _, name := range []string{"snapshot.2c", "log.13", "log.2e", "log.3e", "log.4e", "log.74"} {
		text, err := os.ReadFile(filepath.Join(releases, "3.4.14", "version-2", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(from, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := Import(ImportConfig{From: from, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.Text(&text); err != nil || len(r.Gaps) != 1 || !strings.Contains(text.String(), "between transactions 0x62 and 0x74\n") {
		t.Errorf("%v, report:\n%s", err, text.String())
	}
}

func TestImportInUse(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	from := filepath.Join(releases, "3.9.4")
	if _, err := Import(ImportConfig{From: from, To: data}); err != nil {
		t.Fatal(err)
	}
	if _, err := Import(ImportConfig{From: from, To: data}); !errors.Is(err, server.ErrInUse) {
		t.Errorf("%v, want %v", err, server.ErrInUse)
	}
	back := t.TempDir()
	if _, err := Export(ExportConfig{From: data, To: back}); err != nil {
		t.Fatal(err)
	}
	if _, err := Export(ExportConfig{From: data, To: back}); err == nil {
		t.Error("export over data: no error")
	}
	if _, err := Import(ImportConfig{From: t.TempDir(), To: data}); !errors.Is(err, zkfile.ErrNothing) {
		t.Errorf("%v, want %v", err, zkfile.ErrNothing)
	}
}

func TestDryRun(t *testing.T) {
	r, err := Import(ImportConfig{From: filepath.Join(releases, "3.9.4"), DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	var text, asJSON bytes.Buffer
	if err := errors.Join(r.Text(&text), r.JSON(&asJSON)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "a dry run") || !strings.Contains(text.String(), "sessions     2\n") {
		t.Errorf("report:\n%s", text.String())
	}
	var fields map[string]any
	if err := json.Unmarshal(asJSON.Bytes(), &fields); err != nil || fields["zxid"] != "0x82" || fields["sessions"] != 2.0 {
		t.Errorf("report: %v\n%s", err, asJSON.String())
	}
}

func TestExportConfig(t *testing.T) {
	for _, cfg := range []ExportConfig{{Release: "3.3"}, {Release: "3.5", Compression: zkfile.Gzip}} {
		if _, err := Export(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v, want %v", cfg, err, ErrConfig)
		}
	}
}

func TestDropSessions(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r, err := Import(ImportConfig{From: filepath.Join(releases, "3.9.4"), To: data, DropSessions: true})
	if err != nil || r.Sessions != 0 || r.Ephemerals != 0 {
		t.Fatalf("%v, %+v", err, r)
	}
	out, err := Export(ExportConfig{From: data, To: t.TempDir()})
	if err != nil || out.Sessions != 0 || out.Ephemerals != 0 {
		t.Fatalf("%v, %+v", err, out)
	}
}

// A disk that is full at any point is an error, and leaves nothing behind.
func TestImportFullDisk(t *testing.T) {
	full := errors.New("no space left on device")
	for step := 0; ; step += 3 {
		mem := vfs.NewMem()
		left, hit := step, false
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			switch op.Kind {
			case errorfs.OpFileWrite, errorfs.OpCreate, errorfs.OpFileSync:
				if left--; left < 0 {
					hit = true
					return full
				}
			}
			return nil
		}))
		_, err := Import(ImportConfig{From: filepath.Join(releases, "3.9.4"), To: "data", FS: fs})
		if !hit {
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d steps", step)
			return
		}
		if err == nil {
			t.Fatalf("step %d: no error", step)
		}
		if _, err := server.TreeDir(mem, "data"); err == nil {
			t.Fatalf("step %d: a member would start", step)
		}
	}
}

// secondsMax is how long a million nodes may take each way.
const secondsMax = 30

// BenchmarkMigrate1M moves a million nodes of 100 bytes each way and prints the seconds. Bound: 30 s.
func BenchmarkMigrate1M(b *testing.B) {
	from := b.TempDir()
	writeMillion(b, from)
	for b.Loop() {
		dir := b.TempDir()
		in, err := Import(ImportConfig{From: from, To: filepath.Join(dir, "data")})
		if err != nil {
			b.Fatal(err)
		}
		out, err := Export(ExportConfig{From: filepath.Join(dir, "data"), To: filepath.Join(dir, "back")})
		if err != nil {
			b.Fatal(err)
		}
		if in.Nodes < 1_000_000 || out.Digest != in.Digest {
			b.Fatalf("%+v\n%+v", in, out)
		}
		if in.Seconds > secondsMax || out.Seconds > secondsMax {
			b.Errorf("import took %.1f s, export %.1f s, more than %d s", in.Seconds, out.Seconds, secondsMax)
		}
		b.ReportMetric(in.Seconds, "s/import")
		b.ReportMetric(out.Seconds, "s/export")
		if err := os.RemoveAll(dir); err != nil {
			b.Fatal(err)
		}
	}
}

// writeMillion writes a snapshot of 900 000 nodes and a log that adds 100 000.
func writeMillion(b *testing.B, dir string) {
	f, err := os.Create(filepath.Join(dir, zkfile.SnapshotName(1_000_000, zkfile.Plain)))
	if err != nil {
		b.Fatal(err)
	}
	w, err := zkfile.NewSnapshotWriter(f, zkfile.SnapshotHead{})
	if err != nil {
		b.Fatal(err)
	}
	data := bytes.Repeat([]byte("data "), 20)
	add := func(path string, i int) {
		n := &znode.Node{ACL: znode.OpenACL(), Czxid: wire.Zxid(i), Mzxid: wire.Zxid(i), Pzxid: wire.Zxid(i), Ctime: 1.7e12, Mtime: 1.7e12}
		n.SetContents(path, data)
		if err := w.Add(n); err != nil {
			b.Fatal(err)
		}
	}
	add("/", 0)
	for top := range 90 {
		add(fmt.Sprintf("/app-%d", top), top)
		for i := range 9999 {
			add(fmt.Sprintf("/app-%d/node-%010d", top, i), 100+top*10000+i)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		b.Fatal(err)
	}
	l, err := os.Create(filepath.Join(dir, zkfile.LogName(1_000_001)))
	if err != nil {
		b.Fatal(err)
	}
	logs, err := zkfile.NewLogWriter(l)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 100_001 {
		op := zkfile.Op{Type: wire.OpCreate, Path: fmt.Sprintf("/app-%d/later-%010d", i%90, i), Data: data, ACL: wire.OpenACL(), ParentCversion: int32(20000 + i)}
		if err := logs.Append(&zkfile.Txn{Zxid: wire.Zxid(1_000_001 + i), TimeMillis: 1.7e12, Op: op}); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}
