package partition

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Meta is what meta.properties says of whose a directory is.
type Meta struct {
	// BrokerID is -1 if the directory has had no broker yet.
	BrokerID int32
	// ClusterID is empty if it is not known.
	ClusterID string

	others []string // lines of other keys, kept
}

const metaVersion = "0"

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
	if bytes.Equal(m.encode(), d.meta.encode()) {
		return nil
	}
	if err := d.fs.replace(d.fs.PathJoin(d.path, fileMeta), m.encode()); err != nil {
		return err
	}
	d.meta = m
	return d.fs.syncDir(d.path)
}
