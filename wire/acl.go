package wire

// Perms is a set of permissions. Bits beyond PermAll are kept as they are.
type Perms int32

const (
	PermRead   Perms = 1
	PermWrite  Perms = 2
	PermCreate Perms = 4
	PermDelete Perms = 8
	PermAdmin  Perms = 16
	PermAll    Perms = 31
)

// String is the form of zkCli, the letters of cdrwa that are set.
func (p Perms) String() string {
	var b [5]byte
	s := b[:0]
	for i, bit := range [...]Perms{PermCreate, PermDelete, PermRead, PermWrite, PermAdmin} {
		if p&bit != 0 {
			s = append(s, "cdrwa"[i])
		}
	}
	return string(s)
}

// Identity is who somebody is under an authentication scheme, for example
// {digest, user:hash}, {ip, 10.0.0.1} or {world, anyone}. (jute: Id)
type Identity struct{ Scheme, ID string }

// ACL grants permissions to an identity.
type ACL struct {
	Perms Perms
	Identity
}

// OpenACL returns a new list that allows everything to everybody.
func OpenACL() []ACL { return []ACL{{PermAll, Identity{"world", "anyone"}}} }

// AppendTo implements Record.
func (a *ACL) AppendTo(b []byte) []byte {
	b = AppendInt32(b, int32(a.Perms))
	b = AppendString(b, a.Scheme)
	return AppendString(b, a.ID)
}

// Decode implements Record.
func (a *ACL) Decode(d *Decoder) {
	a.Perms = Perms(d.Int32())
	a.Scheme = d.String()
	a.ID = d.String()
}

// AppendACLs appends a vector of ACL entries; nil is written as empty.
func AppendACLs(b []byte, v []ACL) []byte {
	b = AppendInt32(b, int32(len(v)))
	for i := range v {
		b = v[i].AppendTo(b)
	}
	return b
}

// ACLs reads a vector of ACL entries, which alias the input; nil for null.
func (d *Decoder) ACLs() []ACL {
	const sizeMin = 12 // permissions and two empty strings
	n := d.count(sizeMin)
	if n < 0 {
		return nil
	}
	v := make([]ACL, n)
	for i := range v {
		v[i].Decode(d)
	}
	if d.err != nil {
		return nil
	}
	return v
}

// GetACLRequest asks for the ACL of a node.
type GetACLRequest struct{ Path string }

// AppendTo implements Record.
func (r *GetACLRequest) AppendTo(b []byte) []byte { return AppendString(b, r.Path) }

// Decode implements Record.
func (r *GetACLRequest) Decode(d *Decoder) { r.Path = d.Path() }

// GetACLResponse answers it.
type GetACLResponse struct {
	ACL  []ACL
	Stat Stat
}

// AppendTo implements Record.
func (r *GetACLResponse) AppendTo(b []byte) []byte { return r.Stat.AppendTo(AppendACLs(b, r.ACL)) }

// Decode implements Record.
func (r *GetACLResponse) Decode(d *Decoder) {
	r.ACL = d.ACLs()
	r.Stat.Decode(d)
}

// SetACLRequest replaces the ACL of a node whose Aversion is Version, or any if −1.
type SetACLRequest struct {
	Path    string
	ACL     []ACL
	Version int32
}

// AppendTo implements Record.
func (r *SetACLRequest) AppendTo(b []byte) []byte {
	return AppendInt32(AppendACLs(AppendString(b, r.Path), r.ACL), r.Version)
}

// Decode implements Record.
func (r *SetACLRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.ACL = d.ACLs()
	r.Version = d.Int32()
}

// SetACLResponse answers it.
type SetACLResponse struct{ Stat Stat }

// AppendTo implements Record.
func (r *SetACLResponse) AppendTo(b []byte) []byte { return r.Stat.AppendTo(b) }

// Decode implements Record.
func (r *SetACLResponse) Decode(d *Decoder) { r.Stat.Decode(d) }
