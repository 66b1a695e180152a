package broker

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata"
)

// DescribeAcls (29), CreateAcls (30), DeleteAcls (31), versions 0 to 3, on every broker: the
// rules of who may do what, which stand in the tree. Without authorizer.class.name nobody
// checks them, and the answer is SECURITY_DISABLED. A change is answered when this broker
// goes by it.

const noAuthorizer = "No Authorizer is configured on the broker"

func (c *call) describeACLs(req *kmsg.DescribeACLsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeACLsResponse)
	r := c.aclAccess(auth.Describe)
	f, fine := filterOf(req.ResourceType, req.ResourceName, req.ResourcePatternType, req.Principal, req.Host, req.Operation, req.PermissionType, req.Version)
	if r.ok() && !fine {
		r = refusal{kerror.InvalidRequest, "The filter has a value that is unknown."}
	}
	resp.ErrorCode, resp.ErrorMessage = int16(r.code), r.text()
	if !r.ok() {
		return resp
	}
	at := map[auth.Pattern]int{}
	for _, b := range sortedBindings(c.authorizer.Bindings(f)) {
		i, ok := at[b.Pattern]
		if !ok {
			i = len(resp.Resources)
			at[b.Pattern] = i
			rr := kmsg.NewDescribeACLsResponseResource()
			rr.ResourceType, rr.ResourceName, rr.ResourcePatternType = kmsg.ACLResourceType(b.Type), b.Name, kmsg.ACLResourcePatternType(b.Kind)
			resp.Resources = append(resp.Resources, rr)
		}
		ra := kmsg.NewDescribeACLsResponseResourceACL()
		ra.Principal, ra.Host = b.Principal, b.Host
		ra.Operation, ra.PermissionType = kmsg.ACLOperation(b.Operation), kmsg.ACLPermissionType(b.Permission)
		resp.Resources[i].ACLs = append(resp.Resources[i].ACLs, ra)
	}
	return resp
}

// aclAccess says why the client may not look at, or change, rules.
func (c *call) aclAccess(op auth.Operation) refusal {
	if c.authorizer == nil {
		return refusal{kerror.SecurityDisabled, noAuthorizer}
	}
	return refusal{code: c.clusterCode(op)}
}

func sortedBindings(all []auth.Binding) []auth.Binding {
	slices.SortFunc(all, func(a, b auth.Binding) int {
		if a.Type != b.Type {
			return int(a.Type) - int(b.Type)
		}
		if n := strings.Compare(a.Name, b.Name); n != 0 {
			return n
		}
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		if n := strings.Compare(a.Principal, b.Principal); n != 0 {
			return n
		}
		return int(a.Operation) - int(b.Operation)
	})
	return all
}

func filterOf(kind kmsg.ACLResourceType, name *string, pattern kmsg.ACLResourcePatternType, principal, host *string,
	op kmsg.ACLOperation, permission kmsg.ACLPermissionType, version int16) (auth.Filter, bool) {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	if version == 0 {
		pattern = kmsg.ACLResourcePatternType(auth.Literal)
	}
	f := auth.Filter{Type: auth.ResourceType(kind), Name: text(name), Kind: auth.PatternType(pattern), Principal: text(principal), Host: text(host),
		Operation: auth.Operation(op), Permission: auth.Permission(permission)}
	known := f.Type >= auth.AnyResource && f.Type <= auth.UserResource && f.Kind >= auth.AnyPattern && f.Kind <= auth.Prefixed &&
		f.Operation >= auth.AnyOperation && f.Operation <= auth.DescribeTokens && f.Permission >= auth.AnyPermission && f.Permission <= auth.Allow
	return f, known
}

func (c *call) createACLs(req *kmsg.CreateACLsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.CreateACLsResponse)
	resp.Results = make([]kmsg.CreateACLsResponseResult, len(req.Creations))
	access := c.aclAccess(auth.Alter)
	byPattern := map[auth.Pattern][]int{}
	bindings := make([]auth.Binding, len(req.Creations))
	for i := range req.Creations {
		b, r := bindingOf(&req.Creations[i], req.Version)
		if !access.ok() {
			r = access
		}
		if bindings[i] = b; r.ok() {
			byPattern[b.Pattern] = append(byPattern[b.Pattern], i)
		}
		setResult(&resp.Results[i], r)
	}
	for pattern, list := range byPattern {
		r := c.alterACLs(pattern, func(rules []metadata.ACL) []metadata.ACL {
			for _, i := range list {
				if rule := aclOf(bindings[i].Rule); !slices.Contains(rules, rule) {
					rules = append(rules, rule)
				}
			}
			return rules
		})
		for _, i := range list {
			setResult(&resp.Results[i], r)
		}
	}
	c.seeOwnWrites()
	return resp
}

func setResult(res *kmsg.CreateACLsResponseResult, r refusal) {
	res.ErrorCode, res.ErrorMessage = int16(r.code), r.text()
}

// bindingOf checks a rule that is to be made. (Kafka: AclApis.handleCreateAcls)
func bindingOf(cr *kmsg.CreateACLsRequestCreation, version int16) (auth.Binding, refusal) {
	b := auth.Binding{
		Pattern: auth.Pattern{Type: auth.ResourceType(cr.ResourceType), Name: cr.ResourceName, Kind: auth.PatternType(cr.ResourcePatternType)},
		Rule:    auth.Rule{Principal: cr.Principal, Host: cr.Host, Operation: auth.Operation(cr.Operation), Permission: auth.Permission(cr.PermissionType)},
	}
	if version == 0 {
		b.Kind = auth.Literal
	}
	_, principalErr := auth.ParsePrincipal(b.Principal)
	_, hostErr := netip.ParseAddr(b.Host)
	switch {
	case b.Kind != auth.Literal && b.Kind != auth.Prefixed:
		return b, refusal{kerror.InvalidRequest, "A rule's pattern is LITERAL or PREFIXED."}
	case !auth.Operable(b.Type, b.Operation):
		return b, refusal{kerror.InvalidRequest, "The operation " + b.Operation.String() + " is none of " + b.Type.String() + "."}
	case b.Permission != auth.Allow && b.Permission != auth.Deny:
		return b, refusal{kerror.InvalidRequest, "A rule allows or denies."}
	case b.Type == auth.Cluster && b.Name != clusterName && b.Name != "*":
		return b, refusal{kerror.InvalidRequest, "The only valid name for the CLUSTER resource is kafka-cluster"}
	case b.Name == "":
		return b, refusal{kerror.InvalidRequest, "Resource name cannot be empty"}
	case principalErr != nil:
		return b, refusal{kerror.InvalidRequest, principalErr.Error()}
	case b.Host != "*" && hostErr != nil:
		return b, refusal{kerror.InvalidRequest, "A host is an address or *."}
	}
	return b, refusal{}
}

func aclOf(r auth.Rule) metadata.ACL {
	return metadata.ACL{Principal: r.Principal, Permission: r.Permission.String(), Operation: r.Operation.String(), Host: r.Host}
}

func resourceOf(p auth.Pattern) metadata.Resource {
	kind := metadata.Literal
	if p.Kind == auth.Prefixed {
		kind = metadata.Prefixed
	}
	return metadata.Resource{Type: p.Type.String(), Name: p.Name, Pattern: kind}
}

func (c *call) alterACLs(p auth.Pattern, change func([]metadata.ACL) []metadata.ACL) refusal {
	ctx, cancel := context.WithTimeoutCause(c.ctx, treeWait, errTimeout)
	defer cancel()
	if err := c.client.AlterACLs(ctx, resourceOf(p), change); err != nil {
		return c.failedWrite(ctx, err)
	}
	c.log.Info("access rules changed", resourceField(p), clientField(c))
	return refusal{}
}

// seeOwnWrites waits until this broker goes by what it has written.
func (c *call) seeOwnWrites() {
	ctx, cancel := context.WithTimeout(c.ctx, treeWait)
	defer cancel()
	if err := c.follower.Sync(ctx); err != nil {
		c.log.Debug("changes not seen yet", errField(err))
	}
}

func (c *call) deleteACLs(req *kmsg.DeleteACLsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DeleteACLsResponse)
	access := c.aclAccess(auth.Alter)
	for i := range req.Filters {
		f := &req.Filters[i]
		res := kmsg.NewDeleteACLsResponseResult()
		filter, fine := filterOf(f.ResourceType, f.ResourceName, f.ResourcePatternType, f.Principal, f.Host, f.Operation, f.PermissionType, req.Version)
		r := access
		if r.ok() && !fine {
			r = refusal{kerror.InvalidRequest, "The filter has a value that is unknown."}
		}
		res.MatchingACLs = []kmsg.DeleteACLsResponseResultMatchingACL{}
		if r.ok() {
			res.MatchingACLs = c.deleteMatching(filter)
		}
		res.ErrorCode, res.ErrorMessage = int16(r.code), r.text()
		resp.Results = append(resp.Results, res)
	}
	c.seeOwnWrites()
	return resp
}

// deleteMatching deletes the rules that a filter picks, and tells which.
func (c *call) deleteMatching(filter auth.Filter) []kmsg.DeleteACLsResponseResultMatchingACL {
	out := []kmsg.DeleteACLsResponseResultMatchingACL{}
	byPattern := map[auth.Pattern][]auth.Rule{}
	for _, b := range c.authorizer.Bindings(filter) {
		byPattern[b.Pattern] = append(byPattern[b.Pattern], b.Rule)
	}
	for p, rules := range byPattern {
		gone := map[metadata.ACL]bool{}
		for _, rule := range rules {
			gone[aclOf(rule)] = true
		}
		r := c.alterACLs(p, func(now []metadata.ACL) []metadata.ACL {
			return slices.DeleteFunc(now, func(a metadata.ACL) bool { return gone[a] })
		})
		for _, rule := range rules {
			m := kmsg.NewDeleteACLsResponseResultMatchingACL()
			m.ErrorCode, m.ErrorMessage = int16(r.code), r.text()
			m.ResourceType, m.ResourceName, m.ResourcePatternType = kmsg.ACLResourceType(p.Type), p.Name, kmsg.ACLResourcePatternType(p.Kind)
			m.Principal, m.Host = rule.Principal, rule.Host
			m.Operation, m.PermissionType = kmsg.ACLOperation(rule.Operation), kmsg.ACLPermissionType(rule.Permission)
			out = append(out, m)
		}
	}
	return out
}
