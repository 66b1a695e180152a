package setting

import (
	"slices"
	"strings"
	"testing"
)

func TestTables(t *testing.T) {
	for name, list := range map[string][]Setting{"broker": BrokerSettings(), "topic": TopicSettings()} {
		if !slices.IsSortedFunc(list, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("%s settings are not sorted, so that they cannot be found", name)
		}
		for i, s := range list {
			if i > 0 && list[i-1].Name == s.Name {
				t.Errorf("%s: twice", s.Name)
			}
			if s.Doc == "" {
				t.Errorf("%s: no doc", s.Name)
			}
			if s.Default != None && !(s.Type == List && s.Default == "") {
				if err := s.Check(s.Default); err != nil {
					t.Errorf("the default is not valid: %v", err)
				}
			}
		}
	}
}

// TestSynonyms looks whether a topic has, where nothing is set, what the broker's
// defaults say.
func TestSynonyms(t *testing.T) {
	var none Layers
	for _, s := range TopicSettings() {
		for _, syn := range s.Synonyms {
			if Broker(syn.Name) == nil {
				t.Errorf("%s: no broker setting %s", s.Name, syn.Name)
			}
		}
		if got := none.Get(&s); got.Text != s.Default || got.Source != OfDefault {
			t.Errorf("%s is %q by default, want %q", s.Name, got.Text, s.Default)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		ok          bool
	}{
		{"retention.ms", "-1", true},
		{"retention.ms", " 5 ", true},
		{"retention.ms", "-2", false},
		{"retention.ms", "5s", false},
		{"retention.ms", "", false},
		{"segment.bytes", "13", false},
		{"segment.bytes", "14", true},
		{"segment.bytes", "2147483648", false},
		{"min.cleanable.dirty.ratio", "0.3", true},
		{"min.cleanable.dirty.ratio", "1.1", false},
		{"min.cleanable.dirty.ratio", "NaN", false},
		{"cleanup.policy", "compact,delete", true},
		{"cleanup.policy", "compact, delete", true},
		{"cleanup.policy", "shred", false},
		{"cleanup.policy", "", false},
		{"compression.type", "zstd", true},
		{"compression.type", "zip", false},
		{"preallocate", "TRUE", true},
		{"preallocate", "yes", false},
		{"message.timestamp.type", "LogAppendTime", true},
		{"message.timestamp.type", "logappendtime", false},
		{"follower.replication.throttled.replicas", "", true},
	} {
		if err := Topic(tc.name).Check(tc.value); (err == nil) != tc.ok {
			t.Errorf("%s=%q: %v", tc.name, tc.value, err)
		}
	}
}

func TestLayers(t *testing.T) {
	l := Layers{
		Topic:      map[string]string{"segment.bytes": "100"},
		Broker:     map[string]string{"message.max.bytes": "1"},
		AllBrokers: map[string]string{"message.max.bytes": "2", "log.segment.bytes": "3"},
		File:       map[string]string{"log.retention.hours": "2", "log.roll.hours": "1", "log.roll.ms": "7"},
	}
	for name, want := range map[string]Value{
		"segment.bytes":     {"segment.bytes", "100", OfTopic},
		"max.message.bytes": {"message.max.bytes", "1", OfBroker},
		"retention.ms":      {"log.retention.hours", "7200000", OfFile},
		"segment.ms":        {"log.roll.ms", "7", OfFile},
		"cleanup.policy":    {"log.cleanup.policy", "delete", OfDefault},
	} {
		if got := l.Get(Topic(name)); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	all := l.All(Topic("max.message.bytes"))
	if len(all) != 3 || all[2].Text != "1048588" {
		t.Errorf("max.message.bytes and what it overrides: %v", all)
	}
	if n := l.TopicInt("retention.ms"); n != 7200000 {
		t.Errorf("retention.ms is %d", n)
	}
}
