package audit

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"holt/wire"
)

// The operations that are audited. ZooKeeper: AuditConstants
const (
	ServerStart     = "serverStart"
	ServerStop      = "serverStop"
	Create          = "create"
	Delete          = "delete"
	SetData         = "setData"
	SetACL          = "setAcl"
	Multi           = "multiOperation" // one that failed; else its parts are told
	Reconfig        = "reconfig"
	Restore         = "restore"  // of the ensemble's state; not in ZooKeeper
	Snapshot        = "snapshot" // by the AdminServer; not in ZooKeeper
	Login           = "login"    // one that failed; not in ZooKeeper
	EphemeralDelete = "ephemeralZNodeDeletionOnSessionCloseOrExpire"
)

// Result is what came of an operation.
type Result string

// The results of ZooKeeper.
const (
	Success Result = "success"
	Failure Result = "failure"
	Invoked Result = "invoked"
)

// ResultOf is that of an operation answered with code.
func ResultOf(code wire.ErrCode) Result {
	if code == wire.OK {
		return Success
	}
	return Failure
}

// Event is one line. Empty fields are left out of it.
type Event struct {
	Session   wire.SessionID
	User, IP  string
	Operation string
	Znode     string
	ZnodeType string
	ACL       string
	// Scheme and Cause are about a login that failed.
	Scheme, Cause string
	Result        Result
}

// AppendTo appends the line as the original's usual layout has it, with its line end.
func (e *Event) AppendTo(b []byte, at time.Time) []byte {
	b = at.AppendFormat(b, "2006-01-02 15:04:05,000")
	level := " INFO "
	if e.Result == Failure {
		level = " ERROR "
	}
	b = append(append(b, level...), "o.a.z.a.Slf4jAuditLogger: "...)
	return append(e.AppendMessage(b), '\n')
}

// AppendMessage appends what stands behind time and level.
func (e *Event) AppendMessage(b []byte) []byte {
	start := len(b)
	add := func(key, value string) {
		if value == "" {
			return
		}
		if len(b) > start {
			b = append(b, '\t')
		}
		b = appendEscaped(append(append(b, key...), '='), value)
	}
	if e.Session != 0 {
		add("session", "0x"+strconv.FormatUint(uint64(e.Session), 16))
	}
	add("user", e.User)
	add("ip", e.IP)
	add("operation", e.Operation)
	add("znode", e.Znode)
	add("znode_type", e.ZnodeType)
	add("acl", e.ACL)
	add("scheme", e.Scheme)
	add("cause", e.Cause)
	add("result", string(e.Result))
	return b
}

// appendEscaped writes control characters, which would end a field or a line, as Go and
// Java do in source code.
func appendEscaped(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029:
			b = append(b, `\u`...)
			hex := strconv.FormatInt(int64(r), 16)
			b = append(append(b, "0000"[:4-len(hex)]...), hex...)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

// ZnodeType is a create mode as the original writes it, "" for none it knows.
func ZnodeType(m wire.CreateMode) string {
	switch m {
	case wire.ModePersistent:
		return "persistent"
	case wire.ModeEphemeral:
		return "ephemeral"
	case wire.ModePersistentSequential:
		return "persistent_sequential"
	case wire.ModeEphemeralSequential:
		return "ephemeral_sequential"
	case wire.ModeContainer:
		return "container"
	case wire.ModePersistentWithTTL:
		return "persistent_with_ttl"
	case wire.ModePersistentSequentialWithTTL:
		return "persistent_sequential_with_ttl"
	}
	return ""
}

// ACL is a list as the original writes it: without anything between the entries.
func ACL(list []wire.ACL) string {
	var b strings.Builder
	for i := range list {
		b.WriteString(list[i].Scheme + ":" + list[i].ID + ":" + list[i].Perms.String())
	}
	return b.String()
}

// Users are the names of identities, each once, with commas between them: of a digest the user
// without the hash, of any other its id; the superuser has none of its own.
func Users(ids []wire.Identity) string {
	var names []string
	seen := map[string]bool{}
	for _, id := range ids {
		name := id.ID
		if id.Scheme == "digest" {
			name, _, _ = strings.Cut(name, ":")
		}
		if name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}
