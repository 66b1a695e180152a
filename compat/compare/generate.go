package compare

import (
	"fmt"
	"math/rand/v2"

	"holt/wire"
)

// Generator makes random scripts. Each works below a node of its own and removes
// everything at its end, so that scripts may follow each other on the same servers.
//
// What a script may hold: every op code, valid and not; several clients with
// identities of their own; reconnects with setWatches, sessions closed and taken
// over; bodies cut short or changed in one byte. What it leaves out is in
// poisonous, in accepted.go, and whatever takes time.
type Generator struct {
	// Steps is the length of a script, without its beginning and end.
	Steps int
	// Quotas makes hard limits frequent and every write a turn of its own: the original judges
	// a quota by what is committed, so what it answers to writes under way together is up to
	// their timing.
	Quotas bool

	// Ensemble leaves out what an ensemble answers otherwise than a single server:
	// /zookeeper/config, and connecting with a zxid that the member may not have seen yet.
	Ensemble bool
	// TLS has clients come by TLS mostly, with and without certificates, and ACLs name these.
	TLS bool

	*language
	rng     *rand.Rand
	root    string
	clients []*actor
	used    []string // paths that were created, probably
}

// actor is what the generator believes of a client.
type actor struct {
	name    string
	open    bool
	session bool
	shared  bool // another client may have the session too
}

// Random returns script number n of a seed. The same seed and number give the same script.
func (g *Generator) Random(seed, n uint64) Script {
	if g.language == nil {
		g.language = newLanguage()
	}
	g.rng = rand.New(rand.NewPCG(seed, n))
	g.root = fmt.Sprintf("/r%d", n)
	g.clients = []*actor{{name: "a"}, {name: "b"}, {name: "c"}}
	g.used = g.used[:0]
	s := g.mustParse(g.prologue())
	for len(s) < g.Steps {
		s = g.appendStep(s)
	}
	return append(s, g.mustParse(g.epilogue())...)
}

// prologue and epilogue stay when a script is shrunk. The super client sees what ACLs hide and
// removes what is left.
func (g *Generator) prologue() string {
	return "super connect\nsuper auth digest super:secret\nsuper create " + g.root + ` ""`
}

func (g *Generator) epilogue() string {
	q := "/zookeeper/quota" + g.root
	return fmt.Sprintf("super tree %s\nsuper tree %s\nsuper remove %s\nsuper remove %s\nsuper getChildren2 /\nsuper getChildren2 /zookeeper/quota\nsuper getAllChildrenNumber /",
		g.root, q, g.root, q)
}

// cleaning removes what a script left that was cut short.
func (g *Generator) cleaning() Script {
	return g.mustParse(fmt.Sprintf("super connect\nsuper auth digest super:secret\nsuper remove %s\nsuper remove /zookeeper/quota%s", g.root, g.root))
}

func (g *Generator) mustParse(text string) Script {
	s, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return s
}

// chance is true in p of 100 cases.
func (g *Generator) chance(p int) bool { return g.rng.IntN(100) < p }

// pick returns one of the choices.
func pick[T any](g *Generator, choices ...T) T { return choices[g.rng.IntN(len(choices))] }

// weighted is a choice with its weight.
type weighted struct {
	weight int
	make   func() Step
}

func (g *Generator) choose(choices []weighted) Step {
	sum := 0
	for _, c := range choices {
		sum += c.weight
	}
	n := g.rng.IntN(sum)
	for _, c := range choices {
		if n -= c.weight; n < 0 {
			return c.make()
		}
	}
	panic("compare: weights")
}

// appendStep appends a run of steps of one client.
func (g *Generator) appendStep(s Script) Script {
	a := pick(g, g.clients...)
	if !a.open {
		return append(s, g.connect(a)...)
	}
	if g.chance(2) {
		return append(s, g.leave(a)...)
	}
	for range 1 + g.rng.IntN(24) {
		step := g.request()
		step.Client = a.name
		g.tame(&step)
		if poisonous(&step) {
			continue
		}
		g.note(&step)
		if g.chance(1) {
			g.spoil(&step)
		}
		step.Break = g.Quotas && step.Code.IsWrite()
		s = append(s, step)
		if step.fragile() && g.closes(&step) {
			a.open, a.session = false, a.session && step.Code != wire.OpCloseSession
			break
		}
	}
	return s
}

// closes reports whether the step will probably end the connection.
func (g *Generator) closes(s *Step) bool {
	switch s.Code {
	case wire.OpCloseSession, wire.OpCheck:
		return true
	case wire.OpAuth:
		return s.Op == nil || s.Args[1].s != "digest"
	}
	return s.Op == nil && !s.Code.Known()
}

// connect opens a connection for a, with its old session or a new one.
func (g *Generator) connect(a *actor) Script {
	s := Step{Client: a.name, Action: ActConnect, Cut: -1, Connect: connectArgs{timeout: 30000, cut: -1}}
	c := &s.Connect
	if g.TLS {
		s.Via = pick(g, via{}, via{tls: true}, via{tls: true, cert: "alice"}, via{tls: true, cert: "alice"}, via{tls: true, cert: "bob"})
	}
	again := a.session && g.chance(80)
	if again {
		c.session = a.name
	}
	c.old, c.readOnly = g.chance(5), g.chance(5)
	if g.chance(10) {
		c.timeout = pick(g, int32(1), 4000, 20000, 1<<30)
		if c.timeout < 20000 {
			c.timeout = 30000 // a session that could expire while the script runs
		}
	}
	a.open, a.session, a.shared = true, true, a.shared && again
	switch g.rng.IntN(40) {
	case 0:
		if again && a.shared {
			break // accepted difference password-first
		}
		c.passwd = pick(g, "wrong", "null", "short")
		a.open, a.session = !again, again // a new session needs none
	case 1:
		c.zxid = zxidAhead
		a.open, a.session = false, again
	case 2:
		if !g.Ensemble {
			c.zxid = zxidLast
		}
	case 3:
		c.session, c.id = "", 0x123456789
		a.open, a.session = false, false
	}
	out := Script{s}
	if again && a.open && g.chance(60) {
		set := g.setWatches()
		set.Client = a.name
		out = append(out, set)
	}
	if a.open && !again && g.chance(50) {
		out = append(out, g.mustParse(fmt.Sprintf("%s auth digest %s", a.name, pick(g, "u1:p1", "u2:p2")))...)
	}
	return out
}

// leave ends a's connection in one of the ways there are.
func (g *Generator) leave(a *actor) Script {
	a.open = false
	switch g.rng.IntN(4) {
	case 0, 1:
		return g.mustParse(a.name + " drop")
	case 2:
		a.session = false
		return g.mustParse(a.name + " closeSession")
	}
	// Another client takes the session over; the server closes this connection.
	other := pick(g, g.clients...)
	if other == a {
		return g.mustParse(a.name + " drop")
	}
	other.open, other.session = true, true
	a.shared, other.shared = true, true
	return g.mustParse(fmt.Sprintf("%s connect session=%s", other.name, a.name))
}

// spoil damages the body of a request.
func (g *Generator) spoil(s *Step) {
	body := s.appendBody(nil, func(z int64) int64 { return z })
	n := len(body)
	if n == 0 || s.Code == wire.OpAuth || s.Code == wire.OpSASL {
		return
	}
	whole := *s
	if g.chance(50) {
		s.Cut = g.rng.IntN(n)
	} else {
		f := flip{g.rng.IntN(n), byte(pick(g, 0, 1, 0x7f, g.rng.IntN(128)))}
		if g.chance(20) {
			f = flip{0, byte(pick(g, 0x80, 0xff))}
		}
		if f.at > 0 && body[f.at] > 0x7f {
			return // accepted difference utf-8: text must stay text
		}
		if (s.Code == wire.OpSetWatches || s.Code == wire.OpSetWatches2) && 3 <= f.at && f.at < 8 {
			return // epoch and counter of a zxid, which are not the same at two servers
		}
		if len(s.Args) > 0 && s.Args[0].null && f.at >= 4 {
			return // accepted difference null-path: nothing else may be wrong
		}
		s.Flip = []flip{f}
	}
	if spoiledPoison(s) {
		*s = whole
	}
}
