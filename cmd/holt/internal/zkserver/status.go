package zkserver

import (
	"errors"
	"net"
	"strings"

	"holt/server/zoocfg"
)

// status asks the server of the configuration for its mode. It looks for the
// port where the original does: clientPort, the line of this member, that line
// in the dynamic file, secureClientPort.
func (s *Script) status(settings map[string]string) int {
	host, port, tls := or(settings["clientPortAddress"], "localhost"), settings["clientPort"], false
	if !digits(port) {
		if memberHost, memberPort := s.ownLine(settings); memberPort != "" {
			host, port = or(memberHost, host), memberPort
		}
	}
	secure := settings["secureClientPort"]
	if port == "" {
		s.say("Client port not found. Looking for secureClientPort in the static config.")
		if secure == "" {
			s.say("Unable to find either secure or unsecure client port in any configs. Terminating.")
			return 1
		}
		host, port, tls = or(settings["secureClientPortAddress"], "localhost"), secure, true
	}
	s.say("Client port found: %s. Client address: %s. Client SSL: %t.", port, host, tls)
	var flags []string
	if tls {
		flags = append([]string{}, strings.Fields(s.env["CLIENT_JVMFLAGS"]+" "+s.env["JVMFLAGS"])...)
	}
	answer, err := s.Ask(net.JoinHostPort(strings.Trim(host, "[]"), port), "srvr", flags)
	if err == nil {
		for line := range strings.SplitSeq(answer, "\n") {
			if strings.Contains(line, "Mode") {
				s.say("%s", strings.Join(strings.Fields(line), " "))
				return 0
			}
		}
		err = errors.New("the server does not serve clients")
	}
	if tls {
		s.explainTLS(secure)
		s.warn("%v", err)
	}
	s.say("Error contacting service. It is probably not running.")
	return 1
}

// ownLine finds the client part of this member's server line.
func (s *Script) ownLine(settings map[string]string) (host, port string) {
	id, err := zoocfg.MyID(settings["dataDir"])
	if err != nil {
		s.say("myid could not be determined, will not able to locate clientPort in the server configs.")
		return "", ""
	}
	key := "server." + id
	_, client, _ := strings.Cut(settings[key], ";")
	if client == "" {
		s.say("Client port not found in static config file. Looking in dynamic config file.")
		if members, err := zoocfg.Values(settings["dynamicConfigFile"]); err == nil {
			_, client, _ = strings.Cut(members[key], ";")
		}
	}
	client, _, _ = strings.Cut(strings.TrimSpace(client), ";") // a third part is the secure port
	if client == "" {
		s.say("Client port not found in the server configs")
		return "", ""
	}
	if colon := strings.LastIndexByte(client, ':'); colon >= 0 {
		host, client = strings.Trim(client[:colon], "[]"), client[colon+1:]
	}
	return host, client
}

func (s *Script) explainTLS(port string) {
	for _, line := range []string{
		" ",
		"Note: We used secureClientPort (" + port + ") to establish connection, but we failed. The 'status'",
		"  command establishes a client connection to the server to execute diagnostic commands. Please make sure you",
		"  provided all the Client SSL connection related parameters in the CLIENT_JVMFLAGS environment variable! E.g.:",
		`  CLIENT_JVMFLAGS="-Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty`,
		"  -Dzookeeper.ssl.trustStore.location=/tmp/clienttrust.jks -Dzookeeper.ssl.trustStore.password=password",
		"  -Dzookeeper.ssl.keyStore.location=/tmp/client.jks -Dzookeeper.ssl.keyStore.password=password",
		`  -Dzookeeper.client.secure=true" ./zkServer.sh status`,
		" ",
	} {
		s.say("%s", line)
	}
}

func or(value, otherwise string) string {
	if value != "" {
		return value
	}
	return otherwise
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
