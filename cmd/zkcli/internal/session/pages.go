package session

import (
	"context"

	"holt/wire"
)

// A reply with all children of a node may be larger than clients and servers let pass. Holt
// lists them in pages too, which Apache ZooKeeper cannot; it closes a connection that asks.
const (
	// pagesFrom is the number of children from which pages are asked for.
	pagesFrom = 10_000
	pageNames = 10_000
	// probeAfter is the number of lists from which it pays to find out whether servers
	// know pages: until that is known each list is preceded by the node's stat.
	probeAfter = 100
)

// answer is the answer to a question that is asked once.
type answer int

const (
	unknown answer = iota
	yes
	no
)

// AllChildren is Children for a node that may have very many of them: then it asks for pages, if the
// server knows them. What changes between two pages may show or not.
func (s *Session) AllChildren(ctx context.Context, path string, watch bool) ([]string, *wire.Stat, error) {
	s.mu.Lock()
	pages := s.pages
	s.lists++
	probe := s.lists > probeAfter
	s.mu.Unlock()
	if pages == unknown && !probe {
		stat, err := s.Exists(ctx, path, false)
		if err != nil {
			return nil, nil, err
		}
		if stat == nil || stat.NumChildren < pagesFrom {
			return s.Children(ctx, path, watch)
		}
	}
	if !s.knowsPages(ctx) {
		return s.Children(ctx, path, watch)
	}
	return s.childrenByPages(ctx, path, watch)
}

func (s *Session) childrenByPages(ctx context.Context, path string, watch bool) ([]string, *wire.Stat, error) {
	req := wire.GetChildrenPageRequest{Path: s.root.wire(path), MaxReturned: pageNames, Watch: watch}
	var all []string
	for {
		var page wire.GetChildrenPageResponse
		err := s.doThen(ctx, path, wire.OpGetChildrenPage, &req, &page, s.watching(watch, path, func(code wire.ErrCode) paths {
			if code == wire.OK && page.NextPageCzxid < 0 { // the last page leaves the watch
				return s.watches.child
			}
			return nil
		}))
		if err != nil {
			return nil, nil, err
		}
		all = append(all, page.Children...)
		if page.NextPageCzxid < 0 {
			return all, &page.Stat, nil
		}
		req.MinCzxid, req.CzxidOffset = page.NextPageCzxid, page.NextPageCzxidOffset
	}
}

// knowsPages finds out whether the servers know pages, on a link and with a session of its own, which
// one that does not will close.
func (s *Session) knowsPages(ctx context.Context) bool {
	s.probing.Lock() // walks ask for many lists at once, and one of them finds out
	defer s.probing.Unlock()
	s.mu.Lock()
	known := s.pages
	s.mu.Unlock()
	if known != unknown {
		return known == yes
	}
	known = no
	for _, address := range s.cfg.Servers {
		if l, err := s.dialFor(ctx, address); err == nil {
			if s.answersPages(ctx, l) {
				known = yes
			}
			break
		}
	}
	s.mu.Lock()
	s.pages = known
	s.mu.Unlock()
	return known == yes
}

// dialFor makes a link with a session of its own.
func (s *Session) dialFor(ctx context.Context, address string) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	return s.dial(ctx, address, identity{})
}

// answersPages asks for a page and ends the link.
func (s *Session) answersPages(ctx context.Context, l *link) bool {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	defer l.conn.Abort()
	defer l.end(ctx)
	err := l.do(ctx, wire.OpGetChildrenPage, &wire.GetChildrenPageRequest{Path: "/", MaxReturned: 1}, nil, nil)
	return err == nil || Code(err) == wire.ErrNoAuth // that nobody may read the root is an answer too
}
