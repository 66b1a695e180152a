package membership

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// IDMax is the greatest id of a server: ids are the top byte of session ids.
const IDMax = 254

// Server is one member.
type Server struct {
	ID                       uint64
	Host                     string // without brackets
	QuorumPort, ElectionPort int
	Observer                 bool
	// ClientHost and ClientPort are where clients connect; port 0: not told.
	ClientHost string
	ClientPort int
}

// Spec is the part of a server's line behind the equals sign.
func (s *Server) Spec() string {
	role := "participant"
	if s.Observer {
		role = "observer"
	}
	spec := fmt.Sprintf("%s:%d:%d:%s", bracketed(s.Host), s.QuorumPort, s.ElectionPort, role)
	if s.ClientPort != 0 {
		spec += ";" + s.ClientAddr()
	}
	return spec
}

// Line is the server's line.
func (s *Server) Line() string { return fmt.Sprintf("server.%d=%s", s.ID, s.Spec()) }

// PeerAddr is the host:port for the other members.
func (s *Server) PeerAddr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.QuorumPort)) }

// ClientAddr is the host:port for clients, "" if it is not told.
func (s *Server) ClientAddr() string {
	if s.ClientPort == 0 {
		return ""
	}
	return net.JoinHostPort(s.ClientHost, strconv.Itoa(s.ClientPort))
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

var (
	errForm  = errors.New("not host:port:port[:role][;[host:]port]")
	errPort  = errors.New("a port is no number")
	errRange = errors.New("a port is not 0 to 65535")
)

// ParseServer reads a server's spec. errRange is told apart from the others because
// the original stumbles over such a port where it refuses the rest.
func ParseServer(id uint64, spec string) (Server, error) {
	s := Server{ID: id}
	parts := strings.Split(strings.TrimRight(spec, ";"), ";")
	if len(parts) == 2 {
		if err := s.parseClient(parts[1]); err != nil {
			return s, err
		}
	}
	fields := hostAndPorts(parts[0])
	if len(parts) > 2 || strings.Contains(parts[0], "|") || len(fields) < 3 || len(fields) > 4 {
		return s, errForm
	}
	s.Host = fields[0]
	var err error
	if s.QuorumPort, err = parsePort(fields[1]); err != nil {
		return s, err
	}
	if s.ElectionPort, err = parsePort(fields[2]); err != nil {
		return s, err
	}
	if s.QuorumPort == s.ElectionPort {
		return s, errors.New("quorum and election port are the same")
	}
	if len(fields) == 4 {
		switch strings.ToLower(strings.TrimSpace(fields[3])) {
		case "observer":
			s.Observer = true
		case "participant":
		default:
			return s, fmt.Errorf("role %q is not participant or observer", fields[3])
		}
	}
	return s, nil
}

func (s *Server) parseClient(part string) error {
	fields := hostAndPorts(part)
	s.ClientHost = "0.0.0.0"
	switch len(fields) {
	case 1:
	case 2:
		s.ClientHost = fields[0]
	default:
		return errForm
	}
	var err error
	s.ClientPort, err = parsePort(fields[len(fields)-1])
	return err
}

func parsePort(text string) (int, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, errPort
	}
	if n < 0 || n > 65535 {
		return 0, errRange
	}
	return int(n), nil
}

// hostAndPorts splits at colons outside brackets, which are dropped.
// ZooKeeper: ConfigUtils.getHostAndPort.
func hostAndPorts(text string) []string {
	if rest, ok := strings.CutPrefix(text, "["); ok {
		if host, ports, ok := strings.Cut(rest, "]"); ok {
			if ports = strings.TrimPrefix(ports, ":"); ports == "" {
				return []string{host}
			}
			return append([]string{host}, strings.Split(ports, ":")...)
		}
	}
	return strings.Split(text, ":")
}

// addresses are those that no other server may have: not those of this machine or of all its
// addresses, which mean another one elsewhere. Names are compared as they are written.
// ZooKeeper: QuorumServer.checkAddressDuplicate.
func (s *Server) addresses() []string {
	var list []string
	add := func(host string, port int) {
		ip, err := netip.ParseAddr(host)
		if host == "localhost" || err == nil && (ip.IsLoopback() || ip.IsUnspecified()) {
			return
		}
		list = append(list, net.JoinHostPort(host, strconv.Itoa(port)))
	}
	add(s.Host, s.QuorumPort)
	add(s.Host, s.ElectionPort)
	if s.ClientPort != 0 {
		add(s.ClientHost, s.ClientPort)
	}
	return list
}
