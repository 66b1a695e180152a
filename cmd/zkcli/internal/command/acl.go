package command

import (
	"context"
	"strings"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/wire"
)

// parseACL reads scheme:id:perms,… of which the id may hold colons. What is wrong in
// it is complained about and left out. (AclParser)
func parseACL(out *render.Output, s string) []wire.ACL {
	var acl []wire.ACL
	for _, a := range javaSplit(s, ",") {
		first, last := strings.IndexByte(a, ':'), strings.LastIndexByte(a, ':')
		if first == last {
			out.Complain("%s does not have the form scheme:id:perm", a)
			continue
		}
		entry := wire.ACL{Identity: wire.Identity{Scheme: a[:first], ID: a[first+1 : last]}}
		for _, letter := range a[last+1:] {
			bit, ok := render.Perm(letter)
			if !ok {
				out.Complain("Unknown perm type: %c", letter)
			}
			entry.Perms |= bit
		}
		acl = append(acl, entry)
	}
	return acl
}

// javaSplit is String.split: empty parts at the end do not count, an empty string is one part.
func javaSplit(s, sep string) []string {
	parts := strings.Split(s, sep)
	for len(parts) > 1 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	if len(parts) == 1 && parts[0] == "" && s != "" {
		return nil
	}
	return parts
}

// getACL: GetAclCommand.
func getACL() *Command {
	return &Command{
		Name: "getAcl", Args: "[-s] path", Help: "show who may do what with a node",
		syntax:   cmdline.Syntax{Options: []cmdline.Option{{Name: "s", Help: "stats"}}},
		operands: 1,
		run:      runGetACL,
	}
}

func runGetACL(ctx context.Context, c *Call) error {
	acl, stat, err := c.Session.GetACL(ctx, c.path())
	if err != nil {
		return err
	}
	c.Out.Emit(render.Result{
		Data: struct {
			Path string       `json:"path"`
			ACL  []render.ACL `json:"acl"`
			Stat *render.Stat `json:"stat"`
		}{c.path(), render.NewACLs(acl), render.NewStat(stat)},
		Text: func(p *render.Page) {
			for _, a := range acl {
				p.Printf("%s: %s\n", render.IdentityText(a.Identity), a.Perms)
			}
			if c.Has("s") {
				render.StatText(p, stat, c.Zone)
			}
		},
	})
	return nil
}

// setACL: SetAclCommand.
func setACL() *Command {
	return &Command{
		Name: "setAcl", Args: "[-s] [-v version] [-R] path acl", Help: "set who may do what with a node",
		syntax: cmdline.Syntax{Options: []cmdline.Option{
			{Name: "s", Help: "stats"}, {Name: "v", Arg: true, Help: "version"}, {Name: "R", Help: "recursive"},
		}},
		operands: 2,
		run:      runSetACL,
	}
}

func runSetACL(ctx context.Context, c *Call) error {
	acl := parseACL(c.Out, c.Args[2])
	version, err := c.version()
	if err != nil {
		return err
	}
	if c.Has("R") {
		return setACLBelow(ctx, c, acl, version)
	}
	stat, err := c.Session.SetACL(ctx, c.path(), acl, version)
	if err != nil {
		return err
	}
	c.Out.Emit(c.statResult(c.path(), stat))
	return nil
}

// setACLBelow sets the list of each node of a subtree, as far as it is allowed to.
func setACLBelow(ctx context.Context, c *Call, acl []wire.ACL, version int32) error {
	return visit(ctx, c.Session, c.path(), false, func(path string) error {
		_, err := c.Session.SetACL(ctx, path, acl, version)
		c.Out.Emit(render.Result{
			Data: struct {
				Path  string `json:"path"`
				Error string `json:"error,omitempty"`
			}{path, errorText(err)},
			Text: func(p *render.Page) { p.Printf("%s", errorText(err)) }, // without a line break, as in the original
		})
		return ctx.Err()
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
