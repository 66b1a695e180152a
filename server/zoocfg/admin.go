package zoocfg

import (
	"errors"
	"math"
	"net"
	"strings"

	"holt/server"
	"holt/server/admin"
)

// adminSettings are the lines of the AdminServer that matter together.
type adminSettings struct {
	off        bool
	unified    bool // TLS too
	forced     bool // TLS alone
	host, port string
}

// adminKeys are those of section "AdminServer".
func adminKeys() []key {
	return []key{
		{name: "admin.enableServer", check: boolean,
			help: "false: no AdminServer; default true",
			set:  func(r *reader, _ property, v value) { r.admin.off = !v.on }},
		{name: "admin.serverAddress", check: given,
			help: "address of the AdminServer; default all",
			set:  func(r *reader, _ property, v value) { r.admin.host = unbracket(v.text) }},
		{name: "admin.serverPort", check: port,
			help: "port of the AdminServer; default 8080. If it is taken, the member runs without",
			set:  func(r *reader, _ property, v value) { r.admin.port = v.text }},
		{name: "admin.commandURL", check: commandURL,
			help: "path above its commands; default /commands",
			set:  setString(func(c *server.Config) *string { return &c.AdminCommandURL })},
		{name: "admin.idleTimeout", check: number(1, math.MaxInt32),
			help: "ms after which a connection to it on which nothing moves is closed; default 30000",
			set:  setInt(func(c *server.Config) *int { return &c.AdminIdleTimeoutMillis })},
		{name: "admin.snapshot.enabled", check: boolean,
			help: "false: refuse the command snapshot; default true",
			set:  setNot(func(c *server.Config) *bool { return &c.AdminSnapshotDisabled })},
		{name: "admin.rateLimiterIntervalInMS", check: number(0, math.MaxInt32),
			help: "ms between two snapshots, and between two restores; default 300000, 0: no bound",
			set:  setIntOff(func(c *server.Config) *int { return &c.AdminSnapshotIntervalMillis })},
		{name: "admin.restore.enabled", check: boolean,
			help: "false: refuse the command restore; default true",
			set:  setNot(func(c *server.Config) *bool { return &c.AdminRestoreDisabled })},
		{name: "admin.httpVersion", check: anyNumber, note: "not used: HTTP 1.1 is spoken"},
		{name: "admin.portUnification", check: boolean,
			help: "take HTTPS too, by the stores of `ssl.quorum.*`; default false",
			set:  func(r *reader, _ property, v value) { r.admin.unified = v.on }},
		{name: "admin.forceHttps", check: boolean,
			help: "take HTTPS alone, by the same stores; default false",
			set:  func(r *reader, _ property, v value) { r.admin.forced = v.on }},
		{name: "admin.needClientAuth", check: boolean,
			help: "refuse its clients without a certificate; default false",
			set:  setBool(func(c *server.Config) *bool { return &c.AdminNeedClientAuth })},
	}
}

func commandURL(s string) (value, error) {
	if !strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") || strings.ContainsAny(s, " {}?#") {
		return value{}, errors.New("not a path like /commands")
	}
	return text(s)
}

// finishAdmin opens the AdminServer, which is on unless switched off, as in
// ZooKeeper 3.9.
func (r *reader) finishAdmin() {
	if r.admin.off {
		r.cfg.AdminAddr = server.Off
		return
	}
	host, port := "0.0.0.0", "8080"
	if r.admin.host != "" {
		host = r.admin.host
	}
	if r.admin.port != "" {
		port = r.admin.port
	}
	r.cfg.AdminAddr = net.JoinHostPort(host, port)
	switch {
	case r.admin.forced:
		r.cfg.AdminTLS = server.AdminSecure
	case r.admin.unified:
		r.cfg.AdminTLS = server.AdminEither
	}
}

// keepProperty notes a setting under the name that it has as a property of the
// original's JVM, for operators to see.
func (r *reader) keepProperty(p property) {
	if native(p.key) {
		return
	}
	name := "zookeeper." + p.key
	for _, bare := range []string{"jute.maxbuffer", "java.", "readonlymode.enabled", "znode.container."} {
		if strings.HasPrefix(p.key, bare) {
			name = p.key
		}
	}
	value := p.value
	if secret(p.key) {
		value = hidden // everybody may ask for them; ZooKeeper tells
	}
	for i := range r.cfg.Properties {
		if r.cfg.Properties[i].Name == name {
			r.cfg.Properties[i].Value = value // a later source wins
			return
		}
	}
	r.cfg.Properties = append(r.cfg.Properties, admin.Property{Name: name, Value: value})
}

// native tells the keys that the original reads itself from those that it makes a
// property. ZooKeeper: QuorumPeerConfig.parseProperties
func native(key string) bool {
	for _, prefix := range []string{"autopurge.", "metricsProvider.", "quorum.auth.", "jvm.pause.", "multiAddress."} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	switch key {
	case "dataDir", "dataLogDir", "clientPort", "clientPortAddress", "clientPortListenBacklog", "secureClientPort", "secureClientPortAddress",
		"localSessionsEnabled", "localSessionsUpgradingEnabled", "observerMasterPort", "tickTime", "maxClientCnxns", "minSessionTimeout",
		"maxSessionTimeout", "initLimit", "syncLimit", "connectToLearnerMasterLimit", "electionAlg", "quorumListenOnAllIPs", "peerType", "syncEnabled",
		"dynamicConfigFile", "standaloneEnabled", "reconfigEnabled", "sslQuorum", "portUnification", "sslQuorumReloadCertFiles", "oraclePath",
		"quorum.cnxn.threads.size", "version":
		return true
	}
	return false
}
