package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"holt/znode"
	"holt/znode/zkfile"
)

// ErrDamaged says that the tree of a member is not what it says of itself.
var ErrDamaged = errors.New("damaged")

// bufferMax is ZooKeeper's default of jute.maxbuffer.
const bufferMax = 0xfffff

// Report says what an import or export took along. Its JSON is for programs.
type Report struct {
	Source string `json:"source"`
	Target string `json:"target"`
	DryRun bool   `json:"dryRun,omitempty"`
	Member uint64 `json:"member,omitempty"` // 0: none was given

	Snapshot string   `json:"snapshot,omitempty"`
	Refused  []string `json:"refusedSnapshots,omitempty"`
	Logs     []string `json:"logs,omitempty"`
	Salvaged string   `json:"salvagedUpTo,omitempty"`
	// WithoutLogs is an import that found no transaction logs, as those of a server with a dataLogDir that
	// nobody named: the tree is that of the snapshot, however old.
	WithoutLogs bool `json:"withoutLogs,omitempty"`

	// Gaps say which transactions are in no file.
	Gaps []string `json:"missingTransactions,omitempty"`

	Zxid      hex64  `json:"zxid"`
	NextEpoch uint32 `json:"nextEpoch,omitempty"`
	Txns      int64  `json:"transactions"`
	Failed    int64  `json:"transactionsRefused,omitempty"`

	Nodes       int64  `json:"nodes"`
	DataBytes   int64  `json:"dataBytes"`
	Ephemerals  int64  `json:"ephemerals"`
	Containers  int64  `json:"containers"`
	TTLNodes    int64  `json:"ttlNodes"`
	Lists       int    `json:"aclLists"`
	Quotas      int64  `json:"quotas"`
	MissingACLs int64  `json:"nodesWithoutACL,omitempty"`
	Oversize    int64  `json:"nodesAboveMaxBuffer,omitempty"`
	Largest     int    `json:"largestDataBytes"`
	LargestPath string `json:"largestPath,omitempty"`

	Sessions int `json:"sessions"`
	// Orphaned are sessions whose ephemerals went, as they are not known any more.
	Orphaned int `json:"orphanedSessions,omitempty"`
	// Foreign are sessions whose passwords ZooKeeper would not take.
	Foreign int `json:"sessionsZooKeeperRefuses,omitempty"`
	// Unknown entries of the log may or may not be committed and were left out.
	Unknown uint64 `json:"entriesLeftOut,omitempty"`

	Digest  hex64  `json:"digest"`
	Checked string `json:"digestChecked,omitempty"`

	Servers []string `json:"servers,omitempty"`
	Seconds float64  `json:"seconds"`
}

// NoLogs is what is said of an import WithoutLogs.
const NoLogs = "no transaction logs were found: if ZooKeeper had a dataLogDir, name it by --log-dir; else what was written after the snapshot is missing"

// hex64 is a number that people compare with what ZooKeeper prints.
type hex64 uint64

func (h hex64) String() string               { return fmt.Sprintf("0x%x", uint64(h)) }
func (h hex64) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// count adds up a tree, and compares its digest with what the tree says of itself.
func (r *Report) count(tree zkfile.Source, counts znode.Counts) error {
	lists := make(map[*znode.ACL]bool)
	var digest uint64
	err := tree.Walk(func(n *znode.Node) error {
		r.Nodes++
		digest += n.Digest()
		r.DataBytes += int64(len(n.Data))
		if _, ttl := n.Owner.TTL(); ttl {
			r.TTLNodes++
		} else if n.Owner.IsContainer() {
			r.Containers++
		} else if n.Owner.IsSession() {
			r.Ephemerals++
		}
		if len(lists) < 1<<16 {
			lists[n.ACL] = true
		}
		if strings.HasPrefix(n.Path, znode.QuotaRoot+"/") && znode.Base(n.Path) == "zookeeper_limits" {
			r.Quotas++
		}
		if n.Path == znode.ConfigPath && len(n.Data) > 0 {
			r.Servers = strings.Split(string(n.Data), "\n")
		}
		if len(n.Data) > bufferMax {
			r.Oversize++
		}
		if len(n.Data) > r.Largest {
			r.Largest, r.LargestPath = len(n.Data), n.Path
		}
		return nil
	})
	r.Lists = len(lists)
	r.Digest = hex64(counts.Digest)
	if err == nil && r.Nodes != counts.Nodes-1 {
		err = fmt.Errorf("the data is %w: the tree has %d nodes and says %d", ErrDamaged, r.Nodes, counts.Nodes-1)
	}
	if err == nil && digest != counts.Digest {
		err = fmt.Errorf("the data is %w: the nodes have digest 0x%x and the tree says 0x%x", ErrDamaged, digest, counts.Digest)
	}
	return err
}

// fill takes over what an import found.
func (r *Report) fill(l *zkfile.Loaded, tree *znode.Tree, nodes zkfile.Source) error {
	r.Snapshot = l.Snapshot.Path
	for _, err := range l.Refused {
		r.Refused = append(r.Refused, err.Error())
	}
	for _, f := range l.Logs {
		r.Logs = append(r.Logs, f.Path)
	}
	r.WithoutLogs = len(l.Logs) == 0
	if l.Salvaged != nil {
		r.Salvaged = l.Salvaged.Error()
	}
	for _, g := range l.Gaps {
		r.Gaps = append(r.Gaps, fmt.Sprintf("no log has what came between transactions %s and %s", g.After, g.Before))
	}
	r.Zxid = hex64(l.Zxid)
	r.Txns, r.Failed = l.Txns, l.Failed
	r.Sessions, r.Orphaned, r.MissingACLs = len(l.Sessions), len(l.Orphaned), l.MissingACLs
	switch {
	case l.DigestDiffers > l.DigestZxid:
		r.Checked = fmt.Sprintf("differs from ZooKeeper's from transaction %s to %s", l.DigestDiffered, l.DigestDiffers)
	case l.DigestZxid != 0:
		r.Checked = fmt.Sprintf("the same as ZooKeeper's after transaction %s", l.DigestZxid)
	}
	return r.count(nodes, tree.Counts())
}

// Differs reports whether the tree was found to be another than ZooKeeper noted.
func (r *Report) Differs() bool { return strings.HasPrefix(r.Checked, "differs") }

// JSON writes the report for programs.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("from", "%s", r.Source)
	if r.DryRun {
		line("to", "nowhere: a dry run")
	} else {
		line("to", "%s", r.Target)
	}
	if r.Snapshot != "" {
		line("snapshot", "%s", r.Snapshot)
	}
	for _, s := range r.Refused {
		line("refused", "%s", s)
	}
	for _, s := range r.Logs {
		line("log", "%s", s)
	}
	if r.WithoutLogs {
		line("log", "%s", NoLogs)
	}
	if r.Salvaged != "" {
		line("salvaged", "what comes before: %s", r.Salvaged)
	}
	for _, s := range r.Gaps {
		line("missing", "%s", s)
	}
	line("zxid", "%s", r.Zxid)
	if r.NextEpoch != 0 {
		line("next epoch", "%d", r.NextEpoch)
	}
	if r.Txns > 0 {
		line("replayed", "%d transactions, of which %d had been refused", r.Txns, r.Failed)
	}
	line("nodes", "%d with %d bytes: %d ephemeral, %d containers, %d with a TTL; %d lists, %d quotas", r.Nodes, r.DataBytes,
		r.Ephemerals, r.Containers, r.TTLNodes, r.Lists, r.Quotas)
	line("largest", "%d bytes at %q", r.Largest, r.LargestPath)
	if r.Oversize > 0 {
		line("oversize", "%d nodes above %d bytes: raise jute.maxbuffer on servers and clients", r.Oversize, bufferMax)
	}
	if r.MissingACLs > 0 {
		line("no ACL", "%d nodes of the snapshot are without their list; those that no transaction gave one are closed to all but a super user", r.MissingACLs)
	}
	line("sessions", "%d", r.Sessions)
	if r.Orphaned > 0 {
		line("orphaned", "%d sessions are not known any more; their ephemeral nodes were deleted", r.Orphaned)
	}
	if r.Foreign > 0 {
		line("new sessions", "%d have passwords that ZooKeeper would not take: their clients get new sessions (see sessionPasswords)", r.Foreign)
	}
	if r.Unknown > 0 {
		line("left out", "%d entries of the log, not known to be committed: export from a running member to have them", r.Unknown)
	}
	line("digest", "%s", r.Digest)
	if r.Checked != "" {
		line("checked", "%s", r.Checked)
	}
	for _, s := range r.Servers {
		line("server", "%s", s)
	}
	if r.Member != 0 {
		line("myid", "%d", r.Member)
	}
	line("took", "%.1f s", r.Seconds)
	_, err := io.WriteString(w, b.String())
	return err
}
