package group

import (
	"slices"
	"strings"
	"time"
)

// State is the state of a group.
type State uint8

// The states of a group; see the package.
const (
	Empty State = iota
	PreparingRebalance
	CompletingRebalance
	Stable
	Dead
)

var stateNames = [...]string{
	Empty: "Empty", PreparingRebalance: "PreparingRebalance", CompletingRebalance: "CompletingRebalance",
	Stable: "Stable", Dead: "Dead",
}

// String returns the state's name in the protocol.
func (s State) String() string { return stateNames[s] }

// group is one group.
type group struct {
	name         string
	state        State
	stateSince   int64  // wall clock, milliseconds; -1: unknown
	protocolType string // "": a simple group, or none yet
	protocol     string // of the generation; "": none
	generation   int32
	leader       *member
	members      []*member // in the order of joining
	byID         map[string]*member
	static       map[string]*member // by instance id
	pending      map[string]*timer  // pending members by id
	joined       int                // members whose JoinGroup waits
	supporters   map[string]int     // how many members support a protocol
	unsynced     int                // members whose SyncGroup the generation waits for
	bytes        int                // what members brought
	// subscribed are the topics the members read; nil when unknown.
	subscribed map[string]struct{}
	storing    bool // the assignment of this generation is being appended

	rebalanceTimer timer
	initial        bool          // the timer is an initial delay, which newcomers put off
	delayLeft      time.Duration // how much longer it may be put off in all
	delay          time.Duration // the one under way
	newcomers      bool          // somebody came since it was set
	syncTimer      timer

	offsets map[topicPartition]*offset
	txns    map[int64]*txnCommits // pending offsets by producer
}

func newGroup(name string, now int64) *group {
	g := &group{name: strings.Clone(name), stateSince: now}
	g.rebalanceTimer = timer{index: -1, group: g}
	g.syncTimer = timer{index: -1, group: g}
	return g
}

func (g *group) setState(s State, now int64) { g.state, g.stateSince = s, now }

// add makes m a member. The first one determines the protocol type, and leads.
func (g *group) add(m *member, protocolType string) {
	if g.byID == nil {
		g.byID = make(map[string]*member)
		g.supporters = make(map[string]int)
	}
	if len(g.members) == 0 {
		g.protocolType = protocolType
	}
	if g.leader == nil {
		g.leader = m
	}
	g.members = append(g.members, m)
	g.byID[m.id] = m
	g.bytes += m.bytes
	if m.instance != nil {
		if g.static == nil {
			g.static = make(map[string]*member)
		}
		g.static[*m.instance] = m
	}
	g.support(m.protocols, 1)
	if m.joining() {
		g.joined++
	}
}

// remove makes m no member. Its requests have been answered.
func (g *group) remove(m *member) {
	if g.byID[m.id] != m {
		return
	}
	delete(g.byID, m.id)
	g.members = slices.DeleteFunc(g.members, func(o *member) bool { return o == m })
	g.bytes -= m.bytes
	if m.instance != nil {
		delete(g.static, *m.instance)
	}
	g.support(m.protocols, -1)
	if m.joining() {
		g.joined--
	}
	g.synced(m)
	if g.leader == m {
		g.leader = nil
		if len(g.members) > 0 {
			g.leader = g.members[0]
		}
	}
}

func (g *group) support(protocols []protocol, n int) {
	for i := range protocols {
		name := protocols[i].name
		if g.supporters[name] += n; g.supporters[name] == 0 {
			delete(g.supporters, name)
		}
	}
}

// replace gives a static member a new id.
func (g *group) replace(m *member, id string) {
	delete(g.byID, m.id)
	g.bytes += len(id) - len(m.id)
	m.bytes += len(id) - len(m.id)
	m.id = id
	g.byID[id] = m
}

// synced notes that the generation does not wait for m's SyncGroup.
func (g *group) synced(m *member) {
	if m.awaitsSync {
		m.awaitsSync = false
		g.unsynced--
	}
}

func (g *group) forgetSyncs() {
	for _, m := range g.members {
		m.awaitsSync = false
	}
	g.unsynced = 0
}

// allJoined reports whether nobody is missing to begin a generation.
func (g *group) allJoined() bool { return g.joined == len(g.members) && len(g.pending) == 0 }

// supports reports whether somebody with such protocols can be in the group.
func (g *group) supports(protocolType string, protocols []protocol) bool {
	if g.state == Empty {
		return protocolType != "" && len(protocols) > 0
	}
	return g.protocolType == protocolType && slices.ContainsFunc(protocols, func(p protocol) bool { return g.allSupport(p.name) })
}

func (g *group) allSupport(protocol string) bool { return g.supporters[protocol] == len(g.members) }

// vote returns the protocol that most members prefer among those that all support; of equals, the
// one that was named first.
func (g *group) vote() string {
	var best string
	votes := make(map[string]int)
	for _, m := range g.members {
		votes[m.vote(g.allSupport)]++
	}
	for _, m := range g.members {
		if v := m.vote(g.allSupport); votes[v] > votes[best] {
			best = v
		}
	}
	return best
}

// rebalanceTimeout is the longest that a member may take to join again.
func (g *group) rebalanceTimeout() time.Duration {
	var d time.Duration
	for _, m := range g.members {
		d = max(d, millis(m.rebalanceMillis))
	}
	return d
}

// nextGeneration begins a generation with the members that there are.
func (g *group) nextGeneration(now int64) {
	g.generation++
	g.forgetSyncs()
	g.storing = false
	if len(g.members) == 0 {
		g.protocol = ""
		g.setState(Empty, now)
	} else {
		g.protocol = g.vote()
		g.setState(CompletingRebalance, now)
	}
	g.subscribed = g.subscriptions()
}

// isSubscribed reports whether members read a topic, or may.
func (g *group) isSubscribed(topic string) bool {
	if g.subscribed == nil {
		return true
	}
	_, ok := g.subscribed[topic]
	return ok
}
