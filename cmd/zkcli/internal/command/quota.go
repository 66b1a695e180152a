package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

// Quotas are nodes below quotaRoot, at the path of the node that they limit.
const (
	quotaRoot  = "/zookeeper/quota"
	limitsNode = "/zookeeper_limits"
	statsNode  = "/zookeeper_stats"
)

const (
	countKey     = "count"
	bytesKey     = "bytes"
	hardCountKey = "countHardLimit"
	hardBytesKey = "byteHardLimit"
)

// track is the data of a limits or stats node: numbers by key, −1 where there is none. (StatsTrack)
type track map[string]int64

func parseTrack(data []byte) (track, error) {
	t := track{}
	for _, pair := range strings.FieldsFunc(string(data), func(r rune) bool { return r == ',' || r == ';' }) {
		key, value, _ := strings.Cut(pair, "=")
		value, _, _ = strings.Cut(value, "=") // bytes end in a second equals sign, for old readers
		if value == "" {
			value = "-1"
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("quota %q is not understood", data)
		}
		t[key] = n
	}
	return t, nil
}

func (t track) get(key string) int64 {
	if n, ok := t[key]; ok {
		return n
	}
	return -1
}

// String is the form that is stored. Count and bytes come first, for old readers.
func (t track) String() string {
	s := fmt.Sprintf("%s=%d,%s=%d", countKey, t.get(countKey), bytesKey, t.get(bytesKey))
	sep := "=;"
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if key != countKey && key != bytesKey {
			s += fmt.Sprintf("%s%s=%d", sep, key, t[key])
			sep = ";"
		}
	}
	return s
}

// quotaOptions are those of setquota and delquota, with the key that each is about.
var quotaOptions = []struct{ option, key, help string }{
	{"n", countKey, "num soft quota"}, {"b", bytesKey, "bytes soft quota"},
	{"N", hardCountKey, "num hard quota"}, {"B", hardBytesKey, "bytes hard quota"},
}

func quotaSyntax(value bool) cmdline.Syntax {
	s := cmdline.Syntax{Required: value}
	for _, o := range quotaOptions {
		s.Options = append(s.Options, cmdline.Option{Name: o.option, Arg: value, Help: o.help})
		s.Choice = append(s.Choice, o.option)
	}
	return s
}

// listQuota: ListQuotaCommand.
func listQuota() *Command {
	return &Command{Name: "listquota", Args: "path", Help: "show the quota of a node", operands: 1, run: runListQuota}
}

func runListQuota(ctx context.Context, c *Call) error {
	q := quotaRoot + c.path()
	if c.Out.Format == render.Text || c.Out.Format == "" {
		c.Out.Complain("absolute path is %s", q+limitsNode)
	}
	var tracks [2]track
	for i, name := range []string{limitsNode, statsNode} {
		data, _, err := c.Session.GetData(ctx, q+name, false)
		if session.Code(err) == wire.ErrNoNode {
			c.Out.Complain("quota for %s does not exist.", c.path())
			return nil
		}
		if err != nil {
			return err
		}
		if tracks[i], err = parseTrack(data); err != nil {
			return err
		}
	}
	c.Out.Emit(render.Result{
		Data: struct {
			Path   string `json:"path"`
			Limits track  `json:"limits"`
			Usage  track  `json:"usage"`
		}{c.path(), tracks[0], tracks[1]},
		Text: func(p *render.Page) {
			p.Printf("Output quota for %s %s\n", c.path(), tracks[0])
			p.Printf("Output stat for %s %s\n", c.path(), tracks[1])
		},
	})
	return nil
}

// delQuota: DelQuotaCommand.
func delQuota() *Command {
	return &Command{Name: "delquota", Args: "[-n|-b|-N|-B] path", Help: "remove a quota, or one of its limits",
		syntax: quotaSyntax(false), operands: 1, run: runDelQuota}
}

func runDelQuota(ctx context.Context, c *Call) error {
	err := deleteQuota(ctx, c)
	if session.Code(err) == wire.ErrNoNode {
		c.Out.Complain("quota for %s does not exist.", c.path())
		return nil
	}
	return err
}

func deleteQuota(ctx context.Context, c *Call) error {
	q := quotaRoot + c.path()
	stat, err := c.Session.Exists(ctx, q+limitsNode, false)
	if err != nil {
		return err
	}
	if stat == nil {
		c.Out.Say("Quota does not exist for %s", c.path())
		return nil
	}
	data, _, err := c.Session.GetData(ctx, q+limitsNode, false)
	if err != nil {
		return err
	}
	limits, err := parseTrack(data)
	if err != nil {
		return err
	}
	one := false
	for _, o := range quotaOptions {
		if c.Has(o.option) {
			limits[o.key], one = -1, true
		}
	}
	if one {
		_, err := c.Session.SetData(ctx, q+limitsNode, []byte(limits.String()), -1)
		return err
	}
	children, _, err := c.Session.Children(ctx, q, false)
	if err != nil {
		return err
	}
	for _, name := range children {
		if err := c.Session.Delete(ctx, q+"/"+name, -1); err != nil {
			return err
		}
	}
	return trimQuota(ctx, c.Session, q)
}

// trimQuota removes a node of the quota tree, and those above it, while they have no children.
func trimQuota(ctx context.Context, s *session.Session, path string) error {
	for path != quotaRoot {
		children, _, err := s.Children(ctx, path, false)
		if err != nil || len(children) > 0 {
			return err
		}
		if err := s.Delete(ctx, path, -1); err != nil {
			return err
		}
		path = path[:strings.LastIndexByte(path, '/')]
	}
	return nil
}

// setQuota: SetQuotaCommand.
func setQuota() *Command {
	return &Command{Name: "setquota", Args: "-n|-b|-N|-B val path", Help: "limit the nodes or bytes below a node",
		syntax: quotaSyntax(true), operands: 1, run: runSetQuota}
}

func runSetQuota(ctx context.Context, c *Call) error {
	if strings.HasPrefix(c.path(), quotaRoot) {
		c.Out.Complain("cannot set a quota under the path: %s", quotaRoot)
		return nil
	}
	limits, complaint := quotaLimits(c.Parsed)
	if complaint != "" {
		// Not a failure in the original: the exit code stays 0.
		c.Out.Complain("%s", complaint)
		return nil
	}
	return writeQuota(ctx, c, limits)
}

// quotaLimits reads the option's value.
func quotaLimits(p *cmdline.Parsed) (limits track, complaint string) {
	limits = track{countKey: -1, bytesKey: -1, hardCountKey: -1, hardBytesKey: -1}
	for _, o := range quotaOptions {
		if !p.Has(o.option) {
			continue
		}
		counts, bits := o.key == countKey || o.key == hardCountKey, 64
		if counts {
			bits = 32
		}
		n, err := strconv.ParseInt(p.Value(o.option), 10, bits)
		switch {
		case err != nil:
			return nil, "NumberFormatException happens when parsing the option value"
		case counts && n <= 0:
			return nil, "the num quota must be greater than zero"
		case n < 0:
			return nil, "the bytes quota must be greater than or equal to zero"
		}
		limits[o.key] = n
	}
	return limits, ""
}

// writeQuota sets limits for a node that exists and has no quota above or below it.
func writeQuota(ctx context.Context, c *Call, limits track) error {
	path := c.path()
	stat, err := c.Session.Exists(ctx, path, false)
	if err != nil {
		return err
	}
	if stat == nil {
		return fail(path + " does not exist.")
	}
	if err := noQuotaBelow(ctx, c.Session, path); err != nil {
		return err
	}
	if err := noQuotaAbove(ctx, c.Session, path); err != nil {
		return err
	}
	if err := makeQuotaPath(ctx, c.Session, path); err != nil {
		return err
	}
	return storeQuota(ctx, c, quotaRoot+path, limits)
}

func noQuotaBelow(ctx context.Context, s *session.Session, path string) error {
	err := visit(ctx, s, quotaRoot+path, false, func(q string) error {
		children, _, err := s.Children(ctx, q, false)
		if err != nil && session.Code(err) == wire.OK {
			return err
		}
		if q != quotaRoot+path && slices.Contains(children, limitsNode[1:]) {
			return fail(path + " has a child " + strings.TrimPrefix(q, quotaRoot) + " which has a quota")
		}
		return nil
	})
	if session.Code(err) == wire.ErrNoNode {
		return nil
	}
	return err
}

func noQuotaAbove(ctx context.Context, s *session.Session, path string) error {
	names := strings.Split(path, "/")
	for i := 1; i < len(names)-1; i++ {
		q := quotaRoot + strings.Join(names[:i+1], "/")
		children, _, err := s.Children(ctx, q, false)
		switch {
		case session.Code(err) == wire.ErrNoNode, err == nil && len(children) == 0:
			return nil
		case err != nil:
			return err
		case slices.Contains(children, limitsNode[1:]):
			return fail(path + " has a parent " + strings.TrimPrefix(q, quotaRoot) + " which has a quota")
		}
	}
	return nil
}

// makeQuotaPath makes the nodes of the quota tree down to that of path.
func makeQuotaPath(ctx context.Context, s *session.Session, path string) error {
	q := "/zookeeper"
	for _, name := range append([]string{"quota"}, strings.FieldsFunc(path, func(r rune) bool { return r == '/' })...) {
		q += "/" + name
		stat, err := s.Exists(ctx, q, false)
		if err != nil {
			return err
		}
		if stat != nil {
			continue
		}
		if _, err := s.Create(ctx, q, nil, wire.OpenACL(), wire.ModePersistent, 0); err != nil && session.Code(err) != wire.ErrNodeExists {
			return err
		}
	}
	return nil
}

// storeQuota writes the limits at q, keeping those that stand there and are not given anew.
func storeQuota(ctx context.Context, c *Call, q string, limits track) error {
	stat, err := c.Session.Exists(ctx, q+limitsNode, false)
	if err != nil {
		return err
	}
	if stat == nil {
		if _, err := c.Session.Create(ctx, q+limitsNode, []byte(limits.String()), wire.OpenACL(), wire.ModePersistent, 0); err != nil {
			return err
		}
		none := track{countKey: 0, bytesKey: 0}
		if _, err := c.Session.Create(ctx, q+statsNode, []byte(none.String()), wire.OpenACL(), wire.ModePersistent, 0); err != nil {
			return err
		}
	}
	present, err := readTrack(ctx, c.Session, q+limitsNode)
	if err != nil {
		return err
	}
	for key, n := range limits {
		if n > -1 {
			present[key] = n
		}
	}
	usage, err := readTrack(ctx, c.Session, q+statsNode)
	if err != nil {
		return err
	}
	warnOfQuota(c, present, usage)
	if stat == nil {
		return nil
	}
	_, err = c.Session.SetData(ctx, q+limitsNode, []byte(present.String()), -1)
	return err
}

func readTrack(ctx context.Context, s *session.Session, path string) (track, error) {
	data, _, err := s.GetData(ctx, path, false)
	if err != nil {
		return nil, err
	}
	return parseTrack(data)
}

// warnOfQuota says when more is used than allowed.
func warnOfQuota(c *Call, limits, usage track) {
	over := func(limit, used string) bool {
		return limits.get(limit) > -1 && limits.get(limit) < usage.get(used)
	}
	if over(countKey, countKey) || over(hardCountKey, countKey) {
		c.Out.Say("[Warning]: the count quota you create is less than the existing count:%d", usage.get(countKey))
	}
	if over(bytesKey, bytesKey) || over(hardBytesKey, bytesKey) {
		c.Out.Say("[Warning]: the bytes quota you create is less than the existing bytes:%d", usage.get(bytesKey))
	}
}
