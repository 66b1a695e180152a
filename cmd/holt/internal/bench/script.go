package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"holt/wire"
)

// digits is the width of the number that ends the path of every node a load touches.
const digits = 8

// script produces the requests of one lane. It belongs to one goroutine.
type script interface {
	// next appends the record of one request to b. kind tells loads of a mix apart, from 0. ok
	// is false when the script has come to its end.
	next(b []byte) (record []byte, op wire.OpCode, kind int, ok bool)
}

// template is an encoded record in which only the numbers at the end of paths change: requests
// are made by copying it, which costs less than encoding and allocates nothing.
type template struct {
	op     wire.OpCode
	record []byte
	at     []int // offsets of numbers
}

// newTemplate encodes a request whose paths end in placeholder.
func newTemplate(op wire.OpCode, record wire.Record) template {
	t := template{op: op, record: record.AppendTo(nil)}
	for from := 0; ; {
		i := strings.Index(string(t.record[from:]), placeholder)
		if i < 0 {
			return t
		}
		t.at = append(t.at, from+i)
		from += i + digits
	}
}

// placeholder stands for a number of a path. No data contain it: they are made of one byte.
var placeholder = strings.Repeat("#", digits)

// appendTo appends the record with its numbers taken from number, called once for each.
func (t *template) appendTo(b []byte, number func() int) []byte {
	start := len(b)
	b = append(b, t.record...)
	for _, at := range t.at {
		putDigits(b[start+at:start+at+digits], number())
	}
	return b
}

func putDigits(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// scattered is a script of equal requests to nodes chosen at random.
type scattered struct {
	template
	nodes int
	rng   *rand.Rand
}

func (s *scattered) next(b []byte) ([]byte, wire.OpCode, int, bool) {
	return s.appendTo(b, func() int { return s.rng.IntN(s.nodes) }), s.op, 0, true
}

// counted is a script of requests to one node after the other, up to a number of them.
type counted struct {
	template
	done, limit int
}

func (s *counted) next(b []byte) ([]byte, wire.OpCode, int, bool) {
	if s.done == s.limit {
		return b, s.op, 0, false
	}
	b = s.appendTo(b, func() int { return s.done })
	s.done++
	return b, s.op, 0, true
}

// listed deletes the children of a node.
type listed struct {
	parent string
	names  []string
}

func (s *listed) next(b []byte) ([]byte, wire.OpCode, int, bool) {
	if len(s.names) == 0 {
		return b, wire.OpDelete, 0, false
	}
	r := wire.DeleteRequest{Path: s.parent + "/" + s.names[0], Version: -1}
	s.names = s.names[1:]
	return r.AppendTo(b), wire.OpDelete, 0, true
}

// mixed draws each request from one of several scripts, by weight.
type mixed struct {
	scripts []script
	weights []int // running sums
	rng     *rand.Rand
}

func (s *mixed) next(b []byte) ([]byte, wire.OpCode, int, bool) {
	draw := s.rng.IntN(s.weights[len(s.weights)-1])
	kind := 0
	for draw >= s.weights[kind] {
		kind++
	}
	b, op, _, ok := s.scripts[kind].next(b)
	return b, op, kind, ok
}

// unlimited is the limit of a counted script that ends only with the run: as many names as the
// digits allow.
const unlimited = 1e8 - 1

// scriptOf returns the script of one lane for a load.
func (r *run) scriptOf(load string, lane int) (script, error) {
	rng := rand.New(rand.NewPCG(uint64(lane), uint64(len(load))))
	shared := r.dir + "/n" + placeholder
	own := fmt.Sprintf("%s/c%d-%s", r.dir, lane, placeholder)
	switch load {
	case "get":
		return &scattered{newTemplate(wire.OpGetData, &wire.GetDataRequest{Path: shared}), r.cfg.Nodes, rng}, nil
	case "exists":
		return &scattered{newTemplate(wire.OpExists, &wire.ExistsRequest{Path: shared}), r.cfg.Nodes, rng}, nil
	case "set":
		return &scattered{newTemplate(wire.OpSetData, r.setRequest(shared)), r.cfg.Nodes, rng}, nil
	case "children":
		return &scattered{newTemplate(wire.OpGetChildren2, &wire.GetChildren2Request{Path: r.dir}), r.cfg.Nodes, rng}, nil
	case "multi":
		ops := make([]wire.MultiOp, r.cfg.Batch)
		for i := range ops {
			ops[i] = wire.MultiOp{Op: wire.OpSetData, Record: r.setRequest(shared)}
		}
		return &scattered{newTemplate(wire.OpMulti, &wire.MultiRequest{Ops: ops}), r.cfg.Nodes, rng}, nil
	case "create":
		return &counted{template: newTemplate(wire.OpCreate, r.createRequest(own)), limit: unlimited}, nil
	case "delete":
		limit := r.share(lane)
		return &counted{template: newTemplate(wire.OpDelete, &wire.DeleteRequest{Path: own, Version: -1}), limit: limit}, nil
	case "mixed":
		return r.mixedScript(lane, rng)
	}
	return nil, fmt.Errorf("load %s has no script", load)
}

func (r *run) setRequest(path string) *wire.SetDataRequest {
	return &wire.SetDataRequest{Path: path, Data: r.data, Version: -1}
}

func (r *run) createRequest(path string) *wire.CreateRequest {
	return &wire.CreateRequest{Path: path, Data: r.data, ACL: wire.OpenACL()}
}

// share is the part of Config.Count that falls to a lane.
func (r *run) share(lane int) int {
	lanes := int64(r.cfg.Connections)
	n := r.cfg.Count / lanes
	if int64(lane) < r.cfg.Count%lanes {
		n++
	}
	return int(n)
}

func (r *run) mixedScript(lane int, rng *rand.Rand) (script, error) {
	names, weights, err := parseMix(r.cfg.Mix)
	if err != nil {
		return nil, err
	}
	m := &mixed{rng: rng}
	sum := 0
	for i, name := range names {
		s, err := r.scriptOf(name, lane)
		if err != nil {
			return nil, err
		}
		sum += weights[i]
		m.scripts = append(m.scripts, s)
		m.weights = append(m.weights, sum)
	}
	return m, nil
}

// parseMix reads "get=70,set=30".
func parseMix(text string) (names []string, weights []int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(part, "=")
		weight, err := strconv.Atoi(value)
		if !ok || err != nil || weight < 1 {
			return nil, nil, fmt.Errorf("malformed mix %q: want loads with weights, as in get=70,set=30", text)
		}
		if !slices.Contains([]string{"get", "exists", "set", "create", "children", "multi"}, name) {
			return nil, nil, fmt.Errorf("load %q cannot be part of a mix", name)
		}
		names = append(names, name)
		weights = append(weights, weight)
	}
	return names, weights, nil
}
