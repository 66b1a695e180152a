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
		{"cleanup.policy", ",", false},
		{"compression.gzip.level", "-1", true},
		{"compression.gzip.level", "0", false},
		{"message.format.version", "2.8-IV1", true},
		{"message.format.version", "2.8-IV2", false},
		{"message.format.version", "0.10.0.1", true},
		{"message.format.version", "3.9.2", true},
		{"message.format.version", "0.10", false},
		{"message.format.version", "9.9", false},
		{"message.format.version", "", false},
		{"follower.replication.throttled.replicas", "", true},
		{"follower.replication.throttled.replicas", "*", true},
		{"follower.replication.throttled.replicas", "0:1, 12:3,", true},
		{"follower.replication.throttled.replicas", "*,0:1", false},
		{"leader.replication.throttled.replicas", "0:-1", false},
		{"leader.replication.throttled.replicas", "0:1:2", false},
		{"leader.replication.throttled.replicas", "none", false},
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

func TestCheckBroker(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		ok          bool
	}{
		{"log.roll.ms", "1", true},
		{"log.roll.ms", "0", false},
		{"log.roll.jitter.ms", "-1", false},
		{"log.cleaner.threads", "0", false},
		{"offsets.topic.compression.codec", "4", true},
		{"offsets.topic.compression.codec", "5", false},
		{"max.connections.per.ip.overrides", "", true},
		{"max.connections.per.ip.overrides", "127.0.0.1:5, ::1:7,host-1:0", true},
		{"max.connections.per.ip.overrides", "127.0.0.1", false},
		{"max.connections.per.ip.overrides", "a:x", false},
		{"max.connections.per.ip.overrides", "a/8:3", false},
		{"max.connections.per.ip.overrides", ":3", false},
	} {
		if err := Broker(tc.name).Check(tc.value); (err == nil) != tc.ok {
			t.Errorf("%s=%q: %v", tc.name, tc.value, err)
		}
	}
}

// TestConflicts: each of these alone is fine.
func TestConflicts(t *testing.T) {
	for _, tc := range []struct {
		file map[string]string
		bad  string // the setting to mend
	}{
		{nil, ""},
		{map[string]string{"log.retention.ms": "0"}, "log.retention.ms"},
		{map[string]string{"log.retention.minutes": "0"}, "log.retention.minutes"},
		{map[string]string{"log.retention.hours": "0"}, "log.retention.hours"},
		{map[string]string{"log.retention.ms": "5", "log.retention.hours": "0"}, ""}, // the hours do not count
		{map[string]string{"log.retention.ms": "-1"}, ""},
		{map[string]string{"log.cleaner.threads": "128"}, "log.cleaner.dedupe.buffer.size"},
		{map[string]string{"log.cleaner.threads": "127"}, ""},
		{map[string]string{"replica.fetch.wait.max.ms": "30001", "replica.lag.time.max.ms": "40000"}, "replica.socket.timeout.ms"},
		{map[string]string{"replica.lag.time.max.ms": "499"}, "replica.lag.time.max.ms"},
		{map[string]string{"replica.lag.time.max.ms": "500"}, ""},
		{map[string]string{"queued.max.request.bytes": "104857599"}, "queued.max.request.bytes"},
		{map[string]string{"queued.max.request.bytes": "0"}, ""},
		{map[string]string{"max.connections.per.ip": "0"}, "max.connections.per.ip"},
		{map[string]string{"max.connections.per.ip": "0", "max.connections.per.ip.overrides": "::1:3"}, ""},
		{map[string]string{"connections.max.idle.ms": "100"}, "connection.failed.authentication.delay.ms"},
		{map[string]string{"connections.max.idle.ms": "-1"}, ""},
		{map[string]string{"offsets.commit.required.acks": "4"}, "offsets.commit.required.acks"},
		{map[string]string{"offsets.commit.required.acks": "-2"}, "offsets.commit.required.acks"},
	} {
		l := Layers{File: tc.file}
		var got string
		for _, c := range l.Conflicts() {
			got += c.Name
		}
		if got != tc.bad {
			t.Errorf("%v: conflicts in %q, want %q", tc.file, got, tc.bad)
		}
	}
}
