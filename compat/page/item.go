package page

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"holt/broker"
	"holt/broker/protocol"
	"holt/server/admin"
	"holt/wire"
)

// item is one line of the page.
type item struct {
	section string
	name    string // unique within its section
	label   string // of the first column
	state   string
	shown   []string // tests, as paths from the root of the module
	note    string
}

const (
	stateSame   = "as ZooKeeper"
	stateBeyond = "beyond ZooKeeper"

	stateSameKafka = "as Kafka 3.9"
	stateNotServed = "not announced"
)

// opItems returns the op codes that exist.
func opItems() []item {
	const least, most = -128, 1024 // all op codes, and room for new ones
	var items []item
	for o := wire.OpCode(least); o <= most; o++ {
		if name := o.String(); !strings.HasPrefix(name, "op(") {
			items = append(items, item{section: "op", name: name, label: fmt.Sprintf("`%s` (%d)", name, o), state: stateSame})
		}
	}
	return items
}

// adminItems returns the commands of the AdminServer.
func adminItems() []item {
	var items []item
	for _, names := range admin.CommandNames() {
		labels := make([]string, len(names))
		for i, name := range names {
			labels[i] = "`" + name + "`"
		}
		items = append(items, item{section: "admin", name: names[0], label: strings.Join(labels, ", "), state: stateSame,
			shown: []string{"compat/operators:TestDocuments"}})
	}
	return items
}

// kafkaItems returns the APIs of Kafka 3.9 that clients and administrators use, with the versions that Holt's
// broker announces.
func kafkaItems() []item {
	served := map[protocol.Key]protocol.Versions{}
	for _, v := range broker.APIs() {
		served[v.Key] = v
	}
	var items []item
	for key := range protocol.KeyMax + 1 {
		name := key.String()
		if strings.HasPrefix(name, "API ") {
			continue
		}
		it := item{section: "kafka", name: name, label: fmt.Sprintf("`%s` (%d)", name, key), state: stateNotServed, shown: []string{"broker/protocol:TestApiVersionsAnswers"}}
		if v, ok := served[key]; ok {
			it.label, it.state, it.shown = fmt.Sprintf("`%s` (%d), %d–%d", name, key, v.Min, v.Max), stateSameKafka, nil
		}
		items = append(items, it)
	}
	return items
}

// wordItems returns the four-letter words that a server knows.
func wordItems() []item {
	var items []item
	var w [4]byte
	var try func(i int)
	try = func(i int) {
		if i == len(w) {
			if word, ok := admin.ParseWord(w); ok {
				items = append(items, item{section: "word", name: word.String(), label: "`" + word.String() + "`", state: stateSame})
			}
			return
		}
		for w[i] = 'a'; w[i] <= 'z'; w[i]++ {
			try(i + 1)
		}
	}
	try(0)
	return items
}

// commandLine is a command in the list that zkcli's help prints.
var commandLine = regexp.MustCompile(`^  (\w+) {2,}(.*)$`)

// commandItems returns the commands of zkcli, which it lists itself.
func commandItems(ctx context.Context, root string) ([]item, error) {
	cmd := exec.CommandContext(ctx, "go", "run", "./cmd/zkcli", "help")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the commands of zkcli: %w", err)
	}
	var items []item
	state := ""
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "Commands of zkCli.sh:":
			state = stateSame
		case line == "Beyond it:":
			state = stateBeyond
		case state != "":
			if m := commandLine.FindStringSubmatch(line); m != nil {
				items = append(items, item{section: "cli", name: m[1], label: "`" + m[1] + "`", state: state, note: m[2]})
			}
		}
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("zkcli help lists no commands: %q", out)
	}
	return items, nil
}
