package command

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/wire"
	"holt/wire/javaprops"
)

// config: GetConfigCommand.
func config() *Command {
	return &Command{
		Name: "config", Args: "[-c] [-w] [-s]", Help: "show the members of the ensemble",
		syntax: cmdline.Syntax{Options: []cmdline.Option{
			{Name: "s", Help: "stats"}, {Name: "w", Help: "watch"}, {Name: "c", Help: "client connection string"},
		}},
		run: runConfig,
	}
}

func runConfig(ctx context.Context, c *Call) error {
	data, stat, err := c.Session.GetConfig(ctx, c.Has("w"))
	if err != nil {
		return err
	}
	text := "null"
	if data != nil {
		text = string(data)
	}
	clients := ""
	if c.Has("c") {
		clients = clientString(text, func(err error) { c.Out.Complain("%s", err) })
	}
	c.Out.Emit(render.Result{
		Data: struct {
			Config  string       `json:"config"`
			Clients string       `json:"clients,omitempty"`
			Stat    *render.Stat `json:"stat"`
		}{text, clients, render.NewStat(stat)},
		Text: func(p *render.Page) {
			if c.Has("c") {
				p.Printf("%s\n", clients)
			} else {
				p.Printf("%s\n", text)
			}
			if c.Has("s") {
				render.StatText(p, stat, c.Zone)
			}
		},
	})
	return nil
}

// clientString is the version of a configuration and where clients connect, servers in
// the order in which Java hands them out. What is not understood is complained about and left
// out. (ConfigUtils.getClientConfigStr)
func clientString(config string, complain func(error)) string {
	props, err := javaprops.Parse("configuration", config)
	if err != nil {
		complain(err)
		return ""
	}
	props = javaprops.Last(props)
	javaprops.HashOrder(props)
	version := ""
	var clients []string
	for _, p := range props {
		switch {
		case p.Key == "version":
			version = strings.TrimSpace(p.Value)
		case strings.HasPrefix(p.Key, "server."):
			m, err := parseMember(strings.TrimSpace(p.Value))
			if err != nil {
				complain(err)
				continue
			}
			clients = append(clients, m.client)
		}
	}
	return version + " " + strings.Join(clients, ",")
}

// member is a server in a configuration: host:port:port[:role][;[host:]port].
type member struct {
	address  string // host:port:port
	observer bool
	client   string // host:port; "" if the members' own configuration has it
}

const memberForm = " does not have the form server_config or server_config;client_config" +
	" where server_config is the pipe separated list of host:port:port or host:port:port:type" +
	" and client_config is port or host:port"

// parseMember: QuorumPeer.QuorumServer.
func parseMember(s string) (member, error) {
	server, client, hasClient := strings.Cut(s, ";")
	parts := hostAndPorts(server)
	if len(parts) < 3 || len(parts) > 4 || strings.Contains(client, ";") {
		return member{}, fmt.Errorf("%s%s", s, memberForm)
	}
	for _, port := range parts[1:3] {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return member{}, failf("Address unresolved: %s:%s", parts[0], port)
		}
	}
	m := member{address: strings.Join(append([]string{bracketed(javaHost(parts[0]))}, parts[1:3]...), ":")}
	if len(parts) == 4 {
		switch strings.ToLower(strings.TrimSpace(parts[3])) {
		case "observer":
			m.observer = true
		case "participant":
		default:
			return member{}, failf("Unrecognised peertype: %s", parts[3])
		}
	}
	if hasClient && client != "" {
		c := hostAndPorts(client)
		switch len(c) {
		case 1:
			m.client = "0.0.0.0:" + c[0]
		case 2:
			m.client = javaHost(c[0]) + ":" + c[1]
		default:
			return member{}, fmt.Errorf("%s%s", s, memberForm)
		}
	}
	return m, nil
}

// javaHost writes an IPv6 address as Java does, every part of it. Other hosts stay as they are.
func javaHost(host string) string {
	a, err := netip.ParseAddr(host)
	if err != nil || !a.Is6() {
		return host
	}
	b := a.As16()
	parts := make([]string, 8)
	for i := range parts {
		parts[i] = strconv.FormatUint(uint64(b[2*i])<<8|uint64(b[2*i+1]), 16)
	}
	return strings.Join(parts, ":")
}

// hostAndPorts splits at colons outside brackets, which are dropped.
func hostAndPorts(s string) []string {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		if host, ports, ok := strings.Cut(rest, "]"); ok {
			return append([]string{host}, strings.Split(strings.TrimPrefix(ports, ":"), ":")...)
		}
	}
	return strings.Split(s, ":")
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func (m member) String() string {
	s := m.address + ":participant"
	if m.observer {
		s = m.address + ":observer"
	}
	if i := strings.LastIndexByte(m.client, ':'); i >= 0 {
		s += ";" + bracketed(m.client[:i]) + m.client[i:]
	}
	return s
}

// reconfig: ReconfigCommand.
func reconfig() *Command {
	return &Command{
		Name: "reconfig", Help: "change the members of the ensemble",
		Args: "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] |" +
			" [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
		syntax: cmdline.Syntax{Options: []cmdline.Option{
			{Name: "s", Help: "stats"},
			{Name: "v", Arg: true, Help: "required current config version"},
			{Name: "file", Arg: true, Help: "path of config file to parse for membership"},
			{Name: "members", Arg: true, Help: "comma-separated list of config strings for non-incremental reconfig"},
			{Name: "add", Arg: true, Help: "comma-separated list of config strings for new servers"},
			{Name: "remove", Arg: true, Help: "comma-separated list of server IDs to remove"},
		}},
		run: runReconfig,
	}
}

func runReconfig(ctx context.Context, c *Call) error {
	req, err := reconfigRequest(c)
	if err != nil {
		return err
	}
	data, stat, err := c.Session.Reconfigure(ctx, req)
	if err != nil {
		return err
	}
	c.Out.Emit(render.Result{
		Data: struct {
			Config string       `json:"config"`
			Stat   *render.Stat `json:"stat"`
		}{string(data), render.NewStat(stat)},
		Text: func(p *render.Page) {
			p.Printf("Committed new configuration:\n%s\n", data)
			if c.Has("s") {
				render.StatText(p, stat, c.Zone)
			}
		},
	})
	return nil
}

func reconfigRequest(c *Call) (*wire.ReconfigRequest, error) {
	whole, steps := c.Has("file") || c.Has("members"), c.Has("add") || c.Has("remove")
	if !whole && !steps {
		return nil, fail(c.cmd.Usage())
	}
	req := &wire.ReconfigRequest{CurConfigID: -1}
	if c.Has("v") {
		n, err := strconv.ParseInt(c.Value("v"), 16, 64)
		if err != nil {
			return nil, fail("-v must be followed by a long (configuration version)")
		}
		req.CurConfigID = n
	}
	if whole && steps {
		return nil, fail("Can't use -file or -members together with -add or -remove" +
			" (mixing incremental and non-incremental modes is not allowed)")
	}
	if c.Has("file") && c.Has("members") {
		return nil, fail("Can't use -file and -members together (conflicting non-incremental modes)")
	}
	given := func(option string) *string {
		if !c.Has(option) {
			return nil
		}
		v := strings.ToLower(c.Value(option))
		return &v
	}
	req.JoiningServers, req.LeavingServers, req.NewMembers = given("add"), given("remove"), given("members")
	if c.Has("file") {
		members, err := membersOfFile(c.Value("file"))
		if err != nil {
			return nil, failf("Error processing %s: %v", c.Value("file"), err)
		}
		req.NewMembers = &members
	}
	return req, nil
}

// membersOfFile reads a dynamic configuration file and writes it the way members do.
// (QuorumPeerConfig.parseDynamicConfig, QuorumMaj.toString)
func membersOfFile(name string) (string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	props, err := javaprops.Parse(name, string(text))
	if err != nil {
		return "", err
	}
	props = javaprops.Last(props)
	version := int64(0)
	members := map[int64]string{}
	var ids []int64
	for _, p := range props {
		id, isServer := strings.CutPrefix(p.Key, "server.")
		switch {
		case p.Key == "version":
			version, err = strconv.ParseInt(p.Value, 16, 64)
		case !isServer:
			err = failf("Unrecognised parameter: %s", p.Key)
		default:
			var n int64
			var m member
			if n, err = strconv.ParseInt(id, 10, 64); err != nil {
				return "", failf("For input string: %q", id)
			}
			m, err = parseMember(p.Value)
			members[n] = m.String()
			ids = append(ids, n)
		}
		if err != nil {
			return "", err
		}
	}
	slices.Sort(ids)
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, "server.%d=%s\n", id, members[id])
	}
	fmt.Fprintf(&b, "version=%x", version)
	return b.String(), nil
}
