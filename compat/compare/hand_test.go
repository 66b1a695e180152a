package compare

import (
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// TestHand runs the scripts of testdata, each on servers of its own. The language of the files:
//
//	server [NAME=VALUE]...
//	    Start the servers with these lines of zoo.cfg; D:NAME=VALUE is a property of the
//	    original's JVM. Without it they start with the first script.
//	run [accept=NAME] [original=skip]
//	    Run the steps of the input (see Parse) and print what the clients see. Sessions stay
//	    open until the file ends. With accept the servers are known to differ, for
//	    the reason that accepted.go gives, and both answers are printed; with original=skip
//	    the script does not go to the original, which it would break.
//
// What is printed was said by Apache ZooKeeper. With -target=holt the original runs beside Holt
// and they are compared frame by frame as well; with -target=zookeeper two originals are, and
// -rewrite writes down what they say.
func TestHand(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		h := &hand{file: t}
		defer h.close()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			h.t = t
			switch d.Cmd {
			case "server":
				var settings []string
				for _, arg := range d.CmdArgs {
					settings = append(settings, arg.Key+"="+strings.Join(arg.Vals, ","))
				}
				h.start(settings)
				return ""
			case "run":
				return h.run(d)
			}
			t.Fatalf("unknown command %q", d.Cmd)
			return ""
		})
	})
}

// hand is a file being run.
type hand struct {
	file *testing.T // of the whole file: servers end with it
	t    *testing.T // of the present directive
	a, b *Run // a is nil without the original
	same bool // b is an original too
}

func (h *hand) start(settings []string) {
	sides := handSides(h.file, settings)
	var err error
	if sides.A != nil {
		if h.a, err = sides.A.Start(h.file.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
	if h.b, err = sides.B.Start(h.file.Context()); err != nil {
		h.t.Fatal(err)
	}
	h.same = sides.B.Name == string(ensemble.ZooKeeper)
}

func (h *hand) close() {
	for _, r := range []*Run{h.a, h.b} {
		if r != nil {
			r.disconnect()
		}
	}
}

// run runs one block of steps.
func (h *hand) run(d *datadriven.TestData) string {
	if h.b == nil {
		h.start(nil)
	}
	script, err := Parse(d.Input)
	if err != nil {
		h.t.Fatal(err)
	}
	var accept, original string
	d.MaybeScanArgs(h.t, "accept", &accept)
	d.MaybeScanArgs(h.t, "original", &original)
	if accept != "" && !slices.ContainsFunc(Accepted(), func(a Acceptance) bool { return a.Name == accept }) {
		h.t.Fatalf("accepted.go has no %q", accept)
	}
	saidA, saidB := sections(d.Expected)
	var ta, tb Transcript
	if h.a != nil && original != "skip" {
		if ta, err = h.a.Steps(script); err != nil {
			h.t.Fatal(err)
		}
		saidA = ta.Text()
	}
	switch {
	case original == "skip":
		saidA = "not sent\n"
		if h.same {
			break
		}
		fallthrough
	case !h.same || accept == "":
		if tb, err = h.b.Steps(script); err != nil {
			h.t.Fatal(err)
		}
		saidB = tb.Text()
	}
	if accept != "" {
		if saidA == saidB {
			h.t.Errorf("the servers no longer differ: %s", accept)
		}
		return "original:\n" + saidA + "holt:\n" + saidB
	}
	if h.a == nil {
		return saidB
	}
	if diff := Compare(ta, tb); diff != nil {
		h.t.Errorf("the servers differ: %s", diff)
	}
	return saidA
}

// sections cuts what is printed for an accepted difference.
func sections(text string) (original, holt string) {
	original, holt, _ = strings.Cut(text, "holt:\n")
	return strings.TrimPrefix(original, "original:\n"), holt
}

// handSides starts the servers for a file: Holt, and the original beside it if one was asked for.
func handSides(t *testing.T, settings []string) Pair {
	t.Helper()
	if target.Named() {
		kind := target.Kind(t)
		return Pair{startProcess(t, ensemble.ZooKeeper, "original", settings), startProcess(t, kind, string(kind), settings)}
	}
	return Pair{nil, startInside(t, settings)}
}
