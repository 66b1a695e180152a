package badinput

import (
	"strings"
	"testing"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
)

// witness is a session beside the bad ones, which must go on being served.
type witness struct{ *raw }

func newWitness(t *testing.T, m *ensemble.Member) witness {
	t.Helper()
	r := dialRaw(t, m.Addr())
	r.open()
	return witness{r}
}

// served reads a node and writes it.
func (w witness) served(t *testing.T) {
	t.Helper()
	w.extend()
	get := wire.GetDataRequest{Path: "/"}
	set := wire.SetDataRequest{Path: "/", Data: []byte("w"), Version: -1}
	w.write(request(1, wire.OpGetData, get.AppendTo(nil)))
	w.write(request(2, wire.OpSetData, set.AppendTo(nil)))
	if got := w.reaction(); got != "0 0 open" {
		t.Fatalf("a session beside it is not served: %q", got)
	}
}

// single starts one server, whose throttles are out of the way.
func single(t *testing.T) (*ensemble.Member, ensemble.Kind) {
	t.Helper()
	e := target.Start(t, ensemble.Config{Settings: []string{"extendedTypesEnabled=true"}})
	return e.Members()[0], target.Kind(t)
}

// acceptable tells whether a member may react as it did.
func acceptable(kind ensemble.Kind, got, want string) bool {
	if got == want {
		return true
	}
	return kind == ensemble.Holt && strings.HasSuffix(got, "closed")
}

func TestBadInput(t *testing.T) {
	m, kind := single(t)
	beside := newWitness(t, m)
	for _, group := range []struct {
		name    string
		cases   []badCase
		session bool
	}{
		{"handshake", beforeHandshake(), false},
		{"frame", framesInSession(), true},
		{"op", unknownOps(), true},
		{"record", badRecords(), true},
	} {
		for _, tc := range group.cases {
			t.Run(group.name+"/"+tc.name, func(t *testing.T) {
				r := dialRaw(t, m.Addr())
				if group.session {
					r.open()
				}
				r.write(tc.bytes)
				got := r.reaction()
				if !acceptable(kind, got, tc.want) {
					t.Errorf("reaction %q, want %q", got, tc.want)
				}
				beside.served(t)
			})
		}
	}
}
