package membership

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// Directives of the scripts, on one ensemble that changes:
//
//	parse     the input becomes the ensemble
//	next      [joining=...] [leaving=...]: an incremental change
//	replace   [alone]: the input as a change as a whole; alone: standaloneEnabled
//
// A change that is refused leaves the ensemble as it is. Afterwards it is printed.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, file string) {
		var e Ensemble
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			var next Ensemble
			var refusal *Refusal
			switch d.Cmd {
			case "parse":
				parsed, err := Parse(d.Input)
				if err != nil {
					return err.Error()
				}
				next = parsed
				if again, err := Parse(parsed.Text()); err != nil || fmt.Sprint(again) != fmt.Sprint(parsed) {
					t.Errorf("%s: read again: %v %v", d.Pos, again, err)
				}
			case "next":
				var joining, leaving string
				for _, a := range d.CmdArgs {
					switch a.Key {
					case "joining":
						joining = joinVals(a.Vals)
					case "leaving":
						leaving = joinVals(a.Vals)
					}
				}
				if joining == "" {
					joining = d.Input
				}
				next, refusal = e.Next(joining, leaving)
			case "replace":
				next, refusal = Replace(d.Input, d.HasArg("alone"))
			default:
				t.Fatalf("%s: unknown directive", d.Pos)
			}
			if refusal != nil {
				return refusal.Code.String() + ": " + refusal.Cause
			}
			version := e.Version
			e = next
			if d.Cmd != "parse" {
				e.Version = version + 1
			}
			return fmt.Sprintf("%s\nvoters %d, enough %v, without standalone %v", e.Text(), e.Voters(), e.EnoughVoters(true), e.EnoughVoters(false))
		})
	})
}

func TestValidIDs(t *testing.T) {
	for id, want := range map[uint64]bool{0: false, 1: true, 254: true, 255: false, 1<<64 - 1: false} {
		if e := (Ensemble{Servers: []Server{{ID: id}}}); e.ValidIDs() != want {
			t.Errorf("id %d: %v", id, !want)
		}
	}
}

func joinVals(vals []string) (s string) {
	for i, v := range vals {
		if i > 0 {
			s += ","
		}
		s += v
	}
	return s
}

func FuzzChange(f *testing.F) {
	f.Add("server.1=a:1:2;3,server.2=[::1]:1:2:observer;[::]:3", "1,x", "server.1=a:1:2\nversion=1f")
	f.Add("server.1=a:1:2:participant;b:3", "", "group.1=1:2,weight.1=1")
	f.Fuzz(func(t *testing.T, joining, leaving, members string) {
		whole, refusal := Replace(members, true)
		if refusal != nil {
			whole = Ensemble{}
		}
		next, refusal := whole.Next(joining, leaving)
		if refusal != nil {
			return
		}
		if again, err := Parse(next.Text()); err == nil && again.Text() != next.Text() {
			t.Errorf("%q became %q", next.Text(), again.Text())
		}
	})
}
