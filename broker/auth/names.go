package auth

import "strings"

// The names of resource types, patterns, operations and permissions are those of Kafka's
// znodes and tools; index is the number.
func resourceNames() []string {
	return []string{"Unknown", "Any", "Topic", "Group", "Cluster", "TransactionalId", "DelegationToken", "User"}
}

func patternNames() []string { return []string{"UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED"} }

func operationNames() []string {
	return []string{"Unknown", "Any", "All", "Read", "Write", "Create", "Delete", "Alter", "Describe", "ClusterAction",
		"DescribeConfigs", "AlterConfigs", "IdempotentWrite", "CreateTokens", "DescribeTokens"}
}

func permissionNames() []string { return []string{"Unknown", "Any", "Deny", "Allow"} }

func nameOf(names []string, n int8) string {
	if n < 0 || int(n) >= len(names) {
		return names[0]
	}
	return names[n]
}

// numberOf takes any case, and underscores between words.
func numberOf(names []string, s string) int8 {
	s = strings.ReplaceAll(s, "_", "")
	for i, name := range names {
		if strings.EqualFold(name, s) {
			return int8(i)
		}
	}
	return 0
}

// String is the name in znodes, as TransactionalId.
func (t ResourceType) String() string { return nameOf(resourceNames(), int8(t)) }

// String is the name in znodes, as PREFIXED.
func (t PatternType) String() string { return nameOf(patternNames(), int8(t)) }

// String is the name in znodes, as ClusterAction.
func (o Operation) String() string { return nameOf(operationNames(), int8(o)) }

// String is the name in znodes, as Allow.
func (p Permission) String() string { return nameOf(permissionNames(), int8(p)) }

// ParseResourceType reads a name, UnknownResource if there is no such.
func ParseResourceType(s string) ResourceType { return ResourceType(numberOf(resourceNames(), s)) }

// ParsePatternType reads a name, UnknownPattern if there is no such.
func ParsePatternType(s string) PatternType { return PatternType(numberOf(patternNames(), s)) }

// ParseOperation reads a name, UnknownOperation if there is no such.
func ParseOperation(s string) Operation { return Operation(numberOf(operationNames(), s)) }

// ParsePermission reads a name, UnknownPermission if there is no such.
func ParsePermission(s string) Permission { return Permission(numberOf(permissionNames(), s)) }
