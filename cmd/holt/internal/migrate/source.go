package migrate

import (
	"holt/znode"
	"holt/znode/store"
)

// exportSource is the tree as it is exported. It tells how far walks have come, which are two.
type exportSource struct {
	*store.Store
	done, total int64
	tell        func(done, total int64)
	plain       bool // containers and nodes with a TTL are ordinary ones
}

// Walk implements zkfile.Source.
func (p *exportSource) Walk(visit func(*znode.Node) error) error {
	return p.Store.Walk(func(n *znode.Node) error {
		if p.done++; p.tell != nil && p.done%4096 == 0 {
			p.tell(p.done, p.total)
		}
		if p.plain && !n.Owner.IsSession() {
			n.Owner = 0
		}
		return visit(n)
	})
}
