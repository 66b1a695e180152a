package zoocfg

import (
	"fmt"
	"math"
	"strings"

	"holt/server"
	"holt/server/admin"
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

// setIntOff is for keys in which 0 or less switches something off, where in the field
// 0 is the default and a negative number is off.
func setIntOff(field func(*server.Config) *int) func(*reader, property, value) {
	return func(r *reader, _ property, v value) {
		if *field(&r.cfg) = int(v.number); v.number <= 0 {
			*field(&r.cfg) = -1
		}
	}
}

// setIntOrNone is for keys in which 0 or less is no bound, as 0 is in the field.
func setIntOrNone(field func(*server.Config) *int) func(*reader, property, value) {
	return func(r *reader, _ property, v value) { *field(&r.cfg) = max(int(v.number), 0) }
}

// usedKeys are the ones that set something.
func usedKeys() []key {
	positive := number(1, math.MaxInt32)
	return []key{
		// Identity, files, ensemble.
		{name: "dataDir", check: given,
			help: "directory of the tree, and of `myid`; required",
			set:  setPath(func(c *server.Config) *string { return &c.DataDir })},
		{name: "dataLogDir", check: given,
			help: "directory of the Raft log, best on a disk of its own; default `dataDir`",
			set:  setPath(func(c *server.Config) *string { return &c.LogDir })},
		{name: "datadir.autocreate", check: boolean,
			help: "false: refuse to start without these directories instead of making them; default true",
			set:  setNot(func(c *server.Config) *bool { return &c.DirsMustExist })},
		{name: "server.", check: given,
			help: "a member of the ensemble: `host:quorumPort:electionPort[:participant\\|:observer][;[clientHost:]clientPort]`, N from 1 to 254. Raft needs the quorum port alone. Read while the log is empty: later the log says who is a member",
			set:  (*reader).setServer},
		{name: "dynamicConfigFile", check: given,
			help: "file that holds the `server.N` lines instead of this one",
			set:  func(r *reader, _ property, v value) { r.dynamicFile = v.text }},
		{name: "quorumListenOnAllIPs", check: boolean,
			help: "open the quorum port on every address of the machine instead of the host of the server line; default false",
			set:  setBool(func(c *server.Config) *bool { return &c.QuorumListenAll })},
		{name: "standaloneEnabled", check: boolean,
			help: "true (default): an ensemble of one voter is a standalone server, which needs no `myid`",
			set:  setNot(func(c *server.Config) *bool { return &c.StandaloneDisabled })},
		{name: "reconfigEnabled", check: boolean,
			help: "permit the reconfig operation; default false",
			set:  setBool(func(c *server.Config) *bool { return &c.ReconfigEnabled })},
		{name: "localSessionsEnabled", check: boolean,
			help: "sessions are known to the member alone that their clients come to, and over when they go elsewhere; default false",
			set:  setBool(func(c *server.Config) *bool { return &c.LocalSessions })},
		{name: "localSessionsUpgradingEnabled", check: boolean,
			help: "the first ephemeral node makes a local session one of the ensemble, instead of being refused; default false",
			set:  setBool(func(c *server.Config) *bool { return &c.LocalSessionsUpgrade })},
		{name: "peerType", check: oneOf("participant", "observer"),
			help: "participant or observer; the role in the server line wins",
			set:  func(r *reader, _ property, v value) { r.peerType = v.text }},
		{name: "initLimit", check: positive,
			help: "ticks a member may take to join; default 10",
			set:  setInt(func(c *server.Config) *int { return &c.InitLimit })},
		{name: "syncLimit", check: positive,
			help: "ticks without a leader after which a member closes its clients; default 5",
			set:  setInt(func(c *server.Config) *int { return &c.SyncLimit })},

		// Clients.
		{name: "clientPort", check: port,
			help: "port for clients; may stand in the server line instead",
			set:  func(r *reader, _ property, v value) { r.clientPort = int(v.number) }},
		{name: "clientPortAddress", check: given,
			help: "address that port is opened on; default all",
			set:  func(r *reader, _ property, v value) { r.clientHost = unbracket(v.text) }},
		{name: "tickTime", check: positive,
			help: "the tick in ms, the grain of session expiry; default 3000",
			set:  setInt(func(c *server.Config) *int { return &c.TickMillis })},
		{name: "minSessionTimeout", check: number(-1, math.MaxInt32),
			help: "least session timeout in ms; default 2 ticks",
			set:  setInt(func(c *server.Config) *int { return &c.MinSessionTimeoutMillis })},
		{name: "maxSessionTimeout", check: number(-1, math.MaxInt32),
			help: "greatest session timeout in ms; default 20 ticks",
			set:  setInt(func(c *server.Config) *int { return &c.MaxSessionTimeoutMillis })},
		{name: "maxClientCnxns", check: anyNumber,
			help: "connections per client address; default 60, 0 or less: no bound",
			set:  setIntOff(func(c *server.Config) *int { return &c.MaxClientConns })},
		{name: "maxCnxns", check: anyNumber,
			help: "connections in all; default 0: no bound",
			set:  setIntOrNone(func(c *server.Config) *int { return &c.MaxConns })},
		{name: "nio.sessionlessCnxnTimeout", check: positive,
			help: "ms after which a connection that has not asked for a session is closed; default 10000",
			set:  setInt(func(c *server.Config) *int { return &c.HandshakeTimeoutMillis })},
		{name: "clientTcpKeepAlive", check: boolean,
			help: "keep-alive probes on client connections; default false",
			set:  setBool(func(c *server.Config) *bool { return &c.TCPKeepAlive })},
		{name: "jute.maxbuffer", check: number(1024, 1<<30),
			help: "greatest request in bytes; default 1048575",
			set:  (*reader).setMaxBuffer},
		{name: "globalOutstandingLimit", check: positive,
			help: "requests in progress beyond which busy connections are not read; default 1000",
			set:  setInt(func(c *server.Config) *int { return &c.GlobalOutstandingLimit })},
		{name: "request_throttle_max_requests", check: anyNumber,
			help: "requests in progress beyond which others wait; default 0, no bound",
			set:  setIntOrNone(func(c *server.Config) *int { return &c.RequestThrottleMax })},
		{name: "request_throttle_stall_time", check: positive,
			help: "time in ms between two looks of a request that waits; default 100",
			set:  setInt(func(c *server.Config) *int { return &c.RequestThrottleStallMillis })},
		{name: "throttled_op_wait_time", check: anyNumber,
			help: "time in ms after which a request that waited is answered ThrottledOp; default 0, none is",
			set:  setIntOrNone(func(c *server.Config) *int { return &c.ThrottledOpWaitMillis })},
		{name: "largeRequestThreshold", check: anyNumber,
			help: "size in bytes past which a request is large; default -1, none is",
			set:  setInt(func(c *server.Config) *int { return &c.LargeRequestThreshold })},
		{name: "largeRequestMaxBytes", check: positive,
			help: "bytes of large requests in progress past which a connection is closed; default 104857600",
			set:  setInt(func(c *server.Config) *int { return &c.LargeRequestMaxBytes })},
		{name: "connection_throttle_tokens", check: number(0, math.MaxInt32),
			help: "connect requests taken at once; default 0, no bound",
			set:  setInt(func(c *server.Config) *int { return &c.ConnTokens })},
		{name: "connection_throttle_fill_count", check: positive,
			help: "connect requests admitted anew each connection_throttle_fill_time; default 1",
			set:  setInt(func(c *server.Config) *int { return &c.ConnTokenFill })},
		{name: "connection_throttle_fill_time", check: positive,
			help: "that time in ms; default 1",
			set:  setInt(func(c *server.Config) *int { return &c.ConnTokenFillMillis })},
		{name: "readonlymode.enabled", check: boolean,
			help: "serve clients that accept a read-only server while there is no leader; default false",
			set:  setBool(func(c *server.Config) *bool { return &c.ReadOnlyMode })},

		// The tree.
		{name: "enforceQuota", check: boolean,
			help: "hard limits of quotas count; default false",
			set:  setBool(func(c *server.Config) *bool { return &c.EnforceQuota })},
		{name: "extendedTypesEnabled", check: boolean,
			help: "permit TTL nodes; default false",
			set:  setBool(func(c *server.Config) *bool { return &c.ExtendedTypes })},
		{name: "holt.sessionPasswords", check: oneOf("random", "zookeeper"),
			help: "`zookeeper`: new sessions get the password that ZooKeeper computes of the id, so that they go on there after `holt export`; whoever guesses an id then knows the password. Default `random`",
			set:  func(r *reader, _ property, v value) { r.cfg.ZooKeeperPasswords = v.text == "zookeeper" }},
		{name: "znode.container.checkIntervalMs", check: positive,
			help: "ms between the reaping of empty containers and expired TTL nodes; default 60000",
			set:  setInt(func(c *server.Config) *int { return &c.ContainerCheckMillis })},
		{name: "znode.container.maxPerMinute", check: positive,
			help: "nodes reaped per minute at most; default 10000",
			set:  setInt(func(c *server.Config) *int { return &c.ContainerMaxPerMinute })},
		{name: "znode.container.maxNeverUsedIntervalMs", check: number(0, math.MaxInt32),
			help: "ms after which a container that never had a child is reaped; default 0: never",
			set:  setInt(func(c *server.Config) *int { return &c.ContainerMaxNeverUsedMillis })},

		// The disk.
		{name: "forceSync", check: yesNo,
			help: "no: acknowledge writes before they are on disk, at the price of losing some in a power failure; default yes",
			set:  (*reader).setForceSync},
		{name: "fsync.warningthresholdms", check: positive,
			help: "ms above which an fsync of the log is warned of; default 1000",
			set:  setInt(func(c *server.Config) *int { return &c.FsyncWarnMillis })},
		{name: "snapCount", check: number(2, math.MaxInt32),
			help: "log entries after which the tree is made durable, so that the log before it can go; default 100000",
			set:  setInt(func(c *server.Config) *int { return &c.SnapCount })},

		// Operators.
		{name: "4lw.commands.whitelist", check: text,
			help: "four-letter words that are answered, `*` for all; `srvr` always",
			set:  (*reader).setWhitelist},
		{name: "metricsProvider.className", check: given,
			help: "`org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider` opens `/metrics`",
			set:  func(r *reader, p property, v value) { r.metrics.class = p }},
		{name: "metricsProvider.httpHost", check: given,
			help: "address of `/metrics`; default all",
			set:  func(r *reader, _ property, v value) { r.metrics.host = unbracket(v.text) }},
		{name: "metricsProvider.exportJvmInfo", check: boolean,
			help: "false: leave what is about the process in general out of `/metrics`; default true",
			set:  setNot(func(c *server.Config) *bool { return &c.MetricsBare })},
		{name: "metricsProvider.httpPort", check: port,
			help: "port of `/metrics`; default 7000",
			set:  func(r *reader, p property, v value) { r.metrics.port = p }},
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
			if word != "*" && !admin.IsWord(word) {
				r.note(p, fmt.Sprintf("%q is no four-letter word: nothing answers to it", word))
			}
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
