package partition

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Meta is what meta.properties says of whose a directory is.
type Meta struct {
	// BrokerID is -1 if the directory has had no broker yet.
	BrokerID int32
	// ClusterID is empty if it is not known.
	ClusterID string

	session string   // see Dir.SetSession; empty: none
	others  []string // lines of other keys, kept
}

const (
	metaVersion = "0"
	metaSession = "holt.session" // Kafka ignores keys that it does not know
)

// ReadMeta reads a directory's meta.properties without opening the directory,
// for a broker that has yet to learn its id. BrokerID is -1 if there is none.
func ReadMeta(fs vfs.FS, path string) (Meta, error) {
	d := disk{fs}
	b, err := d.read(fs.PathJoin(path, fileMeta))
	if missing(err) {
		return Meta{BrokerID: -1}, nil
	}
	if err != nil {
		return Meta{}, fmt.Errorf("read %s: %w", fs.PathJoin(path, fileMeta), err)
	}
	m, err := decodeMeta(b)
	if err != nil {
		return Meta{}, fmt.Errorf("read %s: %w", fs.PathJoin(path, fileMeta), err)
	}
	return m, nil
}

func decodeMeta(b []byte) (Meta, error) {
	m := Meta{BrokerID: -1}
	version := ""
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "version":
			version = value
		case "broker.id":
			id, err := strconv.ParseInt(value, 10, 32)
			if err != nil || id < 0 {
				return Meta{}, fmt.Errorf("broker.id=%q", value)
			}
			m.BrokerID = int32(id)
		case "cluster.id":
			m.ClusterID = value
		case metaSession:
			m.session = value
		default:
			m.others = append(m.others, line)
		}
	}
	if version != metaVersion {
		return Meta{}, fmt.Errorf("version=%q where only %s is known", version, metaVersion)
	}
	return m, nil
}

func (m Meta) encode() []byte {
	lines := slices.Clone(m.others)
	lines = append(lines, "version="+metaVersion)
	if m.BrokerID >= 0 {
		lines = append(lines, fmt.Sprintf("broker.id=%d", m.BrokerID))
	}
	if m.ClusterID != "" {
		lines = append(lines, "cluster.id="+m.ClusterID)
	}
	if m.session != "" {
		lines = append(lines, metaSession+"="+m.session)
	}
	slices.Sort(lines)
	return []byte("#\n" + strings.Join(lines, "\n") + "\n")
}

// Meta returns what the directory's meta.properties says.
func (d *Dir) Meta() Meta {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.meta
}

// SetMeta makes the directory that broker's and cluster's; the caller has looked
// at what it was before. It is durable afterwards.
func (d *Dir) SetMeta(brokerID int32, clusterID string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.meta
	m.BrokerID, m.ClusterID = brokerID, clusterID
	return d.setMetaLocked(m)
}

// Session returns what SetSession was given last, by this process or a former one, or 0. Whoever has
// the directory open knows that the process which had that session has ended. A copy of the
// directory has none, since the one that it is a copy of may be in use.
func (d *Dir) Session() (int64, error) {
	place, err := d.place()
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id, at, _ := strings.Cut(d.meta.session, "@")
	n, err := strconv.ParseInt(id, 0, 64)
	if err != nil || at != place {
		return 0, nil
	}
	return n, nil
}

// SetSession keeps which session of the coordination service the process that has the directory
// open is registered by. It is durable afterwards.
func (d *Dir) SetSession(id int64) error {
	place, err := d.place()
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.meta
	m.session = fmt.Sprintf("%#x@%s", id, place)
	return d.setMetaLocked(m)
}

// place tells the directory from a copy; it is empty where files have no numbers.
func (d *Dir) place() (string, error) {
	st, err := d.fs.Stat(d.path)
	if err != nil {
		return "", fmt.Errorf("stat %s: %w", d.path, err)
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d:%d", sys.Dev, sys.Ino), nil
	}
	return "", nil
}

func (d *Dir) setMetaLocked(m Meta) error {
	if bytes.Equal(m.encode(), d.meta.encode()) {
		return nil
	}
	if err := d.fs.replace(d.fs.PathJoin(d.path, fileMeta), m.encode()); err != nil {
		return err
	}
	d.meta = m
	return d.fs.syncDir(d.path)
}
