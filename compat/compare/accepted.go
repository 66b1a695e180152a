package compare

import (
	"strings"

	"holt/wire"
)

// Acceptance is a difference between Holt and the original that is wanted.
type Acceptance struct {
	Name   string // as scripts name it
	Reason string
}

// Accepted returns every difference that is accepted. Each is shown by a script in testdata,
// except for those that Canon removes from every answer, whose names end in "(always)".
func Accepted() []Acceptance {
	return []Acceptance{
		// Removed from every answer.
		{"order (always)", "Lists of children, of ephemeral nodes and of identities come in the order of a hash table in the original, as does what an ACL entry of scheme auth becomes, and the events of the nodes that go with a session. Holt's order is fixed."},
		{"password (always)", "The original computes a session's password from its id, so that whoever knows the algorithm has it. Holt's are random."},
		{"in-flight (always)", "While a setACL is under way, the original judges writes behind it by the old ACL, or by the new one if it was fast enough; hard limits of quotas likewise. Holt judges each write by what all before it left. Scripts send nothing behind a setACL, nor behind a write if limits are enforced."},
		{"mntr-keys (always)", "Keys that measure queues and processors that only the original has are not there; compat/operators/testdata/absent.txt has each with its reason, and `make compare-operators` holds Holt to it. Here those that count something are compared."},
		{"digests (always)", "The lines of hash are digests over zxids, and there is one for every 128th zxid, wherever they began."},
		{"interest (always)", "Whether cons and stat call a connection [0] or [1] is up to what the original's network layer waits for at that moment."},
		{"alerts (always)", "With which alert a TLS handshake is broken off is up to the library of TLS; that it is, is compared."},

		// Each shown by a script.
		{"delete-container", "Op code 20 is the leader's own way to remove a container. The original takes it from any client, with no session or ACL asked, and deletes any empty node; Holt answers as to an op code that does not exist."},
		{"create-session", "Op code −10 makes a session on the leader's behalf. From a client the original takes it too and answers with a ConnectResponse; Holt answers as to an op code that does not exist."},
		{"password-first", "The original closes the connection that has a session before it checks the password of the one that claims it, so that anybody who knows an id can disconnect its client. Holt checks first."},
		{"ttl-poison", "createTTL with a mode that has no TTL and a TTL below zero passes the original's checks; its transaction then cannot be applied, and the server stops, at every start again. Holt answers BadArguments."},
		{"quota-poison", "Limits for the root, and limits or statistics whose text is none, end the original's thread of transactions. Holt refuses the first and takes the others for no quota."},
		{"quota-in-multi", "With enforceQuota, Holt judges each part of a multi by what the parts before it leave, as everything else of a multi. The original takes the state before the multi, so that one may exceed a limit, or fail for what it itself removes."},
		{"container-in-flight", "createContainer with an ephemeral mode makes a container. Until that is committed, and within a multi, the original takes it for an ephemeral node and allows it no children; Holt knows better at once."},
		{"children-pages", "Op code 71, pages of children, is not in Apache ZooKeeper (it is LinkedIn's)."},
		{"utf-8", "The original decodes and encodes text, and garbles what is not UTF-8, or lies beyond 16 bits, on the way. Holt passes the bytes through as they are."},
		{"null-path", "No client sends a null path. Holt says MarshallingError, whatever else is wrong with the request; the original if it gets as far as using the path. A watch on null is to Holt one on the empty path."},
		{"null-acl", "No client sends a null scheme or id in an ACL. To Holt they are empty, which is InvalidACL; the original says MarshallingError for some."},
		{"multiread-null", "A null path breaks a multiRead off with MarshallingError. The original appends the results it had until then, which nobody reads behind an error."},
		{"config-written", "Each member of the original writes /zookeeper/config by itself when it starts: mzxid is 0, mtime differs from member to member, and a watch that is set again never finds it changed. In Holt it is a transaction, the same at every member."},
		{"local-ephemeral", "A local session that must not become one of the ensemble is refused its ephemeral nodes by the member it is on. The original sends an error through the log, so that the refusal takes a zxid, and answers a multi part by part, on a follower with SessionExpired."},
		{"conf-read-only", "In read-only mode, too, Holt's conf ends in the members: whoever asks then wants to know whom it is looking for."},
		{"read-only-session", "In read-only mode the original takes the making of a session for a write, unless localSessionsEnabled, and answers the connect request with an error that no client understands: a member in that mode serves nobody. Holt's sessions there are local to the member, whatever that setting, and end with the mode."},
		{"throttled-op (always)", "Which request has waited longer than throttled_op_wait_time depends on how fast others were answered, so no script has one that did; that such a one gets ThrottledOp is tested in server/throttle_test.go. Scripts show that requests that wait less are answered as if they had not."},
		{"tls12", "Unless ssl.enabledProtocols or ssl.protocol says otherwise, the original offers its clients the newest version of TLS that its Java has, 1.3, and no other. Holt takes 1.2, too, which some clients have no more than."},
		{"cons-ports", "With two ports for clients the original's cons, stat and crst are about the connections of the port at which they are asked. Holt's are about all: who asks on the plaintext port sees the clients of the other one, too."},
		{"fips-hosts", "In its FIPS mode, which is the default, the original asks Java to check that a client's certificate names its host, and does not say which host that is, so that ssl.clientHostnameVerification refuses everybody. Holt does as the original does without that mode."},
		{"dump-netty", "The original's dump leaves out the connections with its layer Netty, which TLS wants. Holt's has them always."},
		{"dump-empty", "The original's dump goes on counting a session that had ephemeral nodes and has none any more, with no path below it."},
	}
}

// poisonous reports whether the request would end the original: it is for scripts that go to Holt
// only.
func poisonous(s *Step) bool {
	for i := range s.Parts {
		if poisonous(&s.Parts[i]) {
			return true
		}
	}
	switch s.Code {
	case wire.OpCreateTTL:
		// A TTL below zero passes the validation of a mode without TTL; the transaction then fails when
		// it is applied, and the server stops.
		return s.Op != nil && !wire.CreateMode(s.Args[3].n).TTL() && s.Args[4].n < 0
	case wire.OpCreate, wire.OpCreate2, wire.OpSetData, wire.OpCreateContainer:
		if s.Op == nil || !strings.HasPrefix(s.Args[0].s, "/zookeeper/quota/") {
			return false
		}
		// The limits of "/": IllegalArgumentException in PathTrie, when it is applied.
		if strings.HasPrefix(s.Args[0].s, "/zookeeper/quota/zookeeper_") {
			return true
		}
		// A limit or statistic that is no StatsTrack: IllegalArgumentException, or NullPointerException
		// over null, when the next node below is made, changed or removed.
		base := s.Args[0].s[strings.LastIndexByte(s.Args[0].s, '/')+1:]
		return strings.HasPrefix(base, "zookeeper_") && !strings.HasPrefix(s.Args[1].s, "count=")
	}
	return false
}

// spoiledPoison reports whether a damaged request could turn into a poisonous one.
func spoiledPoison(s *Step) bool {
	if s.Code == wire.OpCreateTTL && len(s.Flip) > 0 {
		return true
	}
	for i := range s.Args {
		if strings.HasPrefix(s.Args[i].s, "/zookeeper") {
			return true
		}
	}
	for i := range s.Parts {
		if spoiledPoison(&s.Parts[i]) {
			return true
		}
	}
	return false
}
