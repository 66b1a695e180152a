package metadata

import (
	"encoding/json"
	"fmt"
	"iter"
	"strings"
)

// PatternType is how a resource's name is meant.
type PatternType string

// The kinds of patterns that are stored.
const (
	Literal  PatternType = "LITERAL"
	Prefixed PatternType = "PREFIXED"
)

// Resource is what ACLs are about.
type Resource struct {
	Type    string // Topic, Group, Cluster, TransactionalId, DelegationToken, User
	Name    string
	Pattern PatternType
}

// ACL is one rule of a resource.
type ACL struct {
	Principal  string `json:"principal"`
	Permission string `json:"permissionType"` // Allow, Deny
	Operation  string `json:"operation"`      // Read, Write, All, ...
	Host       string `json:"host"`
}

type resourceACLs struct {
	rules    []ACL
	modified Zxid
}

var resourceTypes = [...]string{"Topic", "Group", "Cluster", "TransactionalId", "DelegationToken", "User"}

const (
	aclPath                = "/kafka-acl"
	aclPrefixedPath        = "/kafka-acl-extended/prefixed"
	aclChangesPath         = "/kafka-acl-changes"
	aclPrefixedChangesPath = "/kafka-acl-extended-changes"
	aclChangePrefix        = "acl_changes_"
)

// path is the resource's node.
func (r Resource) path() string {
	if r.Pattern == Prefixed {
		return aclPrefixedPath + "/" + r.Type + "/" + r.Name
	}
	return aclPath + "/" + r.Type + "/" + r.Name
}

// parseACLPath is the inverse of path.
func parseACLPath(path string) (Resource, bool) {
	for _, family := range []struct {
		prefix  string
		pattern PatternType
	}{{aclPath + "/", Literal}, {aclPrefixedPath + "/", Prefixed}} {
		if rest, ok := strings.CutPrefix(path, family.prefix); ok {
			kind, name, ok := strings.Cut(rest, "/")
			return Resource{Type: kind, Name: name, Pattern: family.pattern}, ok && name != ""
		}
	}
	return Resource{}, false
}

// EncodeACLs is the payload of a resource's node.
func EncodeACLs(rules []ACL) []byte {
	return mustEncode(struct {
		Version int32 `json:"version"`
		ACLs    []ACL `json:"acls"`
	}{1, append([]ACL{}, rules...)})
}

// DecodeACLs reads the payload of a resource's node.
func DecodeACLs(data []byte) ([]ACL, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var p struct {
		ACLs []ACL `json:"acls"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("acls: %w", err)
	}
	return p.ACLs, nil
}

// encodeACLChange is the payload of a notification in the family of r.
func encodeACLChange(r Resource) []byte {
	if r.Pattern != Prefixed {
		return []byte(r.Type + ":" + r.Name)
	}
	return mustEncode(struct {
		Version int32  `json:"version"`
		Type    string `json:"resourceType"`
		Name    string `json:"name"`
		Pattern string `json:"patternType"`
	}{1, javaResourceType(r.Type), r.Name, string(Prefixed)})
}

// decodeACLChange reads a notification of either family.
func decodeACLChange(data []byte) (Resource, error) {
	if len(data) > 0 && data[0] == '{' {
		var p struct {
			Type    string `json:"resourceType"`
			Name    string `json:"name"`
			Pattern string `json:"patternType"`
		}
		if err := json.Unmarshal(data, &p); err != nil {
			return Resource{}, fmt.Errorf("acl change: %w", err)
		}
		for _, t := range resourceTypes {
			if strings.EqualFold(p.Type, t) || p.Type == javaResourceType(t) {
				return Resource{Type: t, Name: p.Name, Pattern: PatternType(p.Pattern)}, nil
			}
		}
		return Resource{}, fmt.Errorf("acl change: unknown type in %q", data)
	}
	kind, name, ok := strings.Cut(string(data), ":")
	if !ok {
		return Resource{}, fmt.Errorf("acl change: %q names no resource", data)
	}
	return Resource{Type: kind, Name: name, Pattern: Literal}, nil
}

// javaResourceType is the name of the enum's constant: TransactionalId is TRANSACTIONAL_ID.
func javaResourceType(t string) string {
	var b strings.Builder
	for i, c := range t {
		if i > 0 && c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return strings.ToUpper(b.String())
}

// ACLs returns the rules of a resource, exactly as named; nil if there are none.
func (i *Image) ACLs(r Resource) []ACL {
	a, _ := i.acls.get(hashName(r.Name), r)
	return a.rules
}

// AllACLs visits the resources that have rules, in no order.
func (i *Image) AllACLs() iter.Seq2[Resource, []ACL] {
	return func(yield func(Resource, []ACL) bool) {
		for r, a := range i.acls.all() {
			if !yield(r, a.rules) {
				return
			}
		}
	}
}
