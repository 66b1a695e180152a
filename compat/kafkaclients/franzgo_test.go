package kafkaclients

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"holt/compat/kafka"
)

// skip is a line of testdata/franzgo.txt.
type skip struct{ pattern, reason string }

// TestFranzGo runs the tests of franz-go's package kgo, in the folder they come in.
func TestFranzGo(t *testing.T) {
	c := brokers(t, kafka.Config{SCRAM: true})
	makeUser(t, c)
	dir := strings.TrimSpace(do(t, "goclients", "go", "list", "-f", "{{.Dir}}", "github.com/twmb/franz-go/pkg/kgo"))
	binary := filepath.Join(t.TempDir(), "kgo.test")
	do(t, "goclients", "go", "test", "-c", "-o", binary, "github.com/twmb/franz-go/pkg/kgo")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.v", "-test.timeout=18m")
	cmd.Dir = dir // one test reads the package's source
	cmd.Env = append(os.Environ(), "KGO_SEEDS="+c.Bootstrap(), "KGO_TEST_RF=3", "KGO_LOG_LEVEL=none",
		"KGO_TEST_SCRAM="+user+":"+password, "KGO_TEST_SCRAM_SEEDS="+strings.Join(c.SASLAddrs(), ","))
	if os.Getenv("KGO_TEST_RECORDS") == "" {
		cmd.Env = append(cmd.Env, "KGO_TEST_RECORDS=50000") // of each ETL test; the default wants a larger machine
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	judge(t, out.String(), readSkips(t))
	if err != nil {
		t.Errorf("%v\n%s", err, tail(out.String()))
	}
}

// user and password are those of the tests with SCRAM.
const user, password = "franz", "secret of the tests"

func makeUser(t *testing.T, c *kafka.Cluster) {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...))
	check(t, err)
	defer client.Close()
	credential := kadm.UpsertSCRAM{User: user, Mechanism: kadm.ScramSha256, Iterations: 4096, Password: password}
	altered, err := kadm.NewClient(client).AlterUserSCRAMs(within(t, 30*time.Second), nil, []kadm.UpsertSCRAM{credential})
	if err == nil {
		err = altered.Error()
	}
	check(t, err)
}

func readSkips(t *testing.T) []skip {
	text, err := os.ReadFile("testdata/franzgo.txt")
	check(t, err)
	var skips []skip
	for line := range strings.Lines(string(text)) {
		pattern, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
		if pattern == "" || pattern == "#" {
			continue
		}
		if _, err := path.Match(pattern, ""); err != nil || strings.TrimSpace(reason) == "" {
			t.Fatalf("testdata/franzgo.txt: %q: %v", line, err)
		}
		skips = append(skips, skip{pattern, strings.TrimSpace(reason)})
	}
	return skips
}

var ended = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (\S+) \(`)

// judge logs how the tests ended. It fails the test for each one that failed, or skipped itself
// with no line of skips, and for each line that covered none.
func judge(t *testing.T, out string, skips []skip) {
	t.Helper()
	const least = 120 // fewer passed tests mean that the suite did not really run
	count := make(map[string]int)
	used := make(map[skip]bool)
	for _, m := range ended.FindAllStringSubmatch(out, -1) {
		count[m[1]]++
		switch m[1] {
		case "FAIL":
			t.Errorf("%s failed: %s", m[2], complaint(out, m[2]))
		case "SKIP":
			s, ok := covering(skips, m[2])
			if !ok {
				t.Errorf("%s skipped itself: %s", m[2], complaint(out, m[2]))
				continue
			}
			used[s] = true
			t.Logf("left out: %s: %s", m[2], s.reason)
		}
	}
	for _, s := range skips {
		if !used[s] {
			t.Errorf("testdata/franzgo.txt: no test skipped itself that %q covers", s.pattern)
		}
	}
	if count["PASS"] < least {
		t.Errorf("only %d tests passed", count["PASS"])
	}
	t.Logf("franz-go: %d passed, %d failed, %d skipped", count["PASS"], count["FAIL"], count["SKIP"])
}

func covering(skips []skip, test string) (skip, bool) {
	for _, s := range skips {
		if ok, _ := path.Match(s.pattern, test); ok { // readSkips has tried the pattern
			return s, true
		}
	}
	return skip{}, false
}

// complaint returns the lines that follow the one which tells how a test ended.
func complaint(out, test string) string {
	const most = 1500
	_, after, _ := strings.Cut(out, ": "+test+" (")
	return after[:min(len(after), most)]
}
