package group

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// describe fills in what a group is. One that does not exist is Dead, without an error (versions up
// to 5). Members' metadata is that of a protocol, so it is there in a stable group only.
func (c *core) describe(name string, r *kmsg.DescribeGroupsResponseGroup) {
	g := c.lookup(name)
	if g == nil {
		r.State = Dead.String()
		return
	}
	r.State, r.ProtocolType = g.state.String(), g.protocolType
	if g.state == Stable {
		r.Protocol = g.protocol
	}
	for _, m := range g.members {
		d := kmsg.NewDescribeGroupsResponseGroupMember()
		d.MemberID, d.InstanceID, d.ClientID, d.ClientHost = m.id, m.instance, m.client.ID, m.client.Host
		d.ProtocolMetadata, d.MemberAssignment = []byte{}, []byte{}
		if g.state == Stable {
			d.ProtocolMetadata, d.MemberAssignment = orEmpty(m.metadata(g.protocol)), orEmpty(m.assignment)
		}
		r.Members = append(r.Members, d)
	}
}

// filter is what ListGroups asks for.
type filter struct {
	states  map[string]bool // nil: all
	nothing bool            // a type that there is not
}

// classic is the type of all groups here.
const classic = "classic"

func newFilter(req *kmsg.ListGroupsRequest) filter {
	var f filter
	if len(req.StatesFilter) > 0 {
		f.states = make(map[string]bool)
		for _, s := range req.StatesFilter {
			f.states[strings.ToLower(s)] = true
		}
	}
	f.nothing = len(req.TypesFilter) > 0
	for _, t := range req.TypesFilter {
		if strings.EqualFold(t, classic) {
			f.nothing = false
		}
	}
	return f
}

// list adds the groups that the filter lets through.
func (c *core) list(f filter, resp *kmsg.ListGroupsResponse) {
	if f.nothing {
		return
	}
	for _, g := range c.groups {
		if f.states != nil && !f.states[strings.ToLower(g.state.String())] {
			continue
		}
		r := kmsg.NewListGroupsResponseGroup()
		r.Group, r.ProtocolType, r.GroupState, r.GroupType = g.name, g.protocolType, g.state.String(), classic
		resp.Groups = append(resp.Groups, r)
	}
}

func (c *core) count(n *Counts) {
	for _, g := range c.groups {
		n.Groups[g.state]++
		n.Members += len(g.members)
		n.Offsets += len(g.offsets)
	}
}
