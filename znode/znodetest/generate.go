package znodetest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"holt/wire"
	"holt/znode"
)

// Generator makes random commands that meet each other often: few names, few sessions, low versions.
type Generator struct {
	r *rand.Rand
}

// NewGenerator makes the same commands from the same seed.
func NewGenerator(seed uint64) *Generator {
	return &Generator{r: rand.New(rand.NewPCG(seed, 0))}
}

func pick[T any](g *Generator, of ...T) T { return of[g.r.IntN(len(of))] }

// Entry makes a few commands. One in three creates and deletes nothing, so that there are runs of such.
func (g *Generator) Entry() []Command {
	cmds := make([]Command, 1+g.r.IntN(pick(g, 1, 4, 20)))
	command := g.command
	if g.r.IntN(3) == 0 {
		command = g.update
	}
	for i := range cmds {
		cmds[i] = command()
	}
	return cmds
}

func (g *Generator) update() Command {
	for {
		switch c := g.single(); c.Op {
		case wire.OpSetData, wire.OpSetACL, wire.OpCheck, wire.OpReconfig:
			return c
		}
	}
}

func (g *Generator) command() Command {
	if g.r.IntN(8) > 0 {
		return g.single()
	}
	c := Command{Op: wire.OpMulti, Ops: make([]Command, g.r.IntN(6))}
	for i := range c.Ops {
		for {
			c.Ops[i] = g.single()
			if op := c.Ops[i].Op; op != wire.OpCloseSession && op != wire.OpReconfig && op != wire.OpDeleteContainer {
				break
			}
		}
		if g.r.IntN(8) > 0 && c.Ops[i].Op != wire.OpCreateTTL && c.Ops[i].Version > 0 {
			c.Ops[i].Version = -1 // else hardly any would succeed
		}
	}
	return c
}

func (g *Generator) single() Command {
	c := Command{By: g.caller(), Version: pick(g, int32(-1), -1, -1, 0, 1, 2), Path: g.path()}
	switch k := g.r.IntN(100); {
	case k < 45:
		g.create(&c)
	case k < 65:
		c.Op = wire.OpDelete
	case k < 85:
		c.Op, c.Data = wire.OpSetData, g.data()
		if g.r.IntN(10) == 0 {
			c.Path, c.Data = g.quotaPath(), g.limits()
		}
	case k < 90:
		c.Op, c.ACL = wire.OpSetACL, g.acl()
	case k < 93:
		c.Op = wire.OpCheck
	case k < 96:
		c.Op, c.TTL = wire.OpDeleteContainer, pick(g, int64(0), 20, 1000)
	case k < 97:
		c.Op, c.Data = wire.OpReconfig, g.data()
	default:
		c.Op = wire.OpCloseSession
	}
	return c
}

func (g *Generator) create(c *Command) {
	c.Op, c.Data, c.ACL = wire.OpCreate, g.data(), g.acl()
	c.Flags = pick(g, int32(0), 0, 0, 1, 2, 3, 4, 7)
	c.TTL = -1
	switch g.r.IntN(12) {
	case 0:
		c.Op, c.Flags = wire.OpCreateContainer, pick(g, int32(4), 4, 0, 2)
	case 1, 2:
		c.Op, c.Flags = wire.OpCreateTTL, pick(g, int32(5), 5, 6, 0)
		c.TTL = pick(g, int64(1), 50, 1<<40, 0, -1)
	case 3:
		c.Op = wire.OpCreate2
	case 4:
		c.Path, c.Data, c.Flags = g.quotaPath(), g.limits(), 0
	}
}

func (g *Generator) caller() znode.Caller {
	by := znode.Caller{
		Session: wire.SessionID(1 + g.r.IntN(4)), ExtendedTypes: g.r.IntN(10) > 0,
		EnforceQuota: g.r.IntN(2) == 0, SkipACL: g.r.IntN(20) == 0,
	}
	for range g.r.IntN(3) {
		by.Identities = append(by.Identities, g.identity())
	}
	return by
}

func (g *Generator) identity() wire.Identity {
	return pick(g, wire.Identity{Scheme: "digest", ID: "a:x"}, wire.Identity{Scheme: "digest", ID: "b:y"},
		wire.Identity{Scheme: "super", ID: ""})
}

func (g *Generator) acl() []wire.ACL {
	if g.r.IntN(4) > 0 {
		return wire.OpenACL()
	}
	acl := make([]wire.ACL, g.r.IntN(4))
	for i := range acl {
		acl[i].Perms = pick(g, wire.PermAll, wire.PermRead, wire.PermRead|wire.PermWrite, wire.PermAll&^wire.PermDelete, 0)
		acl[i].Identity = pick(g, g.identity(), wire.Identity{Scheme: "world", ID: "anyone"},
			wire.Identity{Scheme: "auth", ID: ""}, wire.Identity{Scheme: "digest", ID: "no colon"})
	}
	return acl
}

func (g *Generator) data() []byte {
	switch g.r.IntN(10) {
	case 0:
		return nil
	case 1:
		return []byte{}
	case 2:
		return slices.Repeat([]byte{byte('a' + g.r.IntN(26))}, g.r.IntN(5000))
	}
	return fmt.Appendf(nil, "data%d", g.r.IntN(1000))
}

func (g *Generator) path() string {
	if g.r.IntN(40) == 0 {
		return pick(g, "", "a", "//", "/a/", "/a//b", "/a/../b", "/a\x00b", "/\x01", "/\U0001f600", "/a/\xff",
			"/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "/zookeeper/quota/zookeeper_limits")
	}
	if g.r.IntN(40) == 0 {
		return pick(g, "/zookeeper/x", "/zookeeper/quota/x", "/zookeeper/config/x")
	}
	p := ""
	for range 1 + g.r.IntN(4) {
		p += "/" + pick(g, "a", "b", "c", "dé", "a0000000000", "a0000000001", "b0000000000", "b0000000003")
		if g.r.IntN(2) == 0 {
			break
		}
	}
	return p
}

func (g *Generator) quotaPath() string {
	top := pick(g, "/a", "/a", "/b", "/a/b", "", "/zookeeper")
	p := "/zookeeper/quota" + top
	return p + pick(g, "", "", "/zookeeper_limits", "/zookeeper_limits", "/zookeeper_stats", "/zookeeper_stats", "/b")
}

func (g *Generator) limits() []byte {
	return pick(g, []byte("count=3,bytes=20"), []byte("count=-1,bytes=-1=;byteHardLimit=30;countHardLimit=4"),
		[]byte("bytes=5;count=2=;countHardLimit=3"), []byte("count=0,bytes=0"), []byte(""), nil)
}
