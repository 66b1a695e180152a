package broker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata"
)

// DescribeClientQuotas (48), AlterClientQuotas (49), versions 0 and 1, on every broker:
// quotas of users, client ids, client ids of users, and addresses, which stand in the tree.

// ipQuota is the one quota of addresses: new connections a second.
const ipQuota = "connection_creation_rate"

// quotaEntity is whom a quota is for, as requests name it. A part that is not there is nil;
// the default is metadata.DefaultName.
type quotaEntity struct{ user, client, ip *string }

func (q quotaEntity) entity() metadata.Entity {
	switch {
	case q.ip != nil:
		return metadata.IPEntity(*q.ip)
	case q.user != nil && q.client != nil:
		return metadata.UserClientEntity(*q.user, *q.client)
	case q.user != nil:
		return metadata.UserEntity(*q.user)
	}
	return metadata.ClientEntity(*q.client)
}

// quotaEntityOf is the reverse; false for what has no quotas.
func quotaEntityOf(e metadata.Entity) (quotaEntity, bool) {
	name := e.Name()
	switch e.Kind() {
	case metadata.UserKind:
		q := quotaEntity{user: &name}
		if client, ok := e.ClientOfUser(); ok {
			q.client = &client
		}
		return q, true
	case metadata.ClientKind:
		return quotaEntity{client: &name}, true
	case metadata.IPKind:
		return quotaEntity{ip: &name}, true
	}
	return quotaEntity{}, false
}

func (q quotaEntity) part(kind string) (*string, bool) {
	switch kind {
	case "user":
		return q.user, true
	case "client-id":
		return q.client, true
	case "ip":
		return q.ip, true
	}
	return nil, false
}

func isQuota(key string, ip bool) bool {
	if ip {
		return key == ipQuota
	}
	_, ok := auth.QuotaKindOf(key)
	return ok
}

func (c *call) describeClientQuotas(req *kmsg.DescribeClientQuotasRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
	if code := c.clusterCode(auth.DescribeConfigs); code != kerror.OK {
		resp.ErrorCode, resp.ErrorMessage = int16(code), kmsg.StringPtr("Cluster authorization failed.")
		return resp
	}
	if r := checkQuotaFilter(req); !r.ok() {
		resp.ErrorCode, resp.ErrorMessage = int16(r.code), r.text()
		return resp
	}
	resp.Entries = []kmsg.DescribeClientQuotasResponseEntry{}
	for e, values := range c.image.Configs() {
		q, ok := quotaEntityOf(e)
		if !ok || !quotaMatches(req, q) {
			continue
		}
		if entry := quotaEntry(q, values); len(entry.Values) > 0 {
			resp.Entries = append(resp.Entries, entry)
		}
	}
	return resp
}

func checkQuotaFilter(req *kmsg.DescribeClientQuotasRequest) refusal {
	seen := map[string]bool{}
	for _, comp := range req.Components {
		_, known := quotaEntity{}.part(comp.EntityType)
		switch {
		case !known:
			return refusal{kerror.UnsupportedVersion, "Custom entity type " + comp.EntityType + " not supported"}
		case seen[comp.EntityType]:
			return refusal{kerror.InvalidRequest, "Duplicate " + comp.EntityType + " filter component entity type"}
		case comp.MatchType < 0 || comp.MatchType > 2:
			return refusal{kerror.InvalidRequest, fmt.Sprintf("Unknown match type %d", comp.MatchType)}
		}
		seen[comp.EntityType] = true
	}
	if seen["ip"] && (seen["user"] || seen["client-id"]) {
		return refusal{kerror.InvalidRequest, "Invalid entity filter component combination, IP filter component should not be used with user or clientId filter component."}
	}
	return refusal{}
}

// The ways in which a component of a filter matches.
const (
	matchName = iota
	matchDefault
	matchAnyName
)

func quotaMatches(req *kmsg.DescribeClientQuotasRequest, q quotaEntity) bool {
	matched := 0
	for _, comp := range req.Components {
		name, _ := q.part(comp.EntityType)
		if name == nil {
			return false
		}
		switch comp.MatchType {
		case matchName:
			if comp.Match == nil || *name != *comp.Match {
				return false
			}
		case matchDefault:
			if *name != metadata.DefaultName {
				return false
			}
		}
		matched++
	}
	parts := 0
	for _, name := range []*string{q.user, q.client, q.ip} {
		if name != nil {
			parts++
		}
	}
	return !req.Strict || matched == parts
}

func quotaEntry(q quotaEntity, values map[string]string) kmsg.DescribeClientQuotasResponseEntry {
	entry := kmsg.NewDescribeClientQuotasResponseEntry()
	for _, kind := range []string{"user", "client-id", "ip"} {
		name, _ := q.part(kind)
		if name == nil {
			continue
		}
		part := kmsg.NewDescribeClientQuotasResponseEntryEntity()
		part.Type = kind
		if *name != metadata.DefaultName {
			part.Name = name
		}
		entry.Entity = append(entry.Entity, part)
	}
	for key, text := range values {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || !isQuota(key, q.ip != nil) {
			continue
		}
		v := kmsg.NewDescribeClientQuotasResponseEntryValue()
		v.Key, v.Value = key, f
		entry.Values = append(entry.Values, v)
	}
	slices.SortFunc(entry.Values, func(a, b kmsg.DescribeClientQuotasResponseEntryValue) int { return strings.Compare(a.Key, b.Key) })
	return entry
}

func (c *call) alterClientQuotas(req *kmsg.AlterClientQuotasRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterClientQuotasResponse)
	code := c.clusterCode(auth.AlterConfigs)
	for i := range req.Entries {
		e := &req.Entries[i]
		re := kmsg.NewAlterClientQuotasResponseEntry()
		for _, part := range e.Entity {
			rp := kmsg.NewAlterClientQuotasResponseEntryEntity()
			rp.Type, rp.Name = part.Type, part.Name
			re.Entity = append(re.Entity, rp)
		}
		r := refusal{code: code}
		if r.ok() {
			r = c.alterQuota(e, req.ValidateOnly)
		}
		re.ErrorCode, re.ErrorMessage = int16(r.code), r.text()
		resp.Entries = append(resp.Entries, re)
	}
	if !req.ValidateOnly && code == kerror.OK {
		c.seeOwnWrites()
	}
	return resp
}

func (c *call) alterQuota(e *kmsg.AlterClientQuotasRequestEntry, validateOnly bool) refusal {
	q, r := parseQuotaEntity(e.Entity)
	if !r.ok() {
		return r
	}
	for _, op := range e.Ops {
		if r := checkQuotaOp(op, q.ip != nil); !r.ok() {
			return r
		}
	}
	if validateOnly {
		return refusal{}
	}
	ctx, cancel := context.WithTimeoutCause(c.ctx, treeWait, errTimeout)
	defer cancel()
	err := c.client.AlterConfig(ctx, q.entity(), func(now map[string]string) (map[string]string, error) {
		for _, op := range e.Ops {
			if op.Remove {
				delete(now, op.Key)
			} else {
				now[op.Key] = strconv.FormatFloat(op.Value, 'f', -1, 64)
			}
		}
		return now, nil
	})
	if err != nil {
		return c.failedWrite(ctx, err)
	}
	c.log.Info("quotas changed", entityField(q.entity()), clientField(c))
	return refusal{}
}

func parseQuotaEntity(parts []kmsg.AlterClientQuotasRequestEntryEntity) (quotaEntity, refusal) {
	var q quotaEntity
	for _, part := range parts {
		name := metadata.DefaultName
		if part.Name != nil {
			name = *part.Name
			if name == "" {
				return q, refusal{kerror.InvalidRequest, "Empty " + part.Type + " not supported"}
			}
		}
		var at **string
		switch part.Type {
		case "user":
			at = &q.user
		case "client-id":
			at = &q.client
		case "ip":
			at = &q.ip
		default:
			return q, refusal{kerror.InvalidRequest, "Unhandled client quota entity type: " + part.Type}
		}
		if *at != nil {
			return q, refusal{kerror.InvalidRequest, "Entity type " + part.Type + " is there twice"}
		}
		*at = &name
	}
	switch {
	case q.ip != nil && (q.user != nil || q.client != nil):
		return q, refusal{kerror.InvalidRequest, "Invalid quota entity combination, IP entity should not be used with user or client ID entity."}
	case q == quotaEntity{}:
		return q, refusal{kerror.InvalidRequest, "Invalid empty client quota entity"}
	}
	return q, refusal{}
}

func checkQuotaOp(op kmsg.AlterClientQuotasRequestEntryOp, ip bool) refusal {
	if !isQuota(op.Key, ip) {
		return refusal{kerror.InvalidRequest, "Invalid configuration key " + op.Key}
	}
	whole := op.Key == "producer_byte_rate" || op.Key == "consumer_byte_rate" || op.Key == ipQuota
	switch {
	case op.Remove:
	case math.IsNaN(op.Value) || math.IsInf(op.Value, 0) || op.Value < 0 || op.Value == 0 && op.Key != ipQuota:
		return refusal{kerror.InvalidRequest, fmt.Sprintf("Quota %s must be greater than 0", op.Key)}
	case whole && op.Value != math.Trunc(op.Value):
		return refusal{kerror.InvalidRequest, fmt.Sprintf("Configuration %s must be a Long value", op.Key)}
	}
	return refusal{}
}
