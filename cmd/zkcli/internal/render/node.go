package render

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"holt/wire"
)

// Data is the data of a node for JSON: a string if it is text, otherwise base64;
// neither if it is null.
type Data struct {
	Text   *string `json:"data,omitempty"`
	Base64 string  `json:"data_b64,omitempty"`
}

// NewData converts b, of which nil is null.
func NewData(b []byte) Data {
	if b == nil {
		return Data{}
	}
	if printable(b) {
		s := string(b)
		return Data{Text: &s}
	}
	return Data{Base64: base64.StdEncoding.EncodeToString(b)}
}

// Bytes is the reverse of NewData.
func (d Data) Bytes() ([]byte, error) {
	switch {
	case d.Text != nil:
		return []byte(*d.Text), nil
	case d.Base64 != "":
		return base64.StdEncoding.DecodeString(d.Base64)
	}
	return nil, nil
}

// printable tells whether b is text that JSON keeps unchanged and a terminal shows.
func printable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r >= 0x7f && r < 0xa0 {
			return false
		}
	}
	return true
}

// ACL is an entry of an access control list for JSON.
type ACL struct {
	Scheme string `json:"scheme"`
	ID     string `json:"id"`
	Perms  string `json:"perms"`
}

// NewACLs converts a list.
func NewACLs(acl []wire.ACL) []ACL {
	out := make([]ACL, len(acl))
	for i, a := range acl {
		out[i] = ACL{Scheme: a.Scheme, ID: a.ID, Perms: a.Perms.String()}
	}
	return out
}

// ParsePerms reads the letters of permissions, each at most once of use.
func ParsePerms(letters string) (wire.Perms, error) {
	var perms wire.Perms
	for _, r := range letters {
		bit, ok := Perm(r)
		if !ok {
			return 0, fmt.Errorf("unknown permission %q in %q", r, letters)
		}
		perms |= bit
	}
	return perms, nil
}

// Perm returns the permission that a letter stands for.
func Perm(letter rune) (wire.Perms, bool) {
	switch letter {
	case 'r':
		return wire.PermRead, true
	case 'w':
		return wire.PermWrite, true
	case 'c':
		return wire.PermCreate, true
	case 'd':
		return wire.PermDelete, true
	case 'a':
		return wire.PermAdmin, true
	}
	return 0, false
}

// IdentityText is an identity as zkCli.sh prints it: in the CSV form of jute, which
// ends in a line break.
func IdentityText(id wire.Identity) string {
	return "'" + csv.Replace(id.Scheme) + ",'" + csv.Replace(id.ID) + "\n"
}

var csv = strings.NewReplacer("\x00", "%00", "\n", "%0A", "\r", "%0D", ",", "%2C", "}", "%7D", "%", "%25")
