package broker

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/setting"
)

// DescribeConfigs, versions 0 to 4: every setting of a topic or of this broker, with where
// its value comes from, what it overrides and what it is for. Another broker's settings are
// its own to tell; of the empty name are those of all brokers in the tree.

func (c *call) describeConfigs(req *kmsg.DescribeConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	for i := range req.Resources {
		res := &req.Resources[i]
		rr := kmsg.NewDescribeConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = res.ResourceType, res.ResourceName
		r := c.describeResource(req, res, &rr)
		rr.ErrorCode, rr.ErrorMessage = int16(r.code), r.text()
		if rr.Configs == nil {
			rr.Configs = []kmsg.DescribeConfigsResponseResourceConfig{}
		}
		resp.Resources = append(resp.Resources, rr)
	}
	return resp
}

func (c *call) describeResource(req *kmsg.DescribeConfigsRequest, res *kmsg.DescribeConfigsRequestResource, rr *kmsg.DescribeConfigsResponseResource) refusal {
	switch res.ResourceType {
	case kmsg.ConfigResourceTypeTopic:
		if !c.mayTopic(auth.DescribeConfigs, res.ResourceName) {
			return refusal{code: kerror.TopicAuthorizationFailed}
		}
		if why := checkTopicName(res.ResourceName); why != "" {
			return refusal{kerror.InvalidTopicException, why}
		}
		if c.topicOf(&res.ResourceName, [16]byte{}) == nil {
			if c.image = c.freshImage(c.ctx); c.topicOf(&res.ResourceName, [16]byte{}) == nil {
				return refusal{code: kerror.UnknownTopicOrPartition}
			}
		}
		rr.Configs = c.describeSettings(req, res, setting.TopicSettings(), c.layersOf(c.image, res.ResourceName))
		return refusal{}
	case kmsg.ConfigResourceTypeBroker, kmsg.ConfigResourceTypeBrokerLogger:
		return c.describeBroker(req, res, rr)
	}
	return refusal{kerror.InvalidRequest, fmt.Sprintf("Unsupported resource type: %d", res.ResourceType)}
}

func (c *call) describeBroker(req *kmsg.DescribeConfigsRequest, res *kmsg.DescribeConfigsRequestResource, rr *kmsg.DescribeConfigsResponseResource) refusal {
	if !c.mayCluster(auth.DescribeConfigs) {
		return refusal{code: kerror.ClusterAuthorizationFailed}
	}
	if res.ResourceName == "" && res.ResourceType == kmsg.ConfigResourceTypeBroker {
		layers := c.layersOf(c.image, "")
		layers.Broker = nil
		made := slices.DeleteFunc(setting.BrokerSettings(), func(s setting.Setting) bool {
			_, ok := layers.AllBrokers[s.Name]
			return !ok
		})
		rr.Configs = c.describeSettings(req, res, made, layers)
		return refusal{}
	}
	id, err := strconv.ParseInt(res.ResourceName, 10, 32)
	if err != nil || int32(id) != c.id {
		return refusal{kerror.InvalidRequest, fmt.Sprintf("Unexpected broker id, expected %d or empty string, but received %s", c.id, res.ResourceName)}
	}
	if res.ResourceType == kmsg.ConfigResourceTypeBrokerLogger {
		return refusal{} // there is one level for all, of the process
	}
	rr.Configs = c.describeSettings(req, res, setting.BrokerSettings(), c.layersOf(c.image, ""))
	return refusal{}
}

func (c *call) describeSettings(req *kmsg.DescribeConfigsRequest, res *kmsg.DescribeConfigsRequestResource, list []setting.Setting, layers *setting.Layers) []kmsg.DescribeConfigsResponseResourceConfig {
	var out []kmsg.DescribeConfigsResponseResourceConfig
	for i := range list {
		s := &list[i]
		if res.ConfigNames != nil && !slices.Contains(res.ConfigNames, s.Name) {
			continue
		}
		v := layers.Get(s)
		cf := kmsg.NewDescribeConfigsResponseResourceConfig()
		cf.Name, cf.Value = s.Name, shown(s, v)
		cf.Source, cf.IsDefault = kmsg.ConfigSource(v.Source), v.Source == setting.OfDefault
		cf.IsSensitive, cf.ConfigType = s.Sensitive(), kmsg.ConfigType(s.Type)
		cf.ReadOnly = s.Update == setting.ReadOnly && res.ResourceType == kmsg.ConfigResourceTypeBroker
		if req.IncludeSynonyms {
			cf.ConfigSynonyms = synonyms(s, layers)
		}
		if req.IncludeDocumentation {
			cf.Documentation = &s.Doc
		}
		out = append(out, cf)
	}
	return out
}

// shown is a value for the client, null if there is none or it is a secret.
func shown(s *setting.Setting, v setting.Value) *string {
	if v.IsNull() || s.Sensitive() {
		return nil
	}
	return &v.Text
}

func synonyms(s *setting.Setting, layers *setting.Layers) []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym {
	var out []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym
	for _, v := range layers.All(s) {
		if v.IsNull() {
			continue
		}
		syn := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		syn.Name, syn.Value, syn.Source = v.Name, shown(s, v), kmsg.ConfigSource(v.Source)
		out = append(out, syn)
	}
	return out
}
