package auth

import (
	"slices"
	"strings"
	"sync"
)

// ResourceType is what a rule is about. The numbers are the protocol's.
type ResourceType int8

// The resource types. AnyResource is for filters only.
const (
	UnknownResource ResourceType = 0
	AnyResource     ResourceType = 1
	Topic           ResourceType = 2
	Group           ResourceType = 3
	Cluster         ResourceType = 4
	TransactionalID ResourceType = 5
	DelegationToken ResourceType = 6
	UserResource    ResourceType = 7
)

// ClusterName is the name of the only resource of type Cluster.
const ClusterName = "kafka-cluster"

// PatternType is how a rule's name is compared.
type PatternType int8

// The pattern types. AnyPattern and MatchPattern are for filters only.
const (
	UnknownPattern PatternType = 0
	AnyPattern     PatternType = 1
	MatchPattern   PatternType = 2
	Literal        PatternType = 3 // the name, or all if it is *
	Prefixed       PatternType = 4
)

// Wildcard is the literal name that stands for all, and the name and host that do.
const Wildcard = "*"

// Operation is what is done to a resource.
type Operation int8

// The operations. AnyOperation is for filters only.
const (
	UnknownOperation Operation = 0
	AnyOperation     Operation = 1
	AllOperations    Operation = 2
	Read             Operation = 3
	Write            Operation = 4
	Create           Operation = 5
	Delete           Operation = 6
	Alter            Operation = 7
	Describe         Operation = 8
	ClusterAction    Operation = 9
	DescribeConfigs  Operation = 10
	AlterConfigs     Operation = 11
	IdempotentWrite  Operation = 12
	CreateTokens     Operation = 13
	DescribeTokens   Operation = 14
)

// Permission is what a rule does.
type Permission int8

// The permissions. AnyPermission is for filters only.
const (
	UnknownPermission Permission = 0
	AnyPermission     Permission = 1
	Deny              Permission = 2
	Allow             Permission = 3
)

// Pattern names resources.
type Pattern struct {
	Type ResourceType
	Name string
	Kind PatternType
}

// Rule allows or denies something on a pattern's resources.
type Rule struct {
	Principal  string // Type:Name; User:* is everybody
	Host       string // an address, or *
	Operation  Operation
	Permission Permission
}

// Binding is a rule with its pattern.
type Binding struct {
	Pattern
	Rule
}

// Authorizer decides by rules. A nil one allows everything, as a broker without
// authorizer.class.name does.
type Authorizer struct {
	super   map[Principal]bool
	allowed bool // if no rule is about the resource

	mu       sync.RWMutex
	literal  map[Pattern][]Rule
	prefixed map[Pattern][]Rule
	lengths  []int // of the prefixes, ascending, each once
}

// NewAuthorizer makes one without rules. super may do everything [super.users]; allowed
// says what holds for a resource that no rule is about [allow.everyone.if.no.acl.found].
func NewAuthorizer(super []Principal, allowed bool) *Authorizer {
	a := &Authorizer{super: map[Principal]bool{}, allowed: allowed, literal: map[Pattern][]Rule{}, prefixed: map[Pattern][]Rule{}}
	for _, p := range super {
		a.super[p] = true
	}
	return a
}

// Set replaces the rules of a pattern, which is literal or prefixed; no rules remove
// it. The slice is the authorizer's from now on.
func (a *Authorizer) Set(p Pattern, rules []Rule) {
	a.mu.Lock()
	defer a.mu.Unlock()
	table := a.literal
	if p.Kind == Prefixed {
		table = a.prefixed
	}
	if len(rules) == 0 {
		delete(table, p)
	} else {
		table[p] = rules
	}
	if p.Kind == Prefixed {
		a.lengths = a.lengths[:0]
		for q := range a.prefixed {
			a.lengths = append(a.lengths, len(q.Name))
		}
		slices.Sort(a.lengths)
		a.lengths = slices.Compact(a.lengths)
	}
}

// Super reports whether p may do everything.
func (a *Authorizer) Super(p Principal) bool { return a == nil || a.super[p] }

// Allowed reports whether p, connected from host, may do op to the resource.
// Kafka: AclAuthorizer.authorizeAction.
func (a *Authorizer) Allowed(p Principal, host string, op Operation, kind ResourceType, name string) bool {
	if a.Super(p) {
		return true
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	who, found, allowed := p.String(), false, false
	denied := a.visitLocked(kind, name, func(rules []Rule) bool {
		found = true
		for i := range rules {
			r := &rules[i]
			switch {
			case !r.about(who, host):
			case r.Permission == Deny && (r.Operation == op || r.Operation == AllOperations):
				return true
			case r.Permission == Allow && r.Operation.allows(op):
				allowed = true
			}
		}
		return false
	})
	if denied {
		return false
	}
	return allowed || !found && a.allowed
}

// visitLocked calls visit with the rules of every pattern that takes in the resource until it
// returns true, which is returned.
func (a *Authorizer) visitLocked(kind ResourceType, name string, visit func([]Rule) bool) bool {
	for _, literal := range []string{name, Wildcard} {
		if rules, ok := a.literal[Pattern{kind, literal, Literal}]; ok && visit(rules) {
			return true
		}
		if name == Wildcard {
			break
		}
	}
	for _, n := range a.lengths {
		if n > len(name) {
			break
		}
		if rules, ok := a.prefixed[Pattern{kind, name[:n], Prefixed}]; ok && visit(rules) {
			return true
		}
	}
	return false
}

func (r *Rule) about(who, host string) bool {
	return (r.Principal == who || r.Principal == "User:*") && (r.Host == host || r.Host == Wildcard)
}

// allows reports whether permission for o is permission for op too.
func (o Operation) allows(op Operation) bool {
	switch {
	case o == op, o == AllOperations:
		return true
	case op == Describe:
		return o == Read || o == Write || o == Delete || o == Alter
	case op == DescribeConfigs:
		return o == AlterConfigs
	}
	return false
}

// AllowedSomewhere reports whether p may do op to any resource of the type: whether there is a
// pattern on which it is allowed and not denied. An idempotent producer needs it for
// Write. Kafka: AclAuthorizer.authorizeByResourceType.
func (a *Authorizer) AllowedSomewhere(p Principal, host string, op Operation, kind ResourceType) bool {
	if a.Super(p) {
		return true
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	who := p.String()
	has := func(rules []Rule, perm Permission) bool {
		return slices.ContainsFunc(rules, func(r Rule) bool {
			return r.Permission == perm && r.about(who, host) && (r.Operation == op || r.Operation == AllOperations)
		})
	}
	if has(a.literal[Pattern{kind, Wildcard, Literal}], Deny) {
		return false
	}
	if a.allowed {
		return true
	}
	denied := func(name string, literal bool) bool {
		if literal && has(a.literal[Pattern{kind, name, Literal}], Deny) {
			return true
		}
		for _, n := range a.lengths {
			if n <= len(name) && has(a.prefixed[Pattern{kind, name[:n], Prefixed}], Deny) {
				return true
			}
		}
		return false
	}
	for q, rules := range a.literal {
		// A wildcard is denied by no prefix: there are always names besides.
		if q.Type == kind && has(rules, Allow) && (q.Name == Wildcard || !denied(q.Name, true)) {
			return true
		}
	}
	for q, rules := range a.prefixed {
		if q.Type == kind && has(rules, Allow) && !denied(q.Name, false) {
			return true
		}
	}
	return false
}

// AllowedOperations are the operations that p may do to the resource, as the bits that Metadata,
// DescribeGroups and DescribeCluster report: bit n for operation n, of those that the
// type knows.
func (a *Authorizer) AllowedOperations(p Principal, host string, kind ResourceType, name string) int32 {
	var bits int32
	for _, op := range operationsOf(kind) {
		if a.Allowed(p, host, op, kind, name) {
			bits |= 1 << op
		}
	}
	return bits
}

// operationsOf are those that make sense for a type.
func operationsOf(kind ResourceType) []Operation {
	switch kind {
	case Topic:
		return []Operation{Read, Write, Create, Describe, Delete, Alter, DescribeConfigs, AlterConfigs}
	case Group:
		return []Operation{Read, Describe, Delete}
	case Cluster:
		return []Operation{Create, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite, Alter, Describe}
	case TransactionalID:
		return []Operation{Describe, Write}
	case DelegationToken:
		return []Operation{Describe}
	case UserResource:
		return []Operation{CreateTokens, DescribeTokens}
	}
	return nil
}

// Operable reports whether an operation makes sense for a type; CreateAcls refuses others.
func Operable(kind ResourceType, op Operation) bool {
	return op == AllOperations || slices.Contains(operationsOf(kind), op)
}

// Filter picks bindings: DescribeAcls and DeleteAcls. "" and the Any values leave open.
type Filter struct {
	Type       ResourceType
	Name       string
	Kind       PatternType // MatchPattern: every pattern that takes in Name
	Principal  string
	Host       string
	Operation  Operation
	Permission Permission
}

// Match reports whether the filter picks b.
func (f *Filter) Match(b Binding) bool {
	return (f.Type == AnyResource || f.Type == b.Type) && f.matchName(b.Pattern) &&
		(f.Principal == "" || f.Principal == b.Principal) && (f.Host == "" || f.Host == b.Host) &&
		(f.Operation == AnyOperation || f.Operation == b.Operation) &&
		(f.Permission == AnyPermission || f.Permission == b.Permission)
}

func (f *Filter) matchName(p Pattern) bool {
	switch {
	case f.Kind != AnyPattern && f.Kind != MatchPattern && f.Kind != p.Kind:
		return false
	case f.Name == "" || f.Name == p.Name:
		return true
	case f.Kind != MatchPattern:
		return false
	case p.Kind == Literal:
		return p.Name == Wildcard
	}
	return strings.HasPrefix(f.Name, p.Name)
}

// Bindings returns all that the filter picks, in no order.
func (a *Authorizer) Bindings(f Filter) []Binding {
	if a == nil {
		return nil
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	var all []Binding
	for _, table := range []map[Pattern][]Rule{a.literal, a.prefixed} {
		for p, rules := range table {
			for _, r := range rules {
				if b := (Binding{p, r}); f.Match(b) {
					all = append(all, b)
				}
			}
		}
	}
	return all
}
