package migrate

import (
	"holt/znode"
	"holt/znode/store"
)

// progressSource tells how far walks have come, which are two.
type progressSource struct {
	*store.Store
	done, total int64
	tell        func(done, total int64)
}

// Walk implements zkfile.Source.
func (p *progressSource) Walk(visit func(*znode.Node) error) error {
	return p.Store.Walk(func(n *znode.Node) error {
		if p.done++; p.tell != nil && p.done%4096 == 0 {
			p.tell(p.done, p.total)
		}
		return visit(n)
	})
}
