package znode

import (
	"slices"
	"strings"
	"unsafe"

	"holt/wire"
)

// ACL is an access control list, interned: nodes with equal lists mostly
// share one. It never changes. A nil *ACL is the empty list, which allows everything
// (only imported data has it).
type ACL struct{ entries []wire.ACL }

// openACL is the list nearly all nodes have. Shared and read-only.
var openACL = &ACL{wire.OpenACL()}

// readACL is the list of /zookeeper/config. Shared and read-only.
var readACL = &ACL{[]wire.ACL{{Perms: wire.PermRead, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}}}

// NewACL makes a list of its own copies of the entries, or returns a shared one for
// the commonest.
func NewACL(entries []wire.ACL) *ACL {
	if a := wellKnownACL(entries); a != nil || len(entries) == 0 {
		return a
	}
	a := &ACL{slices.Clone(entries)}
	for i := range a.entries {
		e := &a.entries[i]
		e.Scheme, e.ID = strings.Clone(e.Scheme), strings.Clone(e.ID)
	}
	return a
}

func wellKnownACL(entries []wire.ACL) *ACL {
	for _, a := range [...]*ACL{openACL, readACL} {
		if a.Equal(entries) {
			return a
		}
	}
	return nil
}

// OpenACL is the list of one entry that allows everything to everybody.
func OpenACL() *ACL { return openACL }

// Open reports whether a is OpenACL.
func (a *ACL) Open() bool { return a == openACL }

// Entries is the list, shared: do not write to it.
func (a *ACL) Entries() []wire.ACL {
	if a == nil {
		return nil
	}
	return a.entries
}

// Equal reports whether the list has these entries in this order.
func (a *ACL) Equal(entries []wire.ACL) bool { return slices.Equal(a.Entries(), entries) }

// size is the memory of the list; nothing for the lists that are always there.
func (a *ACL) size() int64 {
	if a == nil || a == openACL || a == readACL {
		return 0
	}
	n := int64(unsafe.Sizeof(*a)) + int64(len(a.entries))*int64(unsafe.Sizeof(wire.ACL{}))
	for i := range a.entries {
		n += int64(len(a.entries[i].Scheme) + len(a.entries[i].ID))
	}
	return n
}

// Schemes is the set of authentication schemes an ensemble knows besides world and
// auth. It decides results, so it must be the same on each member.
type Schemes uint8

const (
	SchemeIP Schemes = 1 << iota
	SchemeDigest
	SchemeSASL
	SchemeX509
)

// SchemesDefault is what a ZooKeeper server without further configuration has.
const SchemesDefault = SchemeIP | SchemeDigest

// provider returns the scheme's bit if the set has it, else 0.
func (s Schemes) provider(scheme string) Schemes {
	var p Schemes
	switch scheme {
	case "ip":
		p = SchemeIP
	case "digest":
		p = SchemeDigest
	case "sasl":
		p = SchemeSASL
	case "x509":
		p = SchemeX509
	}
	return s & p
}

// valid reports whether id may stand in an ACL under the scheme.
func (p Schemes) valid(id string) bool {
	switch p {
	case SchemeIP:
		return validIPPrefix(id)
	case SchemeDigest:
		return javaSplitTwo(id)
	case SchemeSASL:
		return kerberosName(id)
	case SchemeX509:
		return validX500Name(id)
	}
	return false
}

// authenticated reports whether identities of the scheme stand for the
// scheme "auth": all that somebody had to prove.
func (p Schemes) authenticated() bool { return p != 0 && p != SchemeIP }

func (p Schemes) matches(have, want string) bool {
	switch p {
	case SchemeIP:
		return ipMatches(have, want)
	case SchemeSASL:
		return have == want || have == "super"
	}
	return have == want
}

// javaSplitTwo reports whether Java's id.split(":") has two parts; it drops
// empty parts at the end.
func javaSplitTwo(id string) bool {
	id = strings.TrimRight(id, ":")
	return strings.Count(id, ":") == 1
}

// kerberosName reports whether id is a name as Kerberos has them, name, name@REALM or
// name/host@REALM, of which all parts may be empty (ZooKeeper: KerberosName).
func kerberosName(id string) bool {
	name, realm, ok := strings.Cut(id, "@")
	return !ok || strings.Count(name, "/") <= 1 && !strings.ContainsAny(realm, "/@")
}

// Allowed reports whether identities ids have perm by the list (ZooKeeper:
// ZooKeeperServer.checkACL): an empty list allows all, scheme super passes everywhere, there is no denial.
func (s Schemes) Allowed(acl *ACL, perm wire.Perms, ids []wire.Identity) bool {
	if acl == nil || acl == openACL {
		return true
	}
	return s.AllowedBy(acl.entries, perm, ids)
}

// AllowedBy is Allowed for a bare list.
func (s Schemes) AllowedBy(acl []wire.ACL, perm wire.Perms, ids []wire.Identity) bool {
	if len(acl) == 0 {
		return true
	}
	for i := range ids {
		if ids[i].Scheme == "super" {
			return true
		}
	}
	for i := range acl {
		if acl[i].Perms&perm != 0 && s.grants(acl[i].Identity, ids) {
			return true
		}
	}
	return false
}

func (s Schemes) grants(to wire.Identity, ids []wire.Identity) bool {
	if to.Scheme == "world" && to.ID == "anyone" {
		return true
	}
	p := s.provider(to.Scheme)
	if p == 0 {
		return false
	}
	for i := range ids {
		if ids[i].Scheme == to.Scheme && p.matches(ids[i].ID, to.ID) {
			return true
		}
	}
	return false
}

// FixACL turns the list of a request into the one to be stored (ZooKeeper:
// PrepRequestProcessor.fixupACL): repeated entries go, "auth" becomes the
// caller's authenticated identities, and whatever cannot be matched is refused (false).
// Permissions are not judged. The result may alias acl.
func (s Schemes) FixACL(acl []wire.ACL, ids []wire.Identity) ([]wire.ACL, bool) {
	if len(acl) == 1 && acl[0].Scheme == "world" {
		return acl, acl[0].ID == "anyone" // what nearly all requests have
	}
	fixed := make([]wire.ACL, 0, len(acl))
	seen := make(map[wire.ACL]struct{}, len(acl))
	for _, a := range acl {
		if _, dup := seen[a]; dup {
			continue
		}
		seen[a] = struct{}{}
		switch {
		case a.Scheme == "world" && a.ID == "anyone":
			fixed = append(fixed, a)
		case a.Scheme == "auth":
			n := len(fixed)
			for _, id := range ids {
				if s.provider(id.Scheme).authenticated() {
					fixed = append(fixed, wire.ACL{Perms: a.Perms, Identity: id})
				}
			}
			if len(fixed) == n {
				return nil, false
			}
		case s.provider(a.Scheme).valid(a.ID):
			fixed = append(fixed, a)
		default:
			return nil, false
		}
	}
	return fixed, len(fixed) > 0
}
