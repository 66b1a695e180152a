package zoocfg

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"holt/server"
	"holt/wire/javaprops"
)

// serverLine is one server.N, from whichever file.
type serverLine struct {
	property
	member     server.Member
	clientHost string // "" if the line has none
	clientPort int    // 0 if the line has no client part
}

const serverForm = "write server.N=host:quorumPort:electionPort[:participant|:observer][;[clientHost:]clientPort]"

func (r *reader) setServer(p property, v value) {
	id, err := strconv.ParseUint(strings.TrimPrefix(p.key, "server."), 10, 64)
	if err != nil {
		r.fail(p, fmt.Sprintf("unknown key %q", p.key), serverForm)
		return
	}
	if id < 1 || id > server.MaxMemberID {
		r.fail(p, fmt.Sprintf("%s: the id of a member is 1 to %d", p.key, server.MaxMemberID), "number it anew, and its myid file too")
		return
	}
	line, err := parseServer(v.text)
	if err != nil {
		r.fail(p, fmt.Sprintf("%s=%s: %v", p.key, shorten(v.text), err), serverForm)
		return
	}
	if strings.Contains(v.text, "|") {
		r.note(p, "of several addresses Holt takes the first")
	}
	line.property, line.member.ID = p, id
	r.server[id] = line
}

// parseServer reads the value of server.N (reference: QuorumPeer.QuorumServer).
func parseServer(text string) (serverLine, error) {
	var line serverLine
	parts := strings.Split(strings.TrimRight(text, ";"), ";")
	first, _, _ := strings.Cut(parts[0], "|")
	fields, err := splitHostPorts(first)
	if err != nil {
		return line, err
	}
	if len(fields) < 3 || len(fields) > 4 {
		return line, errors.New("not host:port:port or host:port:port:role")
	}
	m := &line.member
	m.Host = fields[0]
	if m.QuorumPort, err = parsePort("quorum", fields[1]); err != nil {
		return line, err
	}
	if m.ElectionPort, err = parsePort("election", fields[2]); err != nil {
		return line, err
	}
	if m.QuorumPort == m.ElectionPort {
		return line, fmt.Errorf("quorum and election port are both %d", m.QuorumPort)
	}
	if len(fields) == 4 {
		role, err := oneOf("participant", "observer")(fields[3])
		if err != nil {
			return line, fmt.Errorf("role %q is %w", fields[3], err)
		}
		m.Observer = role.text == "observer"
	}
	if len(parts) > 2 {
		return line, errors.New("a third part, the port for TLS, is of ZooKeeper 3.10: set secureClientPort instead")
	}
	if len(parts) > 1 {
		return line, line.parseClientPart(parts[1])
	}
	return line, nil
}

func (l *serverLine) parseClientPart(text string) error {
	fields, err := splitHostPorts(text)
	if err != nil {
		return err
	}
	switch len(fields) {
	case 1:
		l.clientHost = "0.0.0.0"
	case 2:
		l.clientHost = fields[0]
	default:
		return fmt.Errorf("client part %q is not port or host:port", text)
	}
	if l.clientPort, err = parsePort("client", fields[len(fields)-1]); err != nil {
		return err
	}
	l.member.ClientAddr = net.JoinHostPort(l.clientHost, strconv.Itoa(l.clientPort))
	return nil
}

// splitHostPorts splits at colons, save those of an IPv6 address in brackets,
// which lose their brackets.
func splitHostPorts(text string) ([]string, error) {
	var fields []string
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "[") {
		host, rest, ok := strings.Cut(text[1:], "]")
		if !ok || rest != "" && rest[0] != ':' {
			return nil, fmt.Errorf("the bracket of %q is not closed", text)
		}
		if net.ParseIP(host) == nil && !strings.Contains(host, "%") {
			return nil, fmt.Errorf("%q is not an IPv6 address", host)
		}
		fields = append(fields, host)
		if rest == "" {
			return fields, nil
		}
		text = rest[1:]
	}
	for _, field := range strings.Split(text, ":") {
		if field = strings.TrimSpace(field); field == "" {
			return nil, errors.New("a part is empty")
		}
		fields = append(fields, field)
	}
	return fields, nil
}

func parsePort(which, text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s port %q is not 1 to 65535", which, text)
	}
	return int(n), nil
}

// finishEnsemble settles the members and which of them this is.
func (r *reader) finishEnsemble() {
	if r.dynamicFile != "" {
		r.readDynamic()
	}
	for _, line := range r.server {
		r.cfg.Members = append(r.cfg.Members, line.member)
	}
	slices.SortFunc(r.cfg.Members, func(a, b server.Member) int { return int(a.ID) - int(b.ID) })
	r.cfg.MemberID = r.opts.MyID
	if r.opts.MyID != 0 {
		r.seen[myIDKey] = property{file: "--myid"}
	}
	if len(r.server) == 0 && r.cfg.MemberID == 0 {
		r.cfg.MemberID = 1 // as in the session ids of a standalone ZooKeeper
	}
	if len(r.cfg.Members) == 0 || len(r.errs) > 0 {
		return
	}
	if r.cfg.MemberID == 0 {
		r.readMyID()
	}
	self, ok := r.server[r.cfg.MemberID]
	if !ok {
		return
	}
	if p := r.seen["peerType"]; r.peerType != "" && (r.peerType == "observer") != self.member.Observer {
		r.note(p, fmt.Sprintf("%s says otherwise, and that counts", self.key))
	}
	r.noteEvenEnsemble()
}

// readDynamic reads the members from the file that dynamicConfigFile names.
func (r *reader) readDynamic() {
	named := r.seen["dynamicConfigFile"]
	if len(r.server) > 0 {
		r.fail(named, "dynamicConfigFile and server lines in one file", "move the server lines there")
		return
	}
	text, err := r.opts.ReadFile(r.dynamicFile)
	if err != nil {
		r.fail(named, fmt.Sprintf("dynamicConfigFile=%s: cannot be read: %s", r.dynamicFile, javaprops.Reason(err)),
			"name an existing file, by its full path")
		return
	}
	props, err := parseProperties(r.dynamicFile, string(text))
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	allowed := func(p property) bool {
		return strings.HasPrefix(p.key, "server.") || strings.HasPrefix(p.key, "group.") ||
			strings.HasPrefix(p.key, "weight.") || p.key == "version"
	}
	members := props[:0:0]
	for _, p := range props {
		if allowed(p) {
			members = append(members, p)
		} else {
			r.fail(p, fmt.Sprintf("key %q in a dynamic configuration file", p.key), "move the line to "+r.path)
		}
	}
	r.settings(members)
}

// readMyID finds out which member this is. A server that is the only voter may
// go without the file, as in ZooKeeper.
func (r *reader) readMyID() {
	if r.cfg.DataDir == "" {
		return // told already
	}
	name := filepath.Join(r.cfg.DataDir, "myid")
	example := r.cfg.Members[0].ID
	write := fmt.Sprintf("write this member's N of server.N into it, as: echo %d > %s", example, name)
	text, err := r.opts.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && r.cfg.Standalone() {
		r.cfg.MemberID = example
		return
	}
	if err != nil {
		r.errs = append(r.errs, &Error{File: name, Cause: "cannot be read: " + javaprops.Reason(err), Remedy: write})
		return
	}
	content := strings.TrimSpace(string(text))
	id, err := strconv.ParseUint(content, 10, 64)
	if err != nil {
		r.errs = append(r.errs, &Error{File: name, Line: 1, Cause: fmt.Sprintf("%q is not a number", shorten(content)), Remedy: write})
		return
	}
	if _, ok := r.server[id]; !ok {
		r.errs = append(r.errs, &Error{File: name, Line: 1, Cause: fmt.Sprintf("member %d has no server.%d line in %s", id, id, r.membersFile()),
			Remedy: "add the line, or mend the file"})
		return
	}
	r.cfg.MemberID = id
	r.seen[myIDKey] = property{file: name, line: 1}
}

func (r *reader) membersFile() string {
	if r.dynamicFile != "" {
		return r.dynamicFile
	}
	return r.path
}

func (r *reader) noteEvenEnsemble() {
	voters := 0
	for _, m := range r.cfg.Members {
		if !m.Observer {
			voters++
		}
	}
	if voters%2 == 0 {
		r.notes = append(r.notes, Note{File: r.membersFile(), Key: "server.N", Text: fmt.Sprintf(
			"%d members that vote survive the failure of %d, as %d would; an odd number is better", voters, voters/2-1, voters-1)})
	}
}

// finishClientAddr settles where clients are served: clientPort, or the client part of this
// member's own line. Both together must say the same, of which clientPortAddress may be all
// addresses. ZooKeeper: QuorumPeerConfig.setupClientPort.
func (r *reader) finishClientAddr() {
	if r.clientPort == 0 {
		if p, ok := r.seen["clientPortAddress"]; ok {
			r.fail(p, "clientPortAddress without clientPort", "add a line clientPort=2181")
			return
		}
	}
	self, ok := r.server[r.cfg.MemberID]
	if !ok || self.clientPort == 0 {
		r.cfg.ClientAddr = r.configuredClientAddr()
		return
	}
	r.cfg.ClientAddr = self.member.ClientAddr
	if port := r.clientPort; port != 0 && port != self.clientPort {
		r.fail(r.seen["clientPort"], fmt.Sprintf("clientPort=%d, but %s says %d", port, self.key, self.clientPort), "remove one of them")
	}
	if host := r.clientHost; !anyHost(host) && !sameHost(host, self.clientHost) {
		r.fail(r.seen["clientPortAddress"], fmt.Sprintf("clientPortAddress=%s, but %s says %s", host, self.key, self.clientHost), "remove one of them")
	}
	r.seen["clientPort"] = self.property
	if r.clientHost == "" {
		r.seen["clientPortAddress"] = self.property
	}
}

// configuredClientAddr is what clientPort and clientPortAddress say.
func (r *reader) configuredClientAddr() string {
	if r.clientPort == 0 {
		if r.cfg.TLS.Addr == "" {
			r.notes = append(r.notes, Note{File: r.path, Key: "clientPort", Text: "not set: this member serves no clients"})
		}
		return server.Off
	}
	host := r.clientHost
	if host == "" {
		host = "0.0.0.0"
	}
	return net.JoinHostPort(host, strconv.Itoa(r.clientPort))
}

// anyHost reports whether a host stands for all addresses of this machine.
func anyHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// sameHost compares hosts without asking anybody; that localhost is 127.0.0.1 is known.
func sameHost(a, b string) bool {
	if a == b {
		return true
	}
	x, y := literal(a), literal(b)
	return x != nil && x.Equal(y)
}

func literal(host string) net.IP {
	if host == "localhost" {
		return net.IPv4(127, 0, 0, 1)
	}
	return net.ParseIP(host)
}
