package session

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

const defaultPort = 2181

// AddressError is why a connection string cannot be one. Its text is that of the original
// where that has one.
type AddressError string

func (e AddressError) Error() string { return string(e) }

func badAddress(format string, args ...any) error {
	return AddressError(fmt.Sprintf(format, args...))
}

// ParseServers takes a connection string apart: host:port,host:port/chroot. A
// port may be left out, IPv6 addresses stand in brackets, and the chroot is "" when
// there is none. (ConnectStringParser)
func ParseServers(s string) (servers []string, chroot string, err error) {
	hosts, path, found := strings.Cut(s, "/")
	if found && path != "" {
		chroot = "/" + path
		if err := ValidatePath(chroot); err != nil {
			return nil, "", err
		}
	}
	for _, h := range strings.Split(hosts, ",") {
		if h = strings.TrimSpace(h); h == "" {
			continue
		}
		server, err := parseServer(h)
		if err != nil {
			return nil, "", err
		}
		servers = append(servers, server)
	}
	if len(servers) == 0 {
		return nil, "", badAddress("no server in %q", s)
	}
	return servers, chroot, nil
}

func parseServer(s string) (string, error) {
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.LastIndexByte(s, ']')
		switch {
		case end < 0:
			return "", badAddress("%s starts with '[' but has no matching ']'", s)
		case end == 1:
			return "", badAddress("%s is empty.", s)
		case end+1 < len(s) && s[end+1] != ':':
			return "", badAddress("%s does not have : after ]", s)
		case end+2 == len(s):
			return "", badAddress("%s doesn't have a port after colon.", s)
		}
		host = s[1:end]
		if end+2 < len(s) {
			port = s[end+2:]
		}
	} else if i := strings.LastIndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i+1:]
	}
	if port == "" {
		port = strconv.Itoa(defaultPort)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", badAddress("%s has no port but %q after the colon", s, port)
	}
	return net.JoinHostPort(host, port), nil
}
