package znode

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"holt/wire"
)

// Quotas are nodes: the quota of /a has its limits in /zookeeper/quota/a/zookeeper_limits and
// what is used in .../zookeeper_stats, both as text. Creating the first puts the quota
// in force, creating the second counts the subtree anew. The quota with the longest path that
// covers a node is the one that counts. Members rewrite the statistics without touching
// any number of their node's stat, and no watch fires.
//
// There is no table of quotas: the nodes are looked up from the root down, which
// ends at the first level without one; with no quota anywhere it costs one comparison.

const (
	limitsName = "zookeeper_limits"
	statsName  = "zookeeper_stats"

	// rootLimits would be a quota for "/"; ZooKeeper's server stops on it.
	rootLimits = QuotaRoot + "/" + limitsName
)

func isQuotaChild(path string) bool {
	return strings.HasPrefix(path, QuotaRoot+"/") && strings.IndexByte(path[len(QuotaRoot)+1:], '/') < 0
}

// quotaOver returns the path of the quota that covers path, "" if none does.
func (t *Tree) quotaOver(path string) string {
	if t.state.QuotaChildren == 0 {
		return ""
	}
	var found string
	for end := 0; end < len(path); {
		next := strings.IndexByte(path[end+1:], '/')
		if next < 0 {
			end = len(path)
		} else {
			end += 1 + next
		}
		// Nothing deeper can have a quota without a node for this level.
		n, _ := t.find(QuotaRoot + path[:end])
		if n == nil {
			break
		}
		if n.NumChildren > 0 {
			if limits, _ := t.find(QuotaRoot + path[:end] + "/" + limitsName); limits != nil {
				found = path[:end]
			}
		}
	}
	return found
}

// checkQuota judges a change of bytes and nodes at path (ZooKeeper: ZooKeeperServer.checkQuota).
// Exceeding a soft limit is allowed.
func (t *Tree) checkQuota(by *Caller, path string, bytes, count int64) wire.ErrCode {
	if !by.EnforceQuota || t.state.QuotaChildren == 0 {
		return wire.OK
	}
	over := t.quotaOver(path)
	if over == "" {
		return t.outcome()
	}
	limits, _ := t.find(QuotaRoot + over + "/" + limitsName)
	stats, _ := t.find(QuotaRoot + over + "/" + statsName)
	if limits == nil || stats == nil {
		return t.outcome()
	}
	limit, ok1 := parseTrack(limits.Data)
	used, ok2 := parseTrack(stats.Data)
	if !ok1 || !ok2 {
		return wire.ErrMarshallingError // the exception ZooKeeper's parser throws
	}
	switch {
	case count != 0 && limit.countHard > -1 && used.count+count > limit.countHard,
		bytes != 0 && limit.bytesHard > -1 && used.bytes+bytes > limit.bytesHard:
		return wire.ErrQuotaExceeded
	}
	return wire.OK
}

// chargeQuota adds to the statistics of the quota that covers path.
func (t *Tree) chargeQuota(path string, bytes, count int64) {
	over := t.quotaOver(path)
	if over == "" {
		return
	}
	n, c := t.find(QuotaRoot + over + "/" + statsName)
	if n == nil {
		return
	}
	used, ok := parseTrack(n.Data)
	if !ok {
		used = newTrack()
	}
	used.count += count
	used.bytes += bytes
	t.rewriteStats(n, c, used)
}

// createdQuota counts the subtree if n is a statistics node.
func (t *Tree) createdQuota(n *Node) {
	over, ok := strings.CutPrefix(n.Path, QuotaRoot)
	if ok {
		over, ok = strings.CutSuffix(over, "/"+statsName)
	}
	if !ok {
		return
	}
	used := newTrack()
	used.count, used.bytes = t.measure(over)
	n, c := t.find(n.Path)
	t.rewriteStats(n, c, used)
}

func (t *Tree) rewriteStats(n *Node, c *change, used track) {
	n = t.own(n, c).node
	before := len(n.Data)
	n.SetContents(n.Path, used.appendTo(nil))
	t.state.DataBytes += int64(len(n.Data) - before)
}

// measure counts nodes and bytes of data from top ("" is the root) down, as of now.
func (t *Tree) measure(top string) (count, bytes int64) {
	n, _ := t.find(top)
	if n == nil {
		return 0, 0
	}
	root := top
	if root == "" {
		root = Root
	}
	err := t.store.Subtree(root, func(_ []byte, dataBytes int) {
		count++
		bytes += int64(dataBytes)
	})
	if err != nil && t.err == nil {
		t.err = fmt.Errorf("measure %q: %w", root, err)
	}
	for _, c := range t.changes {
		if !strings.HasPrefix(c.path, top+"/") || c.path == Root {
			continue
		}
		if c.base != nil {
			count--
			bytes -= int64(len(c.base.Data))
		}
		if c.node != nil {
			count++
			bytes += int64(len(c.node.Data))
		}
	}
	return count + 1, bytes + int64(len(n.Data))
}

// track is the text of a limits or statistics node (ZooKeeper: StatsTrack);
// −1 is unset.
type track struct {
	count, bytes, countHard, bytesHard int64
	others                             []trackField // unknown and hard-limit fields, by name
}

type trackField struct {
	name  string
	value int64
}

func newTrack() track { return track{count: -1, bytes: -1, countHard: -1, bytesHard: -1} }

// parseTrack reads "count=5,bytes=-1=;byteHardLimit=-1"; fields in any order, separated by commas or semicolons.
func parseTrack(data []byte) (track, bool) {
	t := newTrack()
	text := strings.TrimRight(string(data), ",;")
	if text == "" {
		return t, true
	}
	if text[0] == ',' || text[0] == ';' {
		return t, false
	}
	for _, pair := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		value, _, _ = strings.Cut(value, "=")
		v := int64(-1)
		if value != "" {
			var err error
			if v, err = strconv.ParseInt(value, 10, 64); err != nil {
				return t, false
			}
		} else if strings.TrimRight(pair, "=") == name {
			return t, false // no value at all
		}
		t.set(name, v)
	}
	return t, true
}

func (t *track) set(name string, v int64) {
	switch name {
	case "count":
		t.count = v
		return
	case "bytes":
		t.bytes = v
		return
	case "countHardLimit":
		t.countHard = v
	case "byteHardLimit":
		t.bytesHard = v
	}
	i, found := slices.BinarySearchFunc(t.others, name, func(f trackField, name string) int {
		return strings.Compare(f.name, name)
	})
	if !found {
		t.others = slices.Insert(t.others, i, trackField{name: name})
	}
	t.others[i].value = v
}

// appendTo writes the text. The "=" before further fields keeps parsers
// of ZooKeeper 3.4 from seeing them.
func (t *track) appendTo(b []byte) []byte {
	b = append(b, "count="...)
	b = strconv.AppendInt(b, t.count, 10)
	b = append(b, ",bytes="...)
	b = strconv.AppendInt(b, t.bytes, 10)
	if len(t.others) > 0 {
		b = append(b, '=')
	}
	for _, f := range t.others {
		b = append(b, ';')
		b = append(b, f.name...)
		b = append(b, '=')
		b = strconv.AppendInt(b, f.value, 10)
	}
	return b
}
