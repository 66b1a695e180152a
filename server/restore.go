package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"

	"holt/server/apply"
	"holt/wire"
	"holt/znode/store"
)

// The AdminServer's command restore puts a snapshot in the place of the ensemble's state, through any member:
//
//	client ──POST──▶ dataDir/restore-upload        bounded by what the disk has room for
//	                  │ a tree is made of it: format, checksums, parents
//	                  ▼
//	                 chunks ─▶ Raft ─▶ staged, beside the tree of every member (apply/restore.go)
//	                  │                 │ all there: each member makes a tree of it (restorestate.go)
//	                  │◀── made there ──┘ (restorewait.go)
//	                  ▼
//	                 OpRestore ─▶ one step on every member
//
// A restoreWindow of chunks is on its way at any time, among the writes of clients. Whatever ends a restore before the last step
// leaves the state as it is; the staged chunks go when the next restore begins, or when the leader misses its member.
const (
	restoreUpload = "restore-upload"
	restoreCheck  = "restore-check"
	restoreChunk  = 128 << 10
	restoreWindow = 4
	// restoreRoom is how many times its size a snapshot takes on the disk until it is in place: the upload, the chunks in the log
	// and beside the tree, and the tree.
	restoreRoom = 4
)

var (
	errRestoreBusy   = errors.New("another restore is going on here")
	errRestoreFormat = errors.New("not all members have a version of the program that can restore, or the leader does not know yet that they have: try again in a moment")
	errRestoreLost   = errors.New("this member got a copy of another member's state meanwhile and does not know what became of the restore: look at the tree")
	errRestoreHalted = errors.New("this member got a copy of another member's state while it made a tree of the snapshot: nothing was changed, try again")
	errNoSnapshot    = errors.New("what was sent is no snapshot: it does not begin with ZKSN; one that is compressed has to be unpacked first")
	errZxidTooHigh   = errors.New("the snapshot has zxids that leave none for what comes after")
)

// restoreSnapshot restores what r yields and returns the zxid of the restore. ctx is the client's.
func (s *Server) restoreSnapshot(ctx context.Context, r io.Reader) (wire.Zxid, error) {
	s.mu.Lock()
	switch {
	case s.closing:
		s.mu.Unlock()
		return 0, errNotServing
	case s.uploading:
		s.mu.Unlock()
		return 0, errRestoreBusy
	}
	s.uploading = true
	s.wg.Add(1) // Close waits for the end
	s.mu.Unlock()
	u := &upload{s: s, ctx: ctx, log: s.log}
	zxid, err := u.restore(r)
	if err != nil {
		s.log.Warn("restore", zap.Error(err))
	}
	err = errors.Join(err, u.remove())
	s.mu.Lock()
	s.uploading = false
	s.mu.Unlock()
	s.wg.Done()
	return zxid, err
}

// upload is a restore that this member was asked for.
type upload struct {
	s     *Server
	ctx   context.Context
	log   *zap.Logger
	bytes int64
	begun uint64    // the number of the command that began the staging
	since time.Time // when all of it was staged
}

func (u *upload) path() string { return u.s.cfg.FS.PathJoin(u.s.cfg.DataDir, restoreUpload) }

func (u *upload) checkDir() string { return u.s.cfg.FS.PathJoin(u.s.cfg.DataDir, restoreCheck) }

// remove removes what the restore needed here, and what a crash left of an earlier one.
func (u *upload) remove() error {
	fs := u.s.cfg.FS
	return errors.Join(ignoreAbsent(fs.Remove(u.path())), fs.RemoveAll(u.checkDir()))
}

func (u *upload) restore(r io.Reader) (wire.Zxid, error) {
	if err := u.awaitFormat(); err != nil {
		return 0, err
	}
	if err := u.remove(); err != nil {
		return 0, err
	}
	if err := u.receive(r); err != nil {
		return 0, err
	}
	if err := u.check(); err != nil {
		return 0, err
	}
	u.log.Info("a snapshot is being staged for a restore", zap.Int64("bytes", u.bytes))
	if err := u.stage(); err != nil {
		return 0, fmt.Errorf("stage snapshot: %w", err)
	}
	return u.finish()
}

// awaitFormat waits for what a new leader takes to find out what its members know.
func (u *upload) awaitFormat() error {
	limit := time.NewTimer(4 * time.Duration(u.s.cfg.TickMillis) * time.Millisecond)
	defer limit.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for u.s.machine.Format() < apply.FormatRestore {
		select {
		case <-look.C:
		case <-limit.C:
			return errRestoreFormat
		case <-u.s.stop:
			return errPipelineClosed
		case <-u.ctx.Done():
			return u.ctx.Err()
		}
	}
	return nil
}

// receive writes what is sent to a file.
func (u *upload) receive(r io.Reader) (err error) {
	b := bufio.NewReaderSize(r, 256<<10)
	if magic, err := b.Peek(4); err != nil || string(magic) != "ZKSN" {
		return errNoSnapshot
	}
	f, err := u.s.cfg.FS.Create(u.path(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	const between = 16 << 20 // looks at the room
	for {
		if err := u.room(between); err != nil {
			return err
		}
		n, err := io.CopyN(&stoppableWriter{w: f, stop: u.s.stop}, b, between)
		u.bytes += n
		if errors.Is(err, io.EOF) {
			return u.room(u.bytes * (restoreRoom - 1))
		}
		if err != nil {
			return fmt.Errorf("receive snapshot: %w", err)
		}
	}
}

// room returns an error if the disk has not so many bytes to spare.
func (u *upload) room(bytes int64) error {
	usage, err := u.s.cfg.FS.GetDiskUsage(u.s.cfg.DataDir)
	if err == nil && usage.AvailBytes < uint64(bytes)+snapshotReserve {
		return fmt.Errorf("not enough space on the disk: a restore takes %d times the size of the snapshot on every member, and leaves %d MiB free", restoreRoom, snapshotReserve>>20)
	}
	return nil // or it is not known
}

// check makes a tree of the upload as the members will: what would fail with them fails here.
func (u *upload) check() (err error) {
	f, err := u.s.cfg.FS.Open(u.path())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	o := store.Options{FS: u.s.cfg.FS, CacheBytes: 4 << 20, MemTableBytes: 4 << 20, Quiet: u.s.state.opts.Quiet}
	b, err := buildTree(u.checkDir(), o, &haltingReader{r: f, halt: u.ctx.Done(), stop: u.s.stop})
	if err != nil {
		return err
	}
	if err := b.store.Close(); err != nil {
		return err
	}
	if b.loaded.Newest >= 1<<62 {
		return errZxidTooHigh
	}
	if d := b.loaded.DigestDiffers; d != 0 {
		// ZooKeeper takes snapshots while writes go on; so does it, when it restores one.
		u.log.Warn("the tree in the snapshot is not the one that its digest is of: it was taken while writes went on, or by a damaged server", zap.Stringer("zxid", d))
	}
	return u.s.cfg.FS.RemoveAll(u.checkDir())
}

// stage replicates the upload.
func (u *upload) stage() (err error) {
	f, err := u.s.cfg.FS.Open(u.path())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	begun, err := u.do(apply.AppendStageBegin(nil, u.bytes))
	if err != nil {
		return err
	}
	u.begun = begun.number
	var underway []<-chan outcome
	buf := make([]byte, restoreChunk)
	for at := int64(0); at < u.bytes; {
		n, err := io.ReadFull(f, buf[:min(restoreChunk, u.bytes-at)])
		if err != nil {
			return err
		}
		c, err := u.submit(apply.AppendStageChunk(nil, u.begun, at, buf[:n]))
		if err != nil {
			return err
		}
		at += int64(n)
		if underway = append(underway, c); len(underway) < restoreWindow {
			continue
		}
		if _, err := u.await(underway[0]); err != nil {
			return err
		}
		underway = underway[1:]
	}
	for _, c := range underway {
		if _, err := u.await(c); err != nil {
			return err
		}
	}
	return nil
}

// finish waits until the members have made their trees, and restores.
func (u *upload) finish() (wire.Zxid, error) {
	if err := u.built(); err != nil {
		return 0, err
	}
	body := apply.AppendRestore(nil, u.begun)
	c, err := u.s.pipeline.submitOwn(&apply.Command{Op: apply.OpRestore, Flags: apply.Alone, Body: body})
	if err != nil {
		return 0, err
	}
	u.ctx = context.Background() // it cannot be called back any more
	o, err := u.await(c)
	return o.zxid, err
}

func (u *upload) submit(body []byte) (<-chan outcome, error) {
	return u.s.pipeline.submitOwn(&apply.Command{Op: apply.OpStage, Body: body})
}

// do carries out an OpStage.
func (u *upload) do(body []byte) (outcome, error) {
	c, err := u.submit(body)
	if err != nil {
		return outcome{}, err
	}
	return u.await(c)
}

// await waits for the outcome of a command.
func (u *upload) await(c <-chan outcome) (outcome, error) {
	select {
	case o := <-c:
		if o.lost {
			return o, errRestoreLost
		}
		return o, stagingError(o.code)
	case <-u.s.stop:
		return outcome{}, errPipelineClosed
	case <-u.ctx.Done():
		return outcome{}, u.ctx.Err()
	}
}
