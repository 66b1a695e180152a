package server

import (
	"context"
	"net"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"

	"holt/server/membership"

	"holt/server/admin"
	"holt/server/auth"
)

// Off in an address field says that this listener is not wanted, where the
// empty string would mean the default.
const Off = "off"

// MaxMemberID bounds Config.MemberID: the id is the top byte of every session
// id a member hands out, and 255 there marks a TTL node's owner.
const MaxMemberID = 254

// Config says how one member runs. The zero value of each field means its
// default; a Config is read once, by Start, and nothing in it is reloadable.
// Names in brackets are the ZooKeeper settings mirrored.
type Config struct {
	// MemberID is this member's id within the ensemble, 1 to MaxMemberID [myid].
	// Default 1 if Members is empty; required otherwise, and must be in it.
	MemberID uint64
	// Members is the initial ensemble [server.N]; ids and addresses are unique.
	// Read only while the log is empty: later the log says who is a member.
	// Default: this member alone, a standalone server.
	Members []Member
	// QuorumListenAll opens the port for other members on every address of the
	// machine instead of the one of its own entry [quorumListenOnAllIPs].
	QuorumListenAll bool
	// StandaloneDisabled makes an ensemble of one voter show itself as an
	// ensemble and not as standalone [standaloneEnabled=false].
	StandaloneDisabled bool
	// ReconfigEnabled permits the reconfig operation [reconfigEnabled].
	ReconfigEnabled bool

	// DataDir holds the tree; required [dataDir].
	DataDir string
	// DirsMustExist refuses to start without DataDir and LogDir instead of making
	// them, so that a disk that is not mounted is no empty server
	// [datadir.autocreate=false].
	DirsMustExist bool
	// LogDir holds the Raft log; default DataDir [dataLogDir].
	LogDir string
	// FS is the file system of both directories; default vfs.Default.
	FS vfs.FS
	// NoSync acknowledges writes before they are on disk: faster, and a power
	// failure loses acknowledged writes [forceSync=no]. For throw-away servers.
	NoSync bool
	// FsyncWarnMillis is the duration of an fsync of the log above which a
	// warning is logged, in ms; default 1000 [fsync.warningthresholdms].
	FsyncWarnMillis int
	// SnapCount is the number of log entries after which the tree is made
	// durable so that the log before it can go; default 100000, at least 2
	// [snapCount].
	SnapCount int
	// CacheBytes bounds the memory of the node cache; default 52 MiB, at least
	// 1 MiB. No ZooKeeper counterpart: there the whole tree is in memory.
	CacheBytes int64

	// ClientAddr is the host:port clients connect to, or Off for a server
	// reached by Server.Dial alone; default 0.0.0.0:2181; port 0 takes any
	// free one [clientPortAddress, clientPort].
	ClientAddr string
	// TLS is the encryption of connections.
	TLS TLS
	// TickMillis is the unit of InitLimit and SyncLimit and the grain of
	// session expiry, in ms; default 3000 [tickTime].
	TickMillis int
	// InitLimit is the time a member may take to join, in ticks; default 10
	// [initLimit].
	InitLimit int
	// SyncLimit is the time without a leader after which a member closes its
	// clients, in ticks; default 5 [syncLimit].
	SyncLimit int
	// MinSessionTimeoutMillis and MaxSessionTimeoutMillis clamp the timeout a
	// client asks for, in ms; default, also for −1, 2 and 20 ticks
	// [minSessionTimeout, maxSessionTimeout].
	MinSessionTimeoutMillis, MaxSessionTimeoutMillis int
	// LocalSessions keeps sessions to the member that their clients come to [localSessionsEnabled], until
	// they create an ephemeral node, which LocalSessionsUpgrade permits
	// [localSessionsUpgradingEnabled].
	LocalSessions, LocalSessionsUpgrade bool
	// MaxClientConns bounds the connections of one IP address; default 60,
	// negative: no bound [maxClientCnxns, where 0 is no bound].
	MaxClientConns int
	// MaxConns bounds all connections; default: no bound [maxCnxns].
	MaxConns int
	// HandshakeTimeoutMillis closes a connection that has not sent its connect
	// request by then, in ms; default 10000, negative: never
	// [nio.sessionlessCnxnTimeout].
	HandshakeTimeoutMillis int
	// TCPKeepAlive turns keep-alive probes on for client sockets
	// [clientTcpKeepAlive].
	TCPKeepAlive bool
	// MaxFrame bounds a request, in bytes; default 1048575, at least 1024
	// [jute.maxbuffer].
	MaxFrame int
	// MaxWatches bounds the watches of one connection, which is closed when it has more:
	// a watch must not be dropped in silence; default 1048576, negative: no bound.
	MaxWatches int
	// GlobalOutstandingLimit bounds the requests in progress, beyond which
	// connections with outstanding requests are not read; default 1000
	// [globalOutstandingLimit].
	GlobalOutstandingLimit int
	// RequestThrottleMax is the number of requests in progress on this member
	// beyond which others wait, looked at every RequestThrottleStallMillis
	// (default 100); default: no bound. One that waited longer than
	// ThrottledOpWaitMillis is answered with ThrottledOp; default: none is
	// [request_throttle_max_requests, request_throttle_stall_time,
	// throttled_op_wait_time].
	RequestThrottleMax, RequestThrottleStallMillis, ThrottledOpWaitMillis int
	// LargeRequestThreshold is the size in bytes past which a request is large;
	// default: none is. A connection whose request takes the large ones in
	// progress past LargeRequestMaxBytes (default 100 MiB) is closed
	// [largeRequestThreshold, largeRequestMaxBytes].
	LargeRequestThreshold, LargeRequestMaxBytes int
	// ConnTokens bounds the connect requests taken at once, ConnTokenFill of
	// which are admitted anew every ConnTokenFillMillis (defaults 1 and 1);
	// default: no bound. One too many is closed [connection_throttle_tokens,
	// connection_throttle_fill_count, connection_throttle_fill_time].
	ConnTokens, ConnTokenFill, ConnTokenFillMillis int
	// ReadOnlyMode serves clients that accept a read-only server while there is
	// no leader [readonlymode.enabled].
	ReadOnlyMode bool

	// SkipACL lets every client do everything [skipACL].
	SkipACL bool
	// SuperDigest is the digest credential of the superuser as
	// super:<base64>; default: there is none
	// [DigestAuthenticationProvider.superDigest].
	SuperDigest string
	// DigestAlg is the hash of digest identities: SHA1 (default), SHA-256,
	// SHA-384, SHA-512, MD5, SHA3-256 or SHA3-512 in Java's spelling
	// [DigestAuthenticationProvider.digestAlg].
	DigestAlg string
	// DigestDisabled refuses the digest scheme
	// [DigestAuthenticationProvider.enabled=false].
	DigestDisabled bool
	// SASL lets clients log in by SASL, unless nil [java.security.auth.login.config].
	SASL *SASLConfig
	// PeerLogin has members log in at each other by SASL, unless nil [quorum.auth.enableSasl].
	PeerLogin *PeerLogin
	// SASLScheme makes sasl a scheme of ACLs; every member has to have it alike
	// [authProvider.N=...SASLAuthenticationProvider].
	SASLScheme bool
	// AllowSASLFailedClients keeps connections whose login by SASL failed, as those of nobody,
	// unless EnforceAuthSchemes has sasl [allowSaslFailedClients].
	AllowSASLFailedClients bool
	// EnsembleScheme refuses clients that say by the scheme ensemble that they want another ensemble
	// than one of EnsembleNames [authProvider.N=...EnsembleAuthenticationProvider,
	// ensembleAuthName].
	EnsembleScheme bool
	EnsembleNames  []string
	// EnforceAuthSchemes, if not empty, are the schemes of which a client must
	// have used one before its first request [enforce.auth.enabled,
	// enforce.auth.schemes].
	EnforceAuthSchemes []string

	// EnforceQuota makes the hard limits of quotas count [enforceQuota].
	EnforceQuota bool
	// ExtendedTypes permits TTL nodes [extendedTypesEnabled].
	ExtendedTypes bool
	// ContainerCheckMillis is the period of the reaping of empty containers and
	// expired TTL nodes, in ms; default 60000 [znode.container.checkIntervalMs].
	ContainerCheckMillis int
	// ContainerMaxPerMinute bounds that reaping, in nodes per minute; default
	// 10000 [znode.container.maxPerMinute].
	ContainerMaxPerMinute int
	// ContainerMaxNeverUsedMillis reaps containers that never had a child after
	// this time, in ms; default, as in ZooKeeper 3.9: they stay
	// [znode.container.maxNeverUsedIntervalMs].
	ContainerMaxNeverUsedMillis int

	// FourLetterWords are the four-letter words answered, "*" for all; default
	// srvr, with ReadOnlyMode isro too [4lw.commands.whitelist].
	FourLetterWords []string
	// ZooKeeperPasswords gives new sessions the password that Apache ZooKeeper
	// would, a function of the id, so that they go on there after an export. Who
	// guesses an id knows the password then. Default false: random.
	ZooKeeperPasswords bool
	// Control opens the socket holt.sock in DataDir, by which programs on this
	// machine get checkpoints of the tree for backup and export. FS must be the
	// operating system's. Default false.
	Control bool
	// MetricsAddr is the host:port of GET /metrics, or Off (default)
	// [metricsProvider.httpHost, metricsProvider.httpPort].
	MetricsAddr string
	// MetricsBare leaves out what is about the process in general
	// [metricsProvider.exportJvmInfo=false].
	MetricsBare bool
	// AdminAddr is the host:port of the AdminServer, or Off (default)
	// [admin.serverAddress, admin.serverPort]. A member whose AdminAddr is taken
	// runs without, and says so in its log.
	AdminAddr string
	// AdminCommandURL is the path above its commands; default /commands
	// [admin.commandURL].
	AdminCommandURL string
	// AdminIdleTimeoutMillis closes a connection to it on which nothing moves, in
	// ms; default 30000 [admin.idleTimeout].
	AdminIdleTimeoutMillis int
	// AdminTLS has the AdminServer take TLS, by the stores of TLS.Peers, as ZooKeeper
	// does; AdminNeedClientAuth asks for the client's certificate
	// [admin.portUnification, admin.forceHttps, admin.needClientAuth].
	AdminTLS            AdminTLS
	AdminNeedClientAuth bool
	// AdminSnapshotDisabled refuses the command snapshot
	// [admin.snapshot.enabled=false]; AdminSnapshotIntervalMillis is the time between
	// two of them, in ms; default 300000, negative: no bound
	// [admin.rateLimiterIntervalInMS].
	AdminSnapshotDisabled bool
	// AdminRestoreDisabled refuses the command restore, which has the same interval of its own
	// [admin.restore.enabled=false].
	AdminRestoreDisabled        bool
	AdminSnapshotIntervalMillis int
	// Audit records who changed what [audit.enable]: in AuditFile, or, if that is
	// empty, in the member's log. A file that exceeds AuditFileBytes (default
	// 10 MiB) is put aside, and AuditFilesKept (default 10) of these are kept.
	// Start fails if the file cannot be opened.
	Audit          bool
	AuditFile      string
	AuditFileBytes int64
	AuditFilesKept int
	// InitialText is the configuration file as it was read, and Properties the
	// settings that are system properties in ZooKeeper, for operators to see;
	// default: there are none.
	InitialText string
	Properties  []admin.Property

	// OnMembers is told who the members are after each change, and at the start, where
	// reconfiguration is on and this is one of them, on a goroutine of its own. A change
	// overtaken by a later one may be left out, the last one never is. Default: nothing.
	OnMembers func(members *membership.Ensemble)

	// formatMax is apply.Config's; tests stand for other versions of the program by it.
	formatMax uint64

	// Logger takes the member's log; default: none is written.
	Logger *zap.Logger
	// Listen opens every listener, for clients, peers and HTTP; default TCP.
	Listen func(addr string) (net.Listener, error)
	// Dial connects to peers; default TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)

	clock func() time.Time // of tests; default time.Now
}

// SASLConfig is how clients log in by SASL; see package auth.
type SASLConfig = auth.SASLConfig

// AdminTLS says what the connections of the AdminServer are.
type AdminTLS byte

const (
	// AdminPlain: plaintext alone.
	AdminPlain AdminTLS = iota
	// AdminEither: the first bytes of each connection tell.
	AdminEither
	// AdminSecure: TLS alone.
	AdminSecure
)

// Member is one entry of the initial ensemble, as a server.N line says it.
type Member struct {
	// ID is the N of server.N, 1 to MaxMemberID.
	ID uint64
	// Host, QuorumPort and ElectionPort are the parts of the line. The election
	// port is not used: Raft elects over the quorum port.
	Host                     string
	QuorumPort, ElectionPort int
	// PeerAddr is the host:port for traffic between members; default
	// Host:QuorumPort.
	PeerAddr string
	// ClientAddr is the host:port this member's clients use, "" if not told.
	ClientAddr string
	// Observer marks a member that takes no part in elections and commits.
	Observer bool
}

// Standalone says whether the configuration is that of a server on its own,
// which shows the mode "standalone" and the server id 0 to operators.
func (c *Config) Standalone() bool {
	if len(c.Members) == 0 {
		return true
	}
	return len(c.Members) == 1 && !c.Members[0].Observer && !c.StandaloneDisabled
}

// Self returns the entry of this member, and false for a server without
// Members.
func (c *Config) Self() (Member, bool) {
	for _, m := range c.Members {
		if m.ID == c.MemberID {
			return m, true
		}
	}
	return Member{}, false
}

// peerListenAddr is where this member, whose entry is self, listens for the
// others.
func (c *Config) peerListenAddr(self Member) string {
	_, port, err := net.SplitHostPort(self.PeerAddr)
	if !c.QuorumListenAll || err != nil {
		return self.PeerAddr
	}
	return net.JoinHostPort("", port)
}
