package compare

import (
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// TestHand runs the scripts of testdata, each on servers of its own. The language of the files:
//
//	server [members=3] [tls] [NAME=VALUE]...
//	    Start the servers with these lines of zoo.cfg; D:NAME=VALUE is a property of the
//	    original's JVM, and FILES in a value the path of the directory files. With members each of them is an ensemble of so many,
//	    with tls they have a port for TLS, and stores. Without the command they start with the first script.
//	lose MEMBER...
//	    End these members of the ensemble, too many for the rest to be a quorum, and wait until
//	    the rest serves clients that only read.
//	run [accept=NAME] [original=skip]
//	    Run the steps of the input (see Parse) and print what the clients see. Sessions stay
//	    open until the file ends. With accept the servers are known to differ, for
//	    the reason that accepted.go gives, and both answers are printed; with original=skip
//	    the script does not go to the original, which it would break.
//
// What is printed was said by Apache ZooKeeper. With -target=holt the original runs beside Holt
// and they are compared frame by frame as well; with -target=zookeeper two originals are. -rewrite with
// one of them writes down what the original says, and where a difference is accepted
// what Holt does.
func TestHand(t *testing.T) {
	if rewriting() && !target.Named() {
		t.Fatal("what the original says is to be written down: give -target")
	}
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		t.Parallel()
		h := &hand{file: t}
		defer h.close()
		defer h.report()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			h.t = t
			switch d.Cmd {
			case "server":
				h.start(readLayout(t, h.file, d.CmdArgs))
				return ""
			case "lose":
				var names []string
				for _, arg := range d.CmdArgs {
					names = append(names, arg.Key)
				}
				h.lose(names)
				return ""
			case "run":
				return h.check(d, h.run(d))
			}
			t.Fatalf("unknown command %q", d.Cmd)
			return ""
		})
	})
}

// readLayout reads the arguments of the command server. Certificates are for file.
func readLayout(t, file *testing.T, args []datadriven.CmdArg) layout {
	var l layout
	for _, arg := range args {
		switch arg.Key {
		case "members":
			arg.Scan(t, 0, &l.members)
		case "tls":
			l.certs = newCertificates(file)
		default:
			l.settings = append(l.settings, arg.Key+"="+strings.ReplaceAll(strings.Join(arg.Vals, ","), "FILES", files(t)))
		}
	}
	return l
}

func files(t *testing.T) string {
	dir, err := filepath.Abs("files")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// hand is a file being run.
type hand struct {
	file  *testing.T // of the whole file: servers end with it
	t     *testing.T // of the present directive
	a, b  *Run       // a is nil without the original
	same  bool       // b is an original too
	diffs []string
}

// check notes that a block did not print what it should and lets the file go on.
func (h *hand) check(d *datadriven.TestData, got string) string {
	if got == d.Expected || rewriting() {
		return got
	}
	h.diffs = append(h.diffs, d.Pos+"\n"+diffLines(d.Expected, got))
	return d.Expected
}

func (h *hand) report() {
	if len(h.diffs) > 0 {
		h.file.Errorf("- is what the original says\n%s", strings.Join(h.diffs, "\n"))
	}
}

func rewriting() bool { return flag.Lookup("rewrite").Value.String() == "true" }

// diffLines returns the lines in which two texts differ, as a longest common subsequence has it.
func diffLines(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	length := make([][]int, len(x)+1) // of the longest common subsequence of x[i:] and y[j:]
	for i := range length {
		length[i] = make([]int, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var out strings.Builder
	for i, j := 0, 0; i < len(x) || j < len(y); {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			i, j = i+1, j+1
		case i < len(x) && (j == len(y) || length[i+1][j] >= length[i][j+1]):
			out.WriteString("- " + x[i] + "\n")
			i++
		default:
			out.WriteString("+ " + y[j] + "\n")
			j++
		}
	}
	return out.String()
}

func (h *hand) start(l layout) {
	sides := handSides(h.file, l)
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

func (h *hand) lose(members []string) {
	h.t.Helper()
	for _, r := range []*Run{h.a, h.b} {
		if r == nil {
			continue
		}
		if err := r.side.Lose(h.file.Context(), members...); err != nil {
			h.t.Fatal(err)
		}
	}
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
		h.start(layout{})
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
	if original == "skip" {
		saidA = "not sent\n"
	}
	if !h.same || original != "skip" {
		if tb, err = h.b.Steps(script); err != nil {
			h.t.Fatal(err)
		}
		if !h.same || accept == "" {
			saidB = tb.Text()
		}
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
	if diff := Compare(ta, tb); diff != nil && saidA == saidB {
		h.t.Errorf("the servers differ: %s", diff)
	}
	if h.same || rewriting() {
		return saidA
	}
	return saidB // what is printed was compared; this shows every line that differs
}

// sections cuts what is printed for an accepted difference.
func sections(text string) (original, holt string) {
	original, holt, _ = strings.Cut(text, "holt:\n")
	return strings.TrimPrefix(original, "original:\n"), holt
}

// handSides starts the servers for a file: Holt, and the original beside it if one was asked for.
func handSides(t *testing.T, l layout) Pair {
	t.Helper()
	if target.Named() {
		kind := target.Kind(t)
		return Pair{startProcesses(t, ensemble.ZooKeeper, "original", l), startProcesses(t, kind, string(kind), l)}
	}
	return Pair{nil, startInside(t, l)}
}
