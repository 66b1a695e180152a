package broker

import (
	"fmt"
	"slices"
	"strings"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/setting"
)

// layersOf are the settings of this broker as an image has them, and of a topic if one is
// named.
func (b *Broker) layersOf(image *metadata.Image, topic string) *setting.Layers {
	l := &setting.Layers{
		Broker:     image.Config(metadata.BrokerEntity(b.id)),
		AllBrokers: image.Config(metadata.DefaultBrokerEntity()),
		File:       b.cfg.Settings,
	}
	if topic != "" {
		l.Topic = image.Config(metadata.TopicEntity(topic))
	}
	return l
}

// settings are this broker's settings as they are now.
func (b *Broker) settings() *setting.Layers { return b.layers.Load() }

// checkTopicConfigs says what is wrong with settings made for a topic.
func checkTopicConfigs(configs map[string]string) refusal {
	for name, value := range configs {
		s := setting.Topic(name)
		if s == nil {
			return refusal{kerror.InvalidConfig, "Unknown topic config name: " + name}
		}
		if err := s.Check(value); err != nil {
			return refusal{kerror.InvalidConfig, err.Error()}
		}
	}
	return checkTogether(configs)
}

// checkTogether says what is wrong between settings of a topic that are fine by
// themselves. (Kafka: LogConfig.validateTopicLogConfigValues)
func checkTogether(configs map[string]string) refusal {
	l := setting.Layers{Topic: configs}
	if least, most := l.TopicInt("min.compaction.lag.ms"), l.TopicInt("max.compaction.lag.ms"); least > most {
		return refusal{kerror.InvalidConfig, fmt.Sprintf("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)", least, most)}
	}
	return refusal{}
}

// checkBrokerConfig says what is wrong with a setting that is to change while brokers run:
// of all of them, or of one.
func checkBrokerConfig(name, value string, all bool) refusal {
	s := setting.Broker(name)
	switch {
	case s == nil:
		return refusal{kerror.InvalidConfig, "Unknown broker config name: " + name}
	case s.Update == setting.ReadOnly:
		return refusal{kerror.InvalidRequest, fmt.Sprintf("Cannot update these configs dynamically: Set(%s)", name)}
	case s.Update == setting.PerBroker && all:
		return refusal{kerror.InvalidRequest, fmt.Sprintf("Cannot update these configs at default cluster level: Set(%s)", name)}
	}
	if err := s.Check(value); err != nil {
		return refusal{kerror.InvalidRequest, err.Error()}
	}
	return refusal{}
}

// checkBrokerTogether says what is wrong between settings of brokers if configs are those of one, or of all.
func (c *call) checkBrokerTogether(configs map[string]string, entity metadata.Entity) refusal {
	l := c.layersOf(c.image, "")
	switch entity {
	case metadata.DefaultBrokerEntity():
		l.AllBrokers = configs
	case metadata.BrokerEntity(c.id):
		l.Broker = configs
	default:
		l.Broker, l.File = configs, nil // another's file is not known here
	}
	if conflicts := l.Conflicts(); len(conflicts) > 0 {
		return refusal{kerror.InvalidRequest, conflicts[0].Cause}
	}
	return refusal{}
}

// configOp is how one setting is to change, numbered as in IncrementalAlterConfigs.
type configOp int8

const (
	opSet      configOp = 0
	opDelete   configOp = 1
	opAppend   configOp = 2
	opSubtract configOp = 3
)

// configChange is one change of a setting. Value is used but by opDelete.
type configChange struct {
	name  string
	op    configOp
	value string
}

// configTarget is what settings belong to, with what judges them.
type configTarget struct {
	entity metadata.Entity
	find   func(name string) *setting.Setting
	check  func(configs map[string]string, changed []string) refusal
	// base is what append and subtract begin with where nothing is made.
	base *setting.Layers
}

// change makes changes on a copy of what is set. What is left is checked.
func (t *configTarget) change(now map[string]string, changes []configChange) (map[string]string, refusal) {
	next := map[string]string{}
	for name, value := range now {
		next[name] = value
	}
	var changed []string
	for _, ch := range changes {
		s := t.find(ch.name)
		if s == nil && ch.op != opDelete {
			_, r := next, t.check(map[string]string{ch.name: ch.value}, []string{ch.name})
			return nil, r
		}
		switch ch.op {
		case opSet:
			next[ch.name] = ch.value
		case opDelete:
			delete(next, ch.name)
			continue
		case opAppend, opSubtract:
			if s.Type != setting.List {
				return nil, refusal{kerror.InvalidConfig, fmt.Sprintf("Config value %s is not allowed for config %s: it is not a list", ch.op, ch.name)}
			}
			next[ch.name] = editList(t.listNow(s, next), ch)
		default:
			return nil, refusal{kerror.InvalidRequest, fmt.Sprintf("Unknown operation %d", ch.op)}
		}
		changed = append(changed, ch.name)
	}
	if r := t.check(next, changed); !r.ok() {
		return nil, r
	}
	return next, refusal{}
}

func (t *configTarget) listNow(s *setting.Setting, own map[string]string) []string {
	if value, ok := own[s.Name]; ok {
		return setting.Words(value)
	}
	if v := t.base.Get(s); !v.IsNull() {
		return setting.Words(v.Text)
	}
	return nil
}

func editList(words []string, ch configChange) string {
	for _, word := range setting.Words(ch.value) {
		words = slices.DeleteFunc(words, func(w string) bool { return w == word })
		if ch.op == opAppend {
			words = append(words, word)
		}
	}
	return strings.Join(words, ",")
}

func (o configOp) String() string {
	return [...]string{"SET", "DELETE", "APPEND", "SUBTRACT"}[o&3]
}
