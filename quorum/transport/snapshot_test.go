package transport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.etcd.io/raft/v3/raftpb"

	"holt/quorum/simnet"
)

func snapMessage() *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgSnap.Enum(), To: new(uint64(2)), From: new(uint64(1)), Term: new(uint64(3)),
		Snapshot: &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: new(uint64(9)), Term: new(uint64(3)), ConfState: &raftpb.ConfState{Voters: []uint64{1, 2}}}},
	}
}

// checkpoint makes files of several sizes.
func checkpoint(t *testing.T, vol vfs.FS, sizes ...int) Snapshot {
	t.Helper()
	if err := vol.MkdirAll("out", 0o700); err != nil {
		t.Fatal(err)
	}
	for i, size := range sizes {
		f, err := vol.Create(vol.PathJoin("out", fmt.Sprintf("file-%d.sst", i)), vfs.WriteCategoryUnspecified)
		if err == nil {
			_, err = f.Write(content(i, size))
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return Snapshot{Message: snapMessage(), ID: [16]byte{1, 2, 3}, FS: vol, Dir: "out"}
}

func content(i, size int) []byte {
	return bytes.Repeat([]byte{byte(i + 1), byte(size), 3}, size/3+1)[:size]
}

var sizes = []int{0, 1, 1000, chunkBytes, 3*chunkBytes + 17, 0, 5 * chunkBytes}

func checkFiles(t *testing.T, vol vfs.FS, dir string) {
	t.Helper()
	for i, size := range sizes {
		f, err := vol.Open(vol.PathJoin(dir, fmt.Sprintf("file-%d.sst", i)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil || !bytes.Equal(got, content(i, size)) {
			t.Errorf("file %d: %d bytes, want %d (%v)", i, len(got), size, err)
		}
	}
}

func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pair(t)
		defer closeAll(t, a, b)
		disk := vfs.NewCrashableMem()
		var got *Received
		b.stream = func(s *Stream) {
			var err error
			if got, err = s.Receive(disk, ""); err != nil {
				t.Error(err)
				return
			}
			if err := s.Accept(); err != nil {
				t.Error(err)
			}
		}
		snap := checkpoint(t, vfs.NewMem(), sizes...)
		start := time.Now()
		if err := a.SendSnapshot(t.Context(), 2, snap, NewLimiter(1<<20)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 2*time.Second || took > 4*time.Second {
			t.Errorf("2.2 MiB at 1 MiB/s took %v", took)
		}
		if got.Message.GetSnapshot().GetMetadata().GetIndex() != 9 {
			t.Errorf("message %v", got.Message)
		}
		// Durable, too.
		checkFiles(t, disk.CrashClone(vfs.CrashCloneCfg{}), got.Dir)
	})
}

// TestSnapshotResumed breaks the connection after each tenth of a second and
// counts what has to be sent again.
func TestSnapshotResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(t)
		defer closeAll(t, a, b)
		disk := vfs.NewMem()
		var got *Received
		b.stream = func(s *Stream) {
			r, err := s.Receive(disk, "")
			if err == nil {
				got = r
				s.Accept()
			}
		}
		counted := &countReads{}
		snap := checkpoint(t, vfs.NewMem(), sizes...)
		snap.FS = errorfs.Wrap(snap.FS, counted)
		limit := NewLimiter(1 << 20)
		tries := 0
		for err := errors.New("not yet"); err != nil; tries++ {
			if tries == 20 {
				t.Fatal(err)
			}
			go func() {
				time.Sleep(1500 * time.Millisecond)
				n.Set("m2", "m1", simnet.Link{Cut: true})
				time.Sleep(500 * time.Millisecond)
				for _, in := range b.incomingStreams() {
					in.Close()
				}
				n.Set("m2", "m1", simnet.Link{Delay: time.Millisecond})
			}()
			err = a.SendSnapshot(t.Context(), 2, snap, limit)
			time.Sleep(3 * time.Second)
		}
		checkFiles(t, disk, got.Dir)
		total := 0
		for _, s := range sizes {
			total += (s + chunkBytes - 1) / chunkBytes
		}
		t.Logf("%d tries, %d chunks read for %d", tries, counted.n, total)
		if tries < 2 || counted.n > total+tries*6 {
			t.Errorf("%d tries, %d chunks read for %d", tries, counted.n, total)
		}
	})
}

type countReads struct{ n int }

func (c *countReads) String() string { return "count" }
func (c *countReads) MaybeError(op errorfs.Op) error {
	if op.Kind == errorfs.OpFileReadAt {
		c.n++
	}
	return nil
}

func (t *Transport) incomingStreams() (conns []interface{ Close() error }) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, in := range t.incoming {
		if k.lane == laneSnapshot {
			conns = append(conns, in.conn)
		}
	}
	return conns
}

func TestSnapshotDiskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pair(t)
		defer closeAll(t, a, b)
		var got error
		fail := &failSync{}
		b.stream = func(s *Stream) { _, got = s.Receive(errorfs.Wrap(vfs.NewMem(), fail), "") }
		err := a.SendSnapshot(t.Context(), 2, checkpoint(t, vfs.NewMem(), sizes...), nil)
		disk := (*DiskError)(nil)
		if err == nil || !errors.As(got, &disk) || !errors.Is(got, errorfs.ErrInjected) {
			t.Errorf("sender: %v, receiver: %v", err, got)
		}
	})
}

type failSync struct{}

func (failSync) String() string { return "fail sync" }
func (failSync) MaybeError(op errorfs.Op) error {
	if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData {
		return errorfs.ErrInjected
	}
	return nil
}

// TestOffers has a receiver judge what a sender says.
func TestOffers(t *testing.T) {
	good := func(names ...string) []byte {
		st := &Stream{conn: &sink{}}
		var files []file
		for _, name := range names {
			files = append(files, file{name, 5})
		}
		st.r = bufio.NewReader(st.conn)
		_, err := st.offer(Snapshot{Message: snapMessage()}, files)
		if err == nil {
			t.Fatal("no answer and no error")
		}
		return st.conn.(*sink).b.Bytes()[frameHeader:]
	}
	if _, files, m, err := decodeOffer(good("a.sst", "MANIFEST-000001")); err != nil || len(files) != 2 || m.GetTerm() != 3 {
		t.Errorf("%v %v %v", files, m, err)
	}
	for _, names := range [][]string{{"../x"}, {""}, {"."}, {".."}, {"a/b"}, {"a", "a"}, {"a\x00"}, {"a\\b"}} {
		if _, _, _, err := decodeOffer(good(names...)); err == nil {
			t.Errorf("%q passes", names)
		}
	}
	offer := good("a.sst")
	for n := range offer {
		if _, _, _, err := decodeOffer(offer[:n]); err == nil {
			t.Errorf("prefix of %d passes", n)
		}
	}
}

// sink is a connection that swallows everything and answers nothing.
type sink struct {
	net.Conn
	b bytes.Buffer
}

func (s *sink) Write(b []byte) (int, error)      { return s.b.Write(b) }
func (s *sink) Read([]byte) (int, error)         { return 0, io.EOF }
func (s *sink) SetReadDeadline(time.Time) error  { return nil }
func (s *sink) SetWriteDeadline(time.Time) error { return nil }
