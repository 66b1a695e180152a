package transport

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3/raftpb"
)

// Received is a snapshot whose files are complete and durable in Dir.
type Received struct {
	Message *raftpb.Message
	Dir     string
}

// Receive takes a snapshot's files into a directory below root, named after
// the snapshot, and continues an earlier attempt that it finds there. It syncs
// everything. Accept tells the sender; until then it counts on nothing.
func (s *Stream) Receive(vol vfs.FS, root string) (*Received, error) {
	body, err := s.read()
	if err != nil {
		return nil, err
	}
	id, files, m, err := decodeOffer(body)
	if err != nil {
		return nil, err
	}
	rc := &receiving{vol: vol, dir: vol.PathJoin(root, "in-"+hex.EncodeToString(id[:])), files: files}
	if err := vol.MkdirAll(rc.dir, 0o700); err != nil {
		return nil, diskError("create %s: %w", rc.dir, err)
	}
	if err := rc.findHeld(); err != nil {
		return nil, err
	}
	err = s.send(func(b []byte) ([]byte, error) {
		for _, n := range rc.held {
			b = binary.AppendUvarint(b, uint64(n))
		}
		return b, nil
	})
	if err != nil {
		return nil, err
	}
	for {
		body, err := s.read()
		if err != nil {
			return nil, errors.Join(err, rc.closeFile())
		}
		if len(body) == 0 {
			break
		}
		if err := rc.chunk(body); err != nil {
			return nil, errors.Join(err, rc.closeFile())
		}
	}
	if err := rc.end(root); err != nil {
		return nil, err
	}
	return &Received{Message: m, Dir: rc.dir}, nil
}

// DiskError is a failure of this member's disk, not of the connection.
type DiskError struct{ Err error }

func (e *DiskError) Error() string { return e.Err.Error() }
func (e *DiskError) Unwrap() error { return e.Err }

func diskError(format string, args ...any) error { return &DiskError{fmt.Errorf(format, args...)} }

// Accept tells the sender that the snapshot is here to stay.
func (s *Stream) Accept() error {
	return s.send(func(b []byte) ([]byte, error) { return append(b, "ok"...), nil })
}

func decodeOffer(body []byte) (id [16]byte, files []file, m *raftpb.Message, err error) {
	if len(body) < len(id) {
		return id, nil, nil, errMalformed
	}
	copy(id[:], body)
	r := reader{b: body[len(id):]}
	n := r.uvarint()
	if n > uint64(len(r.b)/2) {
		return id, nil, nil, errMalformed
	}
	seen := map[string]bool{}
	for range n {
		f := file{name: string(r.bytes())}
		f.size = int64(r.uvarint())
		if r.bad || f.size < 0 || !validName(f.name) || seen[f.name] {
			return id, nil, nil, errMalformed
		}
		seen[f.name] = true
		files = append(files, f)
	}
	m, err = DecodeMessage(r.b)
	if err == nil && m.GetType() != raftpb.MsgSnap {
		err = errMalformed
	}
	return id, files, m, err
}

// receiving is a snapshot on its way in. Files come one after another.
type receiving struct {
	vol   vfs.FS
	dir   string
	files []file
	held  []int64 // bytes of each file that are written
	open  int     // file being written
	f     vfs.File
}

// findHeld looks for what an earlier attempt of this process left. A file
// that was not finished is written anew from its beginning: it cannot be
// opened for appending.
func (rc *receiving) findHeld() error {
	rc.held = make([]int64, len(rc.files))
	for i, f := range rc.files {
		info, err := rc.vol.Stat(rc.path(i))
		if err == nil && info.Size() == f.size {
			rc.held[i] = f.size
		} else if err == nil {
			if err := rc.vol.Remove(rc.path(i)); err != nil {
				return diskError("remove snapshot file: %w", err)
			}
		}
	}
	return nil
}

func (rc *receiving) path(i int) string { return rc.vol.PathJoin(rc.dir, rc.files[i].name) }

func (rc *receiving) chunk(body []byte) error {
	r := reader{b: body}
	i, at := r.uvarint(), r.uvarint()
	if r.bad || i >= uint64(len(rc.files)) || int64(at) != rc.held[i] || at+uint64(len(r.b)) > uint64(rc.files[i].size) {
		return errMalformed
	}
	if rc.f == nil || rc.open != int(i) {
		if err := rc.closeFile(); err != nil {
			return err
		}
		if at != 0 {
			return errMalformed
		}
		f, err := rc.vol.Create(rc.path(int(i)), vfs.WriteCategoryUnspecified)
		if err != nil {
			return diskError("create snapshot file: %w", err)
		}
		rc.f, rc.open = f, int(i)
	}
	if _, err := rc.f.Write(r.b); err != nil {
		return diskError("write snapshot file %s: %w", rc.path(rc.open), err)
	}
	rc.held[i] += int64(len(r.b))
	return nil
}

func (rc *receiving) closeFile() error {
	if rc.f == nil {
		return nil
	}
	err := errors.Join(rc.f.Sync(), rc.f.Close())
	rc.f = nil
	if err != nil {
		return diskError("sync snapshot file %s: %w", rc.path(rc.open), err)
	}
	return nil
}

// end checks that all is there and syncs the directories.
func (rc *receiving) end(root string) error {
	if err := rc.closeFile(); err != nil {
		return err
	}
	for i, f := range rc.files {
		if rc.held[i] == 0 && f.size == 0 {
			empty, err := rc.vol.Create(rc.path(i), vfs.WriteCategoryUnspecified)
			if err == nil {
				err = errors.Join(empty.Sync(), empty.Close())
			}
			if err != nil {
				return diskError("create snapshot file: %w", err)
			}
		}
		if rc.held[i] != f.size {
			return fmt.Errorf("snapshot file %s has %d bytes of %d: %w", f.name, rc.held[i], f.size, errMalformed)
		}
	}
	for _, dir := range []string{rc.dir, root} {
		d, err := rc.vol.OpenDir(dir)
		if err == nil {
			err = errors.Join(d.Sync(), d.Close())
		}
		if err != nil {
			return diskError("sync %s: %w", dir, err)
		}
	}
	return nil
}
