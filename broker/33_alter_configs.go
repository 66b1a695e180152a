package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/setting"
)

// AlterConfigs (33), versions 0 to 2, replaces all that is set for a topic, for this broker
// or (the empty name) for all. IncrementalAlterConfigs (44), versions 0 and 1, changes
// single settings; append and subtract work on lists. Both answer when this broker goes by
// what they changed.
//
// Not done: levels of loggers, policies.

func (c *call) alterConfigs(req *kmsg.AlterConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	count := map[resourceKey]int{}
	for _, res := range req.Resources {
		count[resourceKey{res.ResourceType, res.ResourceName}]++
	}
	for _, res := range req.Resources {
		rr := kmsg.NewAlterConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = res.ResourceType, res.ResourceName
		var changes []configChange
		r := duplicate(count[resourceKey{res.ResourceType, res.ResourceName}])
		for _, cf := range res.Configs {
			if cf.Value == nil {
				r = refusal{kerror.InvalidRequest, "Null value not supported for : " + cf.Name}
				break
			}
			changes = append(changes, configChange{cf.Name, opSet, *cf.Value})
		}
		if r.ok() {
			r = c.alterResource(res.ResourceType, res.ResourceName, changes, alterMode{replace: true, validateOnly: req.ValidateOnly})
		}
		rr.ErrorCode, rr.ErrorMessage = int16(r.code), r.text()
		resp.Resources = append(resp.Resources, rr)
	}
	return resp
}

func (c *call) incrementalAlterConfigs(req *kmsg.IncrementalAlterConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	count := map[resourceKey]int{}
	for _, res := range req.Resources {
		count[resourceKey{res.ResourceType, res.ResourceName}]++
	}
	for _, res := range req.Resources {
		rr := kmsg.NewIncrementalAlterConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = res.ResourceType, res.ResourceName
		changes, r := incremental(res.Configs)
		if d := duplicate(count[resourceKey{res.ResourceType, res.ResourceName}]); !d.ok() {
			r = d
		}
		if r.ok() {
			r = c.alterResource(res.ResourceType, res.ResourceName, changes, alterMode{validateOnly: req.ValidateOnly})
		}
		rr.ErrorCode, rr.ErrorMessage = int16(r.code), r.text()
		resp.Resources = append(resp.Resources, rr)
	}
	return resp
}

type resourceKey struct {
	kind kmsg.ConfigResourceType
	name string
}

func duplicate(count int) refusal {
	if count > 1 {
		return refusal{kerror.InvalidRequest, "Each resource must appear at most once."}
	}
	return refusal{}
}

func incremental(configs []kmsg.IncrementalAlterConfigsRequestResourceConfig) ([]configChange, refusal) {
	var changes []configChange
	seen := map[string]bool{}
	for _, cf := range configs {
		ch := configChange{name: cf.Name, op: configOp(cf.Op)}
		switch {
		case seen[cf.Name]:
			return nil, refusal{kerror.InvalidRequest, "Error due to duplicate config keys : " + cf.Name}
		case cf.Value != nil:
			ch.value = *cf.Value
		case ch.op != opDelete:
			return nil, refusal{kerror.InvalidRequest, "Null value not supported for : " + cf.Name}
		}
		seen[cf.Name] = true
		changes = append(changes, ch)
	}
	return changes, refusal{}
}

type alterMode struct{ replace, validateOnly bool }

func (c *call) alterResource(kind kmsg.ConfigResourceType, name string, changes []configChange, mode alterMode) refusal {
	target, r := c.target(kind, name)
	if !r.ok() {
		return r
	}
	apply := func(now map[string]string) (map[string]string, refusal) {
		if mode.replace {
			now = nil
		}
		return target.change(now, changes)
	}
	if mode.validateOnly {
		_, r := apply(c.image.Config(target.entity))
		return r
	}
	ctx, cancel := context.WithTimeoutCause(c.ctx, treeWait, errTimeout)
	defer cancel()
	err := c.client.AlterConfig(ctx, target.entity, func(now map[string]string) (map[string]string, error) {
		next, refused := apply(now)
		if !refused.ok() {
			r = refused
			return nil, errRefused
		}
		return next, nil
	})
	switch {
	case errors.Is(err, errRefused):
		return r
	case err != nil:
		return c.failedWrite(ctx, err)
	}
	c.log.Info("configuration changed", entityField(target.entity), clientField(c))
	if err := c.follower.Sync(ctx); err != nil {
		c.log.Debug("changed configuration not seen yet", errField(err))
	}
	return refusal{}
}

// errRefused ends a change that turned out not to be permitted.
var errRefused = errors.New("refused")

// target is what a resource's settings are and who judges them.
func (c *call) target(kind kmsg.ConfigResourceType, name string) (*configTarget, refusal) {
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		return c.topicTarget(name)
	case kmsg.ConfigResourceTypeBroker:
		return c.brokerTarget(name)
	case kmsg.ConfigResourceTypeBrokerLogger:
		return nil, refusal{kerror.InvalidRequest, "Levels of loggers cannot be changed."}
	}
	return nil, refusal{kerror.InvalidRequest, fmt.Sprintf("AlterConfigs is only supported for topics and brokers, but resource type is %d", kind)}
}

func (c *call) topicTarget(name string) (*configTarget, refusal) {
	if !c.mayTopic(auth.AlterConfigs, name) {
		return nil, refusal{code: kerror.TopicAuthorizationFailed}
	}
	if why := checkTopicName(name); why != "" {
		return nil, refusal{kerror.InvalidTopicException, why}
	}
	if c.topicOf(&name, [16]byte{}) == nil {
		if c.image = c.freshImage(c.ctx); c.topicOf(&name, [16]byte{}) == nil {
			return nil, refusal{kerror.UnknownTopicOrPartition, fmt.Sprintf("The topic '%s' does not exist.", name)}
		}
	}
	return &configTarget{
		entity: metadata.TopicEntity(name), find: setting.Topic, base: c.layersOf(c.image, ""),
		check: func(configs map[string]string, _ []string) refusal { return checkTopicConfigs(configs) },
	}, refusal{}
}

func (c *call) brokerTarget(name string) (*configTarget, refusal) {
	if !c.mayCluster(auth.AlterConfigs) {
		return nil, refusal{code: kerror.ClusterAuthorizationFailed}
	}
	entity, all := metadata.DefaultBrokerEntity(), name == ""
	if !all {
		id, err := strconv.ParseInt(name, 10, 32)
		if err != nil || id < 0 {
			return nil, refusal{kerror.InvalidRequest, "Node id must be an integer, but it is: " + name}
		}
		entity = metadata.BrokerEntity(int32(id))
	}
	return &configTarget{
		entity: entity, find: setting.Broker, base: c.layersOf(c.image, ""),
		check: func(configs map[string]string, changed []string) refusal {
			for _, name := range changed {
				if r := checkBrokerConfig(name, configs[name], all); !r.ok() {
					return r
				}
			}
			return c.checkBrokerTogether(configs, entity)
		},
	}, refusal{}
}
