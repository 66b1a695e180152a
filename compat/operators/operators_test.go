package operators

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
)

var rewrite = flag.Bool("rewrite", false, "record testdata/metrics.txt anew")

// side is one ensemble of a leader, a follower and an observer under the same work.
type side struct {
	t       *testing.T
	members map[string]*ensemble.Member // by mode
}

// superDigest is that of super:test.
const superDigest = "DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU="

// start starts the original and Holt side by side and has both do some work, on connections that
// stay.
func start(t *testing.T, metrics bool) (original, holt *side) {
	target.Kind(t) // skips unless a target was named; both are started
	kinds := []ensemble.Kind{ensemble.ZooKeeper, ensemble.Holt}
	sides := make([]*side, len(kinds))
	var wg sync.WaitGroup
	for i, kind := range kinds {
		e, err := ensemble.New(t.Context(), ensemble.Config{Kind: kind, Members: 3, Observers: 1, Dir: t.TempDir(), HeapMiB: 200,
			Operators: true, Metrics: metrics, Properties: []string{"zookeeper.admin.rateLimiterIntervalInMS=1"},
			Settings: []string{superDigest, "serializeLastProcessedZxid.enabled=true", "admin.rateLimiterIntervalInMS=1"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		sides[i] = &side{t: t, members: map[string]*ensemble.Member{}}
		wg.Go(func() {
			if err := e.StartAll(t.Context()); err != nil {
				t.Error(err)
			}
		})
		defer func() {
			for _, m := range e.Members() {
				mode, err := m.Mode(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				sides[i].members[mode] = m
			}
			for _, mode := range modes() {
				if sides[i].members[mode] == nil {
					t.Fatalf("%s has no %s", kind, mode)
				}
				sides[i].work(mode)
			}
		}()
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return sides[0], sides[1]
}

func modes() []string { return []string{"leader", "follower", "observer"} }

// work has a client of a member create, watch, change and delete.
func (s *side) work(mode string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, s.members[mode].Addr(), client.Options{SessionTimeout: 20 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() }) // the members may be gone
	path := "/" + mode
	do := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	_, err = c.Create(ctx, path, []byte("x"), wire.OpenACL(), wire.ModePersistent)
	do(err)
	_, err = c.Create(ctx, path+"/e", []byte("x"), wire.OpenACL(), wire.ModeEphemeral)
	do(err)
	_, _, err = c.GetData(ctx, path, true)
	do(err)
	_, err = c.SetData(ctx, path, []byte("y"), -1)
	do(err)
	for range 130 { // hash has a digest for each 128th transaction
		_, err = c.SetData(ctx, path, []byte("z"), -1)
		do(err)
	}
	_, _, err = c.GetData(ctx, path, true)
	do(err)
	_, err = c.GetChildren(ctx, path, true)
	do(err)
	do(c.Sync(ctx, path))
}

func (s *side) get(url, authorization string) (int, http.Header, string) {
	s.t.Helper()
	return s.send(http.MethodGet, url, authorization, nil)
}

func (s *side) send(method, url, authorization string, body []byte) (int, http.Header, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

var commandLink = regexp.MustCompile(`<a href="/commands/([a-z_]+)">`)

func (s *side) commands() (names []string) {
	_, _, page := s.get(s.members["leader"].AdminURL()+"/commands", "")
	for _, m := range commandLink.FindAllStringSubmatch(page, -1) {
		names = append(names, m[1])
	}
	return names
}

// TestDocuments compares the names and types of every command's document on every role.
func TestDocuments(t *testing.T) {
	original, holt := start(t, false)
	names := original.commands()
	if got := holt.commands(); !slices.Equal(got, names) || len(names) < 20 {
		t.Errorf("commands %v, want %v", got, names)
	}
	wanted, err := Documents()
	if err != nil {
		t.Fatal(err)
	}
	unused := byName(wanted)
	for _, mode := range modes() {
		for _, name := range names {
			if name == "monitor" {
				continue // TestMonitor
			}
			path := "/commands/" + name + "?traceMask=306"
			wantCode, _, want := original.get(original.members[mode].AdminURL()+path, "")
			gotCode, _, got := holt.get(holt.members[mode].AdminURL()+path, "")
			if gotCode != wantCode {
				t.Errorf("%s of %s: %d, want %d", name, mode, gotCode, wantCode)
			}
			for _, line := range difference(t, want, got) {
				if name == "system_properties" && !strings.HasPrefix(line[1:], "/zookeeper.") {
					continue // of another machine, virtual or not
				}
				key := name + line[1:]
				if _, ok := byName(wanted)[key]; ok {
					delete(unused, key)
				} else {
					t.Errorf("%s of %s: %s\noriginal %s\nHolt %s", name, mode, line, want, got)
				}
			}
		}
	}
	for key := range unused {
		t.Errorf("testdata/documents.txt: %s is not there any more", key)
	}
	compareRefusals(t, original, holt)
	compareMonitor(t, original, holt)
	handOver(t, original, holt)
}

// difference returns the lines of the shapes that only one has: - the original, + Holt.
func difference(t *testing.T, original, holt string) (lines []string) {
	t.Helper()
	want, err := shape(original)
	if err != nil {
		t.Fatal(err)
	}
	got, err := shape(holt)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			lines = append(lines, "-"+line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			lines = append(lines, "+"+line)
		}
	}
	return lines
}

// compareRefusals compares statuses and, where there is one, the error.
func compareRefusals(t *testing.T, original, holt *side) {
	for _, tc := range []struct{ method, path, authorization string }{
		{"GET", "/commands/nosuch", ""}, {"POST", "/commands/nosuch", ""}, {"GET", "/commands/ruok/x", ""}, {"GET", "/", ""}, {"GET", "/nosuch", ""},
		{"PUT", "/commands/ruok", ""}, {"DELETE", "/commands/ruok", ""}, {"OPTIONS", "/commands/ruok", ""}, {"TRACE", "/commands/ruok", ""},
		{"HEAD", "/commands/ruok", ""}, {"GET", "/commands/set_trace_mask", ""}, {"GET", "/commands/set_trace_mask?traceMask=x", ""},
		{"GET", "/commands/snapshot", ""}, {"GET", "/commands/restore", ""}, {"POST", "/commands/restore", ""},
		{"GET", "/commands/snapshot", "digest"}, {"GET", "/commands/snapshot", "nosuch a:b"}, {"GET", "/commands/snapshot", "x509 a"}, {"GET", "/commands/snapshot", "digest a b"},
	} {
		wantCode, _, want := original.send(tc.method, original.members["follower"].AdminURL()+tc.path, tc.authorization, nil)
		gotCode, _, got := holt.send(tc.method, holt.members["follower"].AdminURL()+tc.path, tc.authorization, nil)
		if gotCode != wantCode || strings.HasPrefix(want, "{") && got != want {
			t.Errorf("%s %s as %q:\n got %d %s\nwant %d %s", tc.method, tc.path, tc.authorization, gotCode, got, wantCode, want)
		}
	}
}

// compareMonitor compares the keys of monitor, which are those of mntr.
func compareMonitor(t *testing.T, original, holt *side) {
	known, absent := lists(t)
	for _, mode := range modes() {
		_, _, wantText := original.get(original.members[mode].AdminURL()+"/commands/monitor", "")
		_, _, gotText := holt.get(holt.members[mode].AdminURL()+"/commands/monitor", "")
		for _, line := range difference(t, wantText, gotText) {
			key, _, _ := strings.Cut(line[2:], ":")
			name := monitorName(key, known)
			_, gone := absent[name]
			// The members of sets are named by what they have done.
			if strings.HasSuffix(name, "_per_namespace") || name == "ack_latency" || strings.HasPrefix(name, "learner_handler_") {
				gone = true
			}
			if line[0] == '+' || !gone {
				t.Errorf("monitor of %s: %s (metric %s)", mode, line, name)
			}
		}
	}
}

// lists returns the original's metrics and the absent ones.
func lists(t *testing.T) (known, absent map[string]string) {
	t.Helper()
	k, err := Metrics()
	if err != nil {
		t.Fatal(err)
	}
	a, err := Absent()
	if err != nil {
		t.Fatal(err)
	}
	return byName(k), byName(a)
}

// handOver has the original restore what Holt's command snapshot gave, and read a node of it.
func handOver(t *testing.T, original, holt *side) {
	code, header, snapshot := holt.get(holt.members["observer"].AdminURL()+"/commands/snapshot", "digest super:test")
	if code != 200 || header.Get("snapshot_size") != fmt.Sprint(len(snapshot)) {
		t.Fatalf("snapshot: %d %v", code, header)
	}
	m := original.members["observer"]
	code, _, answer := original.send(http.MethodPost, m.AdminURL()+"/commands/restore", "digest super:test", []byte(snapshot))
	zxid, err := strconv.ParseInt(header.Get("last_zxid"), 0, 64)
	if err != nil || code != 200 || !strings.Contains(answer, fmt.Sprintf("\"last_zxid\" : %d,", zxid)) {
		t.Errorf("restore of Holt's snapshot of %s by the original: %d %s", header.Get("last_zxid"), code, answer)
	}
}

// scrape returns the types of the metrics of all members, and the names of their labels.
func (s *side) scrape() (types map[string]string, labels map[string]map[string]bool) {
	types, labels = map[string]string{}, map[string]map[string]bool{}
	for _, mode := range modes() {
		_, _, page := s.get(s.members[mode].MetricsURL(), "")
		for line := range strings.Lines(page) {
			if f := strings.Fields(line); len(f) == 4 && f[1] == "TYPE" {
				types[f[2]] = f[3]
			}
			if m := labelled.FindStringSubmatch(line); m != nil {
				if labels[m[1]] == nil {
					labels[m[1]] = map[string]bool{}
				}
				labels[m[1]][m[2]] = true
			}
		}
	}
	return types, labels
}

var labelled = regexp.MustCompile(`^([a-z_]+)\{([a-z]+)=`)

// TestMetrics compares the names, types and labels of /metrics.
func TestMetrics(t *testing.T) {
	original, holt := start(t, true)
	want, wantLabels := original.scrape()
	got, gotLabels := holt.scrape()
	if *rewrite {
		record(t, want)
	}
	known, absent := lists(t)
	if !maps.Equal(known, want) {
		t.Errorf("testdata/metrics.txt is not what the original has: record it anew with -rewrite")
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		_, gone := absent[name]
		switch {
		case got[name] == "" && !gone:
			t.Errorf("%s %s is missing: measure it, or say in testdata/absent.txt why not", want[name], name)
		case got[name] != "" && gone:
			t.Errorf("testdata/absent.txt: %s is not absent", name)
		case got[name] != "" && got[name] != want[name]:
			t.Errorf("%s is a %s, want a %s", name, got[name], want[name])
		}
		for label := range wantLabels[name] {
			if got[name] != "" && !gotLabels[name][label] {
				t.Errorf("%s has no label %s", name, label)
			}
		}
	}
	for name := range absent {
		if want[name] == "" {
			t.Errorf("testdata/absent.txt: the original has no %s either", name)
		}
	}
	for name := range got {
		if want[name] == "" && !strings.HasPrefix(name, "holt_") && !strings.HasPrefix(name, "go_") {
			t.Errorf("%s is not one of the original's, and does not begin with holt_", name)
		}
	}
}

func record(t *testing.T, types map[string]string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "# Recorded from Apache ZooKeeper %s by: go test ./compat/operators -run TestMetrics -target=holt -rewrite\n", ensemble.OriginalVersion)
	for _, name := range slices.Sorted(maps.Keys(types)) {
		fmt.Fprintf(&b, "%s | %s\n", name, types[name])
	}
	if err := os.WriteFile("testdata/metrics.txt", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Skip("recorded; run again to compare")
}
