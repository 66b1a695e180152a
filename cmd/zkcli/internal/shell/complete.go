package shell

import (
	"context"
	"slices"
	"strings"
	"time"

	"holt/cmd/zkcli/internal/render"
)

const (
	completeWait  = time.Second     // for the server
	completeCache = 2 * time.Second // how old a list of children may be
	completeMax   = 200             // candidates shown
)

// completer proposes how a line may go on.
type completer struct {
	entries []entry
	// options returns those of a command, with their dashes.
	options func(command string) []string
	// children lists a node.
	children func(ctx context.Context, path string) ([]string, error)
	now      func() time.Time

	cachedPath string
	cached     []string
	cachedAt   time.Time
}

// complete returns what may stand in place of the word that ends at the end of line, and
// where that begins. The word is a command, an option, the value of one that has few, or a path.
func (c *completer) complete(line string) (candidates []string, start int) {
	start = strings.LastIndexByte(line, ' ') + 1
	word := line[start:]
	before := strings.Fields(line[:start])
	switch {
	case strings.HasPrefix(word, "/"):
		parent, prefix := splitPath(word)
		start += len(word) - len(prefix)
		candidates = withPrefix(c.list(parent), prefix)
	case len(before) == 0 || len(before) == 1 && before[0] == "help":
		candidates = withPrefix(c.names(), word)
	case strings.HasPrefix(word, "-"):
		candidates = withPrefix(c.options(before[0]), word)
	default:
		candidates = withPrefix(values(before), word)
	}
	slices.Sort(candidates)
	return candidates, start
}

func (c *completer) names() []string {
	var names []string
	for _, e := range c.entries {
		names = append(names, e.name)
	}
	return names
}

// values are what may follow the words before.
func values(before []string) []string {
	switch last := before[len(before)-1]; {
	case last == "-o", last == "output":
		return []string{string(render.JSON), string(render.Text), string(render.YAML)}
	case last == "-m" && before[0] == "addWatch":
		return []string{"PERSISTENT", "PERSISTENT_RECURSIVE"}
	case last == "printwatches":
		return []string{"off", "on"}
	case last == "addauth":
		return []string{"digest", "ip", "sasl", "x509"}
	}
	return []string{"/"}
}

// list returns the children of a node, from the cache if they were asked for just now.
func (c *completer) list(path string) []string {
	if path == c.cachedPath && c.now().Sub(c.cachedAt) < completeCache {
		return c.cached
	}
	ctx, cancel := context.WithTimeout(context.Background(), completeWait)
	defer cancel()
	children, err := c.children(ctx, path)
	if err != nil {
		return nil // there is nothing to propose, and no place to complain
	}
	c.cachedPath, c.cached, c.cachedAt = path, children, c.now()
	return children
}

// splitPath cuts a path into a node and the beginning of a child's name.
func splitPath(path string) (parent, prefix string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 1)], path[i+1:]
}

func withPrefix(all []string, prefix string) []string {
	var some []string
	for _, s := range all {
		if strings.HasPrefix(s, prefix) {
			some = append(some, s)
		}
	}
	return some
}

// commonPrefix is what all candidates begin with.
func commonPrefix(candidates []string) string {
	if len(candidates) == 0 {
		return ""
	}
	prefix := candidates[0]
	for _, s := range candidates[1:] {
		for !strings.HasPrefix(s, prefix) {
			r := []rune(prefix)
			prefix = string(r[:len(r)-1])
		}
	}
	return prefix
}

// expand returns the line with the word at pos completed as far as all candidates agree,
// and the candidates if that gets no further.
func (c *completer) expand(line string, pos int) (expanded string, newPos int, choices []string) {
	candidates, start := c.complete(line[:pos])
	if len(candidates) == 0 {
		return line, pos, nil
	}
	word := commonPrefix(candidates)
	if len(candidates) == 1 && !strings.HasPrefix(line[strings.LastIndexByte(line[:pos], ' ')+1:], "/") && word != "/" {
		word += " " // a path may go on, everything else is complete
	}
	head := line[:start] + word
	if head == line[:pos] && len(candidates) > 1 {
		return line, pos, candidates
	}
	return head + line[pos:], len(head), nil
}

// columns lays candidates out for a terminal.
func columns(candidates []string, width int) string {
	more := ""
	if len(candidates) > completeMax {
		more = "…\n"
		candidates = candidates[:completeMax]
	}
	widest := 0
	for _, s := range candidates {
		widest = max(widest, len([]rune(s)))
	}
	perRow := max(1, width/(widest+2))
	var b strings.Builder
	for row := range slices.Chunk(candidates, perRow) {
		for i, s := range row {
			b.WriteString(s)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widest+2-len([]rune(s))))
			}
		}
		b.WriteByte('\n')
	}
	return b.String() + more
}
