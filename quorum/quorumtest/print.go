package quorumtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"go.etcd.io/raft/v3/raftpb"

	"holt/quorum"
)

func (s *script) printf(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func (s *script) printWrite(n *scriptNode, a *quorum.Append) {
	var parts []string
	if a.Install != nil {
		parts = append(parts, fmt.Sprintf("snapshot at %d", a.Install.Index))
	}
	if k := len(a.Entries); k > 0 {
		parts = append(parts, fmt.Sprintf("entries %d to %d", a.Entries[0].GetIndex(), a.Entries[k-1].GetIndex()))
	}
	if h := a.Hard; h != nil && (h.Term != n.term || h.Vote != n.vote) {
		n.term, n.vote = h.Term, h.Vote
		parts = append(parts, fmt.Sprintf("term %d vote %d", h.Term, h.Vote))
	}
	if len(a.Confs) > 0 && a.Install == nil {
		parts = append(parts, "configuration")
	}
	if a.Truncate > 0 {
		parts = append(parts, fmt.Sprintf("truncation to %d", a.Truncate))
	}
	if len(parts) > 0 {
		s.printf("%d: writes %s", n.id, strings.Join(parts, ", "))
	}
}

func (s *script) status(n *scriptNode) {
	if !n.up {
		s.printf("%d: down", n.id)
		return
	}
	st := n.core.Status()
	s.printf("%d: %s of %d, term %d, log %d to %d, commit %d, applied %d", n.id, st.Role, st.Leader, st.Term, st.First, st.Last, st.Commit, n.sm.Applied())
	for _, p := range st.Peers {
		s.printf("   %d: %s up to %d", p.ID, p.State, p.Match)
	}
}

func (s *script) log(t *testing.T, d *datadriven.TestData, n *scriptNode) {
	first, _ := n.log.FirstIndex()
	last, _ := n.log.LastIndex()
	if first > last {
		s.printf("empty after %d", last)
		return
	}
	ents, err := n.log.Entries(first, last+1, 1<<62)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	for _, e := range ents {
		text := fmt.Sprintf("%d/%d", e.GetTerm(), e.GetIndex())
		switch {
		case e.GetType() != raftpb.EntryNormal:
			text += " change of membership"
		case len(e.GetData()) > 0:
			text += fmt.Sprintf(" %q", e.GetData())
		}
		s.printf("%s", text)
	}
}

func describeMembers(members []quorum.MemberConfig) string {
	var words []string
	for _, m := range members {
		word := fmt.Sprint(m.ID)
		if m.Learner {
			word += " (learner)"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func describeMessage(m *raftpb.Message) string {
	text := fmt.Sprintf("%d->%d %s term %d", m.GetFrom(), m.GetTo(), m.GetType(), m.GetTerm())
	switch m.GetType() {
	case raftpb.MsgApp:
		text += fmt.Sprintf(" after %d/%d, %d entries, commit %d", m.GetLogTerm(), m.GetIndex(), len(m.GetEntries()), m.GetCommit())
	case raftpb.MsgAppResp, raftpb.MsgVote, raftpb.MsgPreVote:
		text += fmt.Sprintf(" index %d", m.GetIndex())
	case raftpb.MsgHeartbeat:
		text += fmt.Sprintf(" commit %d", m.GetCommit())
	}
	if m.GetReject() {
		text += " reject"
	}
	return text
}
