package zoocfg

import (
	"math"
	"strings"

	"holt/server"
)

// Setters for fields of server.Config.

func setString(field func(*server.Config) *string) func(*reader, property, value) {
	return func(r *reader, _ property, v value) { *field(&r.cfg) = v.text }
}

func setPath(field func(*server.Config) *string) func(*reader, property, value) {
	return func(r *reader, _ property, v value) { *field(&r.cfg) = clean(v.text) }
}

func setInt(field func(*server.Config) *int) func(*reader, property, value) {
	return func(r *reader, _ property, v value) { *field(&r.cfg) = int(v.number) }
}

func setBool(field func(*server.Config) *bool) func(*reader, property, value) {
	return func(r *reader, _ property, v value) { *field(&r.cfg) = v.on }
}

// setNot is for fields that are true where the key is false, so that the zero
// value of the field is ZooKeeper's default.
func setNot(field func(*server.Config) *bool) func(*reader, property, value) {
	return func(r *reader, _ property, v value) { *field(&r.cfg) = !v.on }
}

// setIntOff is for keys in which 0 switches something off, where in the field
// 0 is the default and a negative number is off.
func setIntOff(field func(*server.Config) *int) func(*reader, property, value) {
	return func(r *reader, _ property, v value) {
		if *field(&r.cfg) = int(v.number); v.number == 0 {
			*field(&r.cfg) = -1
		}
	}
}

// usedKeys are the ones that set something.
func usedKeys() []key {
	positive := number(1, math.MaxInt32)
	return []key{
		// Identity, files, ensemble.
		{name: "dataDir", check: given, set: setPath(func(c *server.Config) *string { return &c.DataDir })},
		{name: "dataLogDir", check: given, set: setPath(func(c *server.Config) *string { return &c.LogDir })},
		{name: "server.", check: given, set: (*reader).setServer},
		{name: "dynamicConfigFile", check: given, set: func(r *reader, _ property, v value) { r.dynamicFile = v.text }},
		{name: "standaloneEnabled", check: boolean, set: setNot(func(c *server.Config) *bool { return &c.StandaloneDisabled })},
		{name: "reconfigEnabled", check: boolean, set: setBool(func(c *server.Config) *bool { return &c.ReconfigEnabled })},
		{name: "peerType", check: oneOf("participant", "observer"), set: func(r *reader, _ property, v value) { r.peerType = v.text }},
		{name: "initLimit", check: positive, set: setInt(func(c *server.Config) *int { return &c.InitLimit })},
		{name: "syncLimit", check: positive, set: setInt(func(c *server.Config) *int { return &c.SyncLimit })},

		// Clients.
		{name: "clientPort", check: port, set: func(r *reader, _ property, v value) { r.clientPort = int(v.number) }},
		{name: "clientPortAddress", check: given, set: func(r *reader, _ property, v value) { r.clientHost = unbracket(v.text) }},
		{name: "tickTime", check: positive, set: setInt(func(c *server.Config) *int { return &c.TickMillis })},
		{name: "minSessionTimeout", check: number(-1, math.MaxInt32), set: setInt(func(c *server.Config) *int { return &c.MinSessionTimeoutMillis })},
		{name: "maxSessionTimeout", check: number(-1, math.MaxInt32), set: setInt(func(c *server.Config) *int { return &c.MaxSessionTimeoutMillis })},
		{name: "maxClientCnxns", check: number(0, math.MaxInt32), set: setIntOff(func(c *server.Config) *int { return &c.MaxClientConns })},
		{name: "maxCnxns", check: number(0, math.MaxInt32), set: setInt(func(c *server.Config) *int { return &c.MaxConns })},
		{name: "nio.sessionlessCnxnTimeout", check: positive, set: setInt(func(c *server.Config) *int { return &c.HandshakeTimeoutMillis })},
		{name: "clientTcpKeepAlive", check: boolean, set: setBool(func(c *server.Config) *bool { return &c.TCPKeepAlive })},
		{name: "jute.maxbuffer", check: number(1024, 1<<30), set: (*reader).setMaxBuffer},
		{name: "globalOutstandingLimit", check: positive, set: setInt(func(c *server.Config) *int { return &c.GlobalOutstandingLimit })},
		{name: "readonlymode.enabled", check: boolean, set: setBool(func(c *server.Config) *bool { return &c.ReadOnlyMode })},

		// The tree.
		{name: "enforceQuota", check: boolean, set: setBool(func(c *server.Config) *bool { return &c.EnforceQuota })},
		{name: "extendedTypesEnabled", check: boolean, set: setBool(func(c *server.Config) *bool { return &c.ExtendedTypes })},
		{name: "znode.container.checkIntervalMs", check: positive, set: setInt(func(c *server.Config) *int { return &c.ContainerCheckMillis })},
		{name: "znode.container.maxPerMinute", check: positive, set: setInt(func(c *server.Config) *int { return &c.ContainerMaxPerMinute })},
		{name: "znode.container.maxNeverUsedIntervalMs", check: number(0, math.MaxInt32), set: setInt(func(c *server.Config) *int { return &c.ContainerMaxNeverUsedMillis })},

		// The disk.
		{name: "forceSync", check: yesNo, set: (*reader).setForceSync},
		{name: "fsync.warningthresholdms", check: positive, set: setInt(func(c *server.Config) *int { return &c.FsyncWarnMillis })},
		{name: "snapCount", check: number(2, math.MaxInt32), set: setInt(func(c *server.Config) *int { return &c.SnapCount })},

		// Operators.
		{name: "4lw.commands.whitelist", check: text, set: (*reader).setWhitelist},
		{name: "metricsProvider.className", check: given, set: func(r *reader, p property, v value) { r.metrics.class = p }},
		{name: "metricsProvider.httpHost", check: given, set: func(r *reader, _ property, v value) { r.metrics.host = unbracket(v.text) }},
		{name: "metricsProvider.httpPort", check: port, set: func(r *reader, p property, v value) { r.metrics.port = p }},
	}
}

func (r *reader) setMaxBuffer(p property, v value) {
	r.cfg.MaxFrame = int(v.number)
	if p.line > 0 {
		r.note(p, "used; ZooKeeper takes it only as -Djute.maxbuffer, so set it for its servers and clients too")
	}
}

func (r *reader) setForceSync(p property, v value) {
	r.cfg.NoSync = !v.on
	if !v.on {
		r.note(p, "writes are acknowledged before they are on disk: a power failure loses some")
	}
}

func (r *reader) setWhitelist(p property, v value) {
	r.cfg.FourLetterWords = []string{}
	for _, word := range strings.Split(v.text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			r.cfg.FourLetterWords = append(r.cfg.FourLetterWords, word)
		}
	}
}

// unbracket takes the brackets off an IPv6 address.
func unbracket(host string) string {
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		return host[1 : len(host)-1]
	}
	return host
}
