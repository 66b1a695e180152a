package setting

import (
	"strconv"
	"strings"
)

// Source says where a value comes from, numbered as in DescribeConfigs.
type Source int8

// The sources.
const (
	OfTopic      Source = 1
	OfBroker     Source = 2
	OfAllBrokers Source = 3
	OfFile       Source = 4
	OfDefault    Source = 5
)

// Layers are the values that were set for a broker, and perhaps for a topic. They
// are read only; nil maps are empty. The zero value holds defaults.
type Layers struct {
	Topic      map[string]string // of the topic itself
	Broker     map[string]string // in the tree, of this broker
	AllBrokers map[string]string // in the tree, of all brokers
	File       map[string]string
}

// Value is what a setting is, and where from.
type Value struct {
	// Name of the setting that was made: the setting itself or a synonym.
	Name   string
	Text   string // None: null
	Source Source
}

// IsNull reports whether there is no value.
func (v Value) IsNull() bool { return v.Text == None }

// All returns the values of a setting of a broker, or of a topic, the one that holds
// first, then those it overrides, the default last.
func (l *Layers) All(s *Setting) []Value {
	var all []Value
	if !s.ofTopic() {
		return l.broker(s.Name, all)
	}
	if v, ok := l.Topic[s.Name]; ok {
		all = append(all, Value{s.Name, v, OfTopic})
	}
	for i, syn := range s.Synonyms {
		own := l.broker(syn.Name, nil)
		if i < len(s.Synonyms)-1 {
			own = own[:len(own)-1] // its default is none
		}
		all = append(all, own...)
	}
	if len(s.Synonyms) == 0 {
		all = append(all, Value{s.Name, s.Default, OfDefault})
	}
	return all
}

func (l *Layers) broker(name string, all []Value) []Value {
	for _, layer := range [...]struct {
		values map[string]string
		source Source
	}{{l.Broker, OfBroker}, {l.AllBrokers, OfAllBrokers}, {l.File, OfFile}} {
		if v, ok := layer.values[name]; ok {
			all = append(all, Value{name, v, layer.source})
		}
	}
	text := None
	if s := Broker(name); s != nil {
		text = s.Default
	}
	return append(all, Value{name, text, OfDefault})
}

// Get returns the value that holds, in the unit of the setting itself: a topic's
// retention in milliseconds even if a broker says it in hours.
func (l *Layers) Get(s *Setting) Value {
	v := l.All(s)[0]
	if !s.ofTopic() {
		return v
	}
	if v.Source != OfTopic {
		v.Text = scaled(s, v)
	}
	if v.IsNull() {
		v.Text = s.Default
	}
	return v
}

// scaled is a synonym's value in the unit of the topic's setting.
func scaled(s *Setting, v Value) string {
	for _, syn := range s.Synonyms {
		if syn.Name != v.Name || syn.Scale <= 1 {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(v.Text), 10, 64); err == nil && n >= 0 {
			return strconv.FormatInt(n*syn.Scale, 10)
		}
	}
	return v.Text
}

// The following return the value of a setting by name, of a topic's if Topic knows
// it and OfTopic is wanted; a value that is not of the type is the default. Names
// are constants of this program: one that nobody knows panics.

// BrokerText returns a broker setting; "" for null.
func (l *Layers) BrokerText(name string) string { return text(l.Get(mustBroker(name))) }

// BrokerInt returns a broker setting that is a whole number; -1 for null.
func (l *Layers) BrokerInt(name string) int64 {
	s := mustBroker(name)
	return integer(l.Get(s), s.Default)
}

// BrokerFloat returns a broker setting that is a number.
func (l *Layers) BrokerFloat(name string) float64 {
	s := mustBroker(name)
	return float(l.Get(s), s.Default)
}

// BrokerBool returns a broker setting that is true or false.
func (l *Layers) BrokerBool(name string) bool { return boolean(l.Get(mustBroker(name))) }

// TopicText returns a topic setting.
func (l *Layers) TopicText(name string) string { return text(l.Get(mustTopic(name))) }

// TopicInt returns a topic setting that is a whole number.
func (l *Layers) TopicInt(name string) int64 {
	s := mustTopic(name)
	return integer(l.Get(s), s.Default)
}

// TopicFloat returns a topic setting that is a number.
func (l *Layers) TopicFloat(name string) float64 {
	s := mustTopic(name)
	return float(l.Get(s), s.Default)
}

// TopicBool returns a topic setting that is true or false.
func (l *Layers) TopicBool(name string) bool { return boolean(l.Get(mustTopic(name))) }

func text(v Value) string {
	if v.IsNull() {
		return ""
	}
	return strings.TrimSpace(v.Text)
}

func integer(v Value, otherwise string) int64 {
	for _, t := range [...]string{v.Text, otherwise} {
		if n, err := strconv.ParseInt(strings.TrimSpace(t), 10, 64); err == nil {
			return n
		}
	}
	return -1
}

func float(v Value, otherwise string) float64 {
	for _, t := range [...]string{v.Text, otherwise} {
		if f, err := strconv.ParseFloat(strings.TrimSpace(t), 64); err == nil {
			return f
		}
	}
	return 0
}

func boolean(v Value) bool { return strings.EqualFold(strings.TrimSpace(v.Text), "true") }

func mustBroker(name string) *Setting {
	if s := Broker(name); s != nil {
		return s
	}
	panic("no broker setting " + name)
}

func mustTopic(name string) *Setting {
	if s := Topic(name); s != nil {
		return s
	}
	panic("no topic setting " + name)
}
