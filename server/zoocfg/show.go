package zoocfg

import (
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"holt/server"
	"holt/wire/javaprops"
)

// Setting is the effective value of one key, and where it comes from.
type Setting struct {
	Key, Value string
	// File and Line are the place that set it: a file, or the name of a Source
	// with line 0; "" for a default.
	File string
	Line int
}

// Default says whether nothing set the key.
func (s Setting) Default() bool { return s.File == "" }

// Origin is "default", "file:line" or the name of a Source.
func (s Setting) Origin() string {
	if s.Default() {
		return "default"
	}
	return javaprops.Place(s.File, s.Line)
}

// myIDKey is no key, but is shown as one.
const myIDKey = "myid"

// hidden stands for the value of a secret.
const hidden = "********"

// Settings are this member's id, as if it were a key myid, and all keys that Holt
// uses, in the order of docs/configuration.md.
// One that was not given has the value that holds without it, "" for none; of
// those that end in a number or a name, as server.1, there are the given ones.
// Secrets are not shown.
func (res *Result) Settings() []Setting {
	cfg := res.Config.Effective()
	values := effective()
	id := res.given[myIDKey]
	all := []Setting{{Key: myIDKey, Value: strconv.FormatUint(cfg.MemberID, 10), File: id.file, Line: id.line}}
	for _, k := range keyTable() {
		if k.set == nil {
			continue
		}
		names := []string{k.name}
		if strings.HasSuffix(k.name, ".") {
			names = res.givenBelow(&k)
		}
		for _, name := range names {
			p := res.given[name]
			value := p.value
			if of, ok := values[name]; ok {
				value = of(&cfg)
			} else if p.key == "" {
				value = defaultOf(k.help)
			}
			if secret(name) && value != "" {
				value = hidden
			}
			all = append(all, Setting{Key: name, Value: value, File: p.file, Line: p.line})
		}
	}
	return all
}

// defaultValue is how the help of a key ends in its default.
var defaultValue = regexp.MustCompile("default (true|false|yes|no|-?[0-9]+)\\b|`([a-z]+)` \\(default\\)")

// defaultOf is the default that the help of a key names, "" if it is no value but
// words.
func defaultOf(help string) string {
	found := defaultValue.FindStringSubmatch(help)
	if found == nil {
		return ""
	}
	return found[1] + found[2]
}

// givenBelow are the keys that were given and belong to k, a prefix.
func (res *Result) givenBelow(k *key) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(res.given)) {
		if row, ok := lookup(name); ok && row.name == k.name {
			names = append(names, name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return len(a) - len(b) }) // 2 before 10
	return names
}

func secret(name string) bool {
	last := strings.ToLower(name[strings.LastIndex(name, ".")+1:])
	return strings.HasSuffix(last, "password") || last == "superdigest"
}

// effective are the values of keys in a configuration with its defaults filled
// in. A key without an entry has the value that was given, or the default that its
// help names.
func effective() map[string]func(*server.Config) string {
	number := func(field func(*server.Config) int) func(*server.Config) string {
		return func(c *server.Config) string { return strconv.Itoa(max(field(c), 0)) }
	}
	boolean := func(field func(*server.Config) bool) func(*server.Config) string {
		return func(c *server.Config) string { return strconv.FormatBool(field(c)) }
	}
	yesNo := func(field func(*server.Config) bool) func(*server.Config) string {
		return func(c *server.Config) string {
			if field(c) {
				return "yes"
			}
			return "no"
		}
	}
	part := func(field func(*server.Config) string, i int) func(*server.Config) string {
		return func(c *server.Config) string { return addrPart(field(c), i) }
	}
	client := func(c *server.Config) string { return c.ClientAddr }
	metrics := func(c *server.Config) string { return c.MetricsAddr }
	operators := func(c *server.Config) string { return c.AdminAddr }
	return map[string]func(*server.Config) string{
		"dataDir":              func(c *server.Config) string { return c.DataDir },
		"dataLogDir":           func(c *server.Config) string { return c.LogDir },
		"datadir.autocreate":   boolean(func(c *server.Config) bool { return !c.DirsMustExist }),
		"quorumListenOnAllIPs": boolean(func(c *server.Config) bool { return c.QuorumListenAll }),
		"standaloneEnabled":    boolean(func(c *server.Config) bool { return !c.StandaloneDisabled }),
		"reconfigEnabled":      boolean(func(c *server.Config) bool { return c.ReconfigEnabled }),
		"peerType":             role,
		"initLimit":            number(func(c *server.Config) int { return c.InitLimit }),
		"syncLimit":            number(func(c *server.Config) int { return c.SyncLimit }),

		"clientPort":                             part(client, 1),
		"clientPortAddress":                      part(client, 0),
		"tickTime":                               number(func(c *server.Config) int { return c.TickMillis }),
		"minSessionTimeout":                      number(func(c *server.Config) int { return c.MinSessionTimeoutMillis }),
		"maxSessionTimeout":                      number(func(c *server.Config) int { return c.MaxSessionTimeoutMillis }),
		"maxClientCnxns":                         number(func(c *server.Config) int { return c.MaxClientConns }),
		"maxCnxns":                               number(func(c *server.Config) int { return c.MaxConns }),
		"nio.sessionlessCnxnTimeout":             number(func(c *server.Config) int { return c.HandshakeTimeoutMillis }),
		"clientTcpKeepAlive":                     boolean(func(c *server.Config) bool { return c.TCPKeepAlive }),
		"jute.maxbuffer":                         number(func(c *server.Config) int { return c.MaxFrame }),
		"globalOutstandingLimit":                 number(func(c *server.Config) int { return c.GlobalOutstandingLimit }),
		"request_throttle_max_requests":          number(func(c *server.Config) int { return c.RequestThrottleMax }),
		"request_throttle_stall_time":            number(func(c *server.Config) int { return c.RequestThrottleStallMillis }),
		"throttled_op_wait_time":                 number(func(c *server.Config) int { return c.ThrottledOpWaitMillis }),
		"largeRequestThreshold":                  largeRequestThreshold,
		"largeRequestMaxBytes":                   number(func(c *server.Config) int { return c.LargeRequestMaxBytes }),
		"connection_throttle_tokens":             number(func(c *server.Config) int { return c.ConnTokens }),
		"connection_throttle_fill_count":         number(func(c *server.Config) int { return c.ConnTokenFill }),
		"connection_throttle_fill_time":          number(func(c *server.Config) int { return c.ConnTokenFillMillis }),
		"readonlymode.enabled":                   boolean(func(c *server.Config) bool { return c.ReadOnlyMode }),
		"enforceQuota":                           boolean(func(c *server.Config) bool { return c.EnforceQuota }),
		"extendedTypesEnabled":                   boolean(func(c *server.Config) bool { return c.ExtendedTypes }),
		"holt.sessionPasswords":                  sessionPasswords,
		"znode.container.checkIntervalMs":        number(func(c *server.Config) int { return c.ContainerCheckMillis }),
		"znode.container.maxPerMinute":           number(func(c *server.Config) int { return c.ContainerMaxPerMinute }),
		"znode.container.maxNeverUsedIntervalMs": number(func(c *server.Config) int { return c.ContainerMaxNeverUsedMillis }),

		"forceSync":                yesNo(func(c *server.Config) bool { return !c.NoSync }),
		"fsync.warningthresholdms": number(func(c *server.Config) int { return c.FsyncWarnMillis }),
		"snapCount":                number(func(c *server.Config) int { return c.SnapCount }),

		"4lw.commands.whitelist":        func(c *server.Config) string { return strings.Join(c.FourLetterWords, ",") },
		"metricsProvider.httpHost":      part(metrics, 0),
		"metricsProvider.exportJvmInfo": boolean(func(c *server.Config) bool { return !c.MetricsBare }),
		"metricsProvider.httpPort":      part(metrics, 1),
		"admin.enableServer":            boolean(func(c *server.Config) bool { return c.AdminAddr != server.Off }),
		"admin.serverAddress":           part(operators, 0),
		"admin.serverPort":              part(operators, 1),
		"admin.commandURL":              func(c *server.Config) string { return c.AdminCommandURL },
		"admin.snapshot.enabled":        boolean(func(c *server.Config) bool { return !c.AdminSnapshotDisabled }),
		"admin.rateLimiterIntervalInMS": number(func(c *server.Config) int { return c.AdminSnapshotIntervalMillis }),
		"admin.portUnification":         boolean(func(c *server.Config) bool { return c.AdminTLS != server.AdminPlain }),
		"admin.forceHttps":              boolean(func(c *server.Config) bool { return c.AdminTLS == server.AdminSecure }),
		"admin.needClientAuth":          boolean(func(c *server.Config) bool { return c.AdminNeedClientAuth }),
		"admin.idleTimeout":             number(func(c *server.Config) int { return c.AdminIdleTimeoutMillis }),

		"audit.enable": boolean(func(c *server.Config) bool { return c.Audit }),

		"sslQuorum":                             boolean(func(c *server.Config) bool { return c.TLS.PeersOn }),
		"ssl.quorum.clientHostnameVerification": boolean(func(c *server.Config) bool { return c.TLS.Peers.CheckClientName }),

		"quorum.auth.enableSasl":         boolean(func(c *server.Config) bool { return c.PeerLogin != nil }),
		"quorum.auth.learnerRequireSasl": boolean(func(c *server.Config) bool { return c.PeerLogin != nil && c.PeerLogin.LogsIn }),
		"quorum.auth.serverRequireSasl":  boolean(func(c *server.Config) bool { return c.PeerLogin != nil && c.PeerLogin.Required }),

		"skipACL":                                  yesNo(func(c *server.Config) bool { return c.SkipACL }),
		"DigestAuthenticationProvider.enabled":     boolean(func(c *server.Config) bool { return !c.DigestDisabled }),
		"DigestAuthenticationProvider.superDigest": func(c *server.Config) string { return c.SuperDigest },
		"DigestAuthenticationProvider.digestAlg":   func(c *server.Config) string { return c.DigestAlg },
		"enforce.auth.enabled":                     boolean(func(c *server.Config) bool { return len(c.EnforceAuthSchemes) > 0 }),
		"enforce.auth.schemes":                     func(c *server.Config) string { return strings.Join(c.EnforceAuthSchemes, ",") },
	}
}

// role is the one this member has by its server line.
func role(c *server.Config) string {
	if self, ok := c.Self(); ok && self.Observer {
		return "observer"
	}
	return "participant"
}

func largeRequestThreshold(c *server.Config) string {
	if c.LargeRequestThreshold == 0 {
		return "-1"
	}
	return strconv.Itoa(c.LargeRequestThreshold)
}

// addrPart is the host (0) or port (1) of an address; "" if it is off.
func addrPart(addr string, i int) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	return [2]string{host, port}[i]
}

// String is key=value, a line of a configuration file.
func (s Setting) String() string { return fmt.Sprintf("%s=%s", s.Key, s.Value) }

func sessionPasswords(c *server.Config) string {
	if c.ZooKeeperPasswords {
		return "zookeeper"
	}
	return "random"
}
