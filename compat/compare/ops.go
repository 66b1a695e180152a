package compare

import "holt/wire"

// fieldType says how a field of a request is written in a script and on the wire.
type fieldType int

const (
	typeString fieldType = iota // a path, prefix or scheme; null if so written
	typeBuffer                  // data; null if so written
	typeACLs                    // a vector; null if so written
	typeInt32
	typeInt64
	typeZxid // canonical until sent
	typeBool // written as its name, or left out
	typeStrings
	typeMode      // an int32 that may be written as p, e, s, es, c, t or ts
	typeWatchMode // persistent or recursive
	typeWatcher   // children, data, any, persistent or recursive
)

// field is one field of a request's record. Fields with a name are written as name=value, and
// left out when they have the default; the others are written in order.
type field struct {
	name     string
	kind     fieldType
	standard string // the default as it would be written; only of fields with a name
}

// opSpec is the request of one op code, in the order of its record.
type opSpec struct {
	name   string
	code   wire.OpCode
	fields []field
}

// value is the value of one field.
type value struct {
	null bool
	s    string
	n    int64
	list []string
	acls []wire.ACL
}

const openACL = "world:anyone:cdrwa"

// specs returns the requests that a script can write by name.
func specs() []opSpec {
	var (
		path    = field{kind: typeString}
		data    = field{kind: typeBuffer}
		version = field{"v", typeInt32, "-1"}
		acl     = field{"acl", typeACLs, openACL}
		watch   = field{"w", typeBool, ""}
		mode    = field{"mode", typeMode, "p"}
		kind    = field{kind: typeWatcher}
		paths   = func(name string) field { return field{name, typeStrings, "[]"} }
		create  = []field{path, data, acl, mode}
		zxid    = field{"zxid", typeZxid, "last"}
	)
	return []opSpec{
		{"create", wire.OpCreate, create},
		{"create2", wire.OpCreate2, create},
		{"createContainer", wire.OpCreateContainer, []field{path, data, acl, {"mode", typeMode, "c"}}},
		{"createTTL", wire.OpCreateTTL, []field{path, data, acl, {"mode", typeMode, "t"}, {"ttl", typeInt64, "3600000"}}},
		{"delete", wire.OpDelete, []field{path, version}},
		{"deleteContainer", wire.OpDeleteContainer, []field{path}},
		{"exists", wire.OpExists, []field{path, watch}},
		{"getData", wire.OpGetData, []field{path, watch}},
		{"setData", wire.OpSetData, []field{path, data, version}},
		{"getACL", wire.OpGetACL, []field{path}},
		{"setACL", wire.OpSetACL, []field{path, acl, version}},
		{"getChildren", wire.OpGetChildren, []field{path, watch}},
		{"getChildren2", wire.OpGetChildren2, []field{path, watch}},
		{"getChildrenPage", wire.OpGetChildrenPage, []field{path, {"max", typeInt32, "100"}, {"zxid", typeZxid, "0"}, {"offset", typeInt32, "0"}, watch}},
		{"sync", wire.OpSync, []field{path}},
		{"ping", wire.OpPing, nil},
		{"check", wire.OpCheck, []field{path, version}},
		{"multi", wire.OpMulti, nil},
		{"multiRead", wire.OpMultiRead, nil},
		{"reconfig", wire.OpReconfig, []field{{"joining", typeString, "null"}, {"leaving", typeString, "null"}, {"new", typeString, "null"}, {"config", typeInt64, "-1"}}},
		{"addWatch", wire.OpAddWatch, []field{path, {kind: typeWatchMode}}},
		{"checkWatches", wire.OpCheckWatches, []field{path, kind}},
		{"removeWatches", wire.OpRemoveWatches, []field{path, kind}},
		{"setWatches", wire.OpSetWatches, []field{zxid, paths("data"), paths("exist"), paths("child")}},
		{"setWatches2", wire.OpSetWatches2, []field{zxid, paths("data"), paths("exist"), paths("child"), paths("persistent"), paths("recursive")}},
		{"getEphemerals", wire.OpGetEphemerals, []field{path}},
		{"getAllChildrenNumber", wire.OpGetAllChildrenNumber, []field{path}},
		{"whoAmI", wire.OpWhoAmI, nil},
		{"closeSession", wire.OpCloseSession, nil},
		{"createSession", wire.OpCreateSession, []field{{"timeout", typeInt32, "10000"}}},
		{"auth", wire.OpAuth, []field{{"type", typeInt32, "0"}, path, data}},
		{"sasl", wire.OpSASL, []field{data}},
	}
}

// language is the set of requests by name and by code.
type language struct {
	byName map[string]*opSpec
	byCode map[wire.OpCode]*opSpec
}

// newLanguage returns the language of scripts. It is made where it is needed rather than kept in
// a package variable.
func newLanguage() *language {
	l := &language{map[string]*opSpec{}, map[wire.OpCode]*opSpec{}}
	for _, s := range specs() {
		l.byName[s.name] = &s
		l.byCode[s.code] = &s
	}
	return l
}

// appendTo appends the value's encoding.
func (v *value) appendTo(b []byte, kind fieldType) []byte {
	switch kind {
	case typeString, typeBuffer:
		if v.null {
			return wire.AppendInt32(b, -1)
		}
		return wire.AppendString(b, v.s)
	case typeACLs:
		if v.null {
			return wire.AppendInt32(b, -1)
		}
		return wire.AppendACLs(b, v.acls)
	case typeInt32, typeMode, typeWatchMode, typeWatcher:
		return wire.AppendInt32(b, int32(v.n))
	case typeInt64, typeZxid:
		return wire.AppendInt64(b, v.n)
	case typeBool:
		return wire.AppendBool(b, v.n != 0)
	case typeStrings:
		if v.null {
			return wire.AppendInt32(b, -1)
		}
		return wire.AppendStrings(b, v.list)
	}
	panic("compare: field of no type")
}

// appendBody appends the body of a request, before it is cut or changed. Zxids are canonical;
// real turns them into those of a server.
func (s *Step) appendBody(b []byte, real func(int64) int64) []byte {
	if s.Op == nil {
		return append(b, s.Raw...)
	}
	for i := range s.Op.fields {
		v := s.Args[i]
		if s.Op.fields[i].kind == typeZxid {
			v.n = real(v.n)
		}
		b = v.appendTo(b, s.Op.fields[i].kind)
	}
	if s.Code == wire.OpMulti || s.Code == wire.OpMultiRead {
		for i := range s.Parts {
			b = (&wire.MultiHeader{Type: s.Parts[i].Code, Err: -1}).AppendTo(b)
			b = s.Parts[i].appendBody(b, real)
		}
		b = wire.AppendMultiEnd(b)
	}
	return b
}

// appendPayload appends header and body of a request as they are sent.
func (s *Step) appendPayload(b []byte, xid int32, real func(int64) int64) []byte {
	b = (&wire.RequestHeader{Xid: wire.Xid(xid), Op: s.Code}).AppendTo(b)
	start := len(b)
	b = s.appendBody(b, real)
	if s.Cut >= 0 && start+s.Cut < len(b) {
		b = b[:start+s.Cut]
	}
	for _, f := range s.Flip {
		if start+f.at < len(b) {
			b[start+f.at] = f.to
		}
	}
	return b
}
