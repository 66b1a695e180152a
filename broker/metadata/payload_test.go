package metadata

import (
	"encoding/json"
	"reflect"
	"testing"
)

// id1 is Yx2-OZaPTP6dyRfCjj2NBQ, an id as Kafka prints it.
var id1 = TopicID{0x63, 0x1d, 0xbe, 0x39, 0x96, 0x8f, 0x4c, 0xfe, 0x9d, 0xc9, 0x17, 0xc2, 0x8e, 0x3d, 0x8d, 0x05}

// TestGolden holds the payloads as Kafka 3.9 writes them, but for the order of keys, which
// nobody may rely on. Each is decoded and encoded again.
func TestGolden(t *testing.T) {
	for _, test := range []struct {
		name, payload string
		want          any
		again         func([]byte) (any, []byte, error)
	}{
		{
			"broker",
			`{"version":5,"host":"h","port":9092,"jmx_port":-1,"timestamp":"1732266000000","endpoints":["PLAINTEXT://h:9092","TLS://[::1]:9093"],` +
				`"rack":"az1","listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT","TLS":"SSL"},"features":{},"holt_offline_replicas":{"t":[0,2]}}`,
			&Broker{ID: 3, Rack: "az1", Timestamp: 1732266000000, JMXPort: -1, Endpoints: []Endpoint{{"PLAINTEXT", "PLAINTEXT", "h", 9092}, {"TLS", "SSL", "::1", 9093}},
				Offline: map[string][]int32{"t": {0, 2}}},
			func(b []byte) (any, []byte, error) {
				v, err := DecodeBroker(3, b)
				if err != nil {
					return nil, nil, err
				}
				return v, EncodeBroker(v), nil
			},
		},
		{
			"broker without a plaintext listener",
			`{"version":5,"host":null,"port":-1,"jmx_port":9999,"timestamp":"1","endpoints":["SSL://h:9093"],"listener_security_protocol_map":{"SSL":"SSL"},"features":{}}`,
			&Broker{ID: 3, Timestamp: 1, JMXPort: 9999, Endpoints: []Endpoint{{"SSL", "SSL", "h", 9093}}},
			func(b []byte) (any, []byte, error) {
				v, err := DecodeBroker(3, b)
				if err != nil {
					return nil, nil, err
				}
				return v, EncodeBroker(v), nil
			},
		},
		{
			"topic",
			`{"version":3,"topic_id":"Yx2-OZaPTP6dyRfCjj2NBQ","partitions":{"0":[2,3,1],"1":[2,3]},"adding_replicas":{"0":[3]},"removing_replicas":{"0":[1]}}`,
			&TopicNode{ID: id1, Partitions: []Assignment{{[]int32{2, 3, 1}, []int32{3}, []int32{1}}, {Replicas: []int32{2, 3}}}},
			func(b []byte) (any, []byte, error) {
				v, err := DecodeTopic(b)
				if err != nil {
					return nil, nil, err
				}
				return v, v.Encode(), nil
			},
		},
		{
			"state",
			`{"version":1,"leader":1,"leader_epoch":4,"controller_epoch":7,"isr":[1,2]}`,
			PartitionState{Leader: 1, LeaderEpoch: 4, ControllerEpoch: 7, ISR: []int32{1, 2}},
			stateAgain,
		},
		{
			"state of a leader that recovers",
			`{"version":1,"leader":1,"leader_epoch":4,"controller_epoch":7,"isr":[1],"leader_recovery_state":1}`,
			PartitionState{Leader: 1, LeaderEpoch: 4, ControllerEpoch: 7, ISR: []int32{1}, Recovering: true},
			stateAgain,
		},
		{
			"config",
			`{"version":1,"config":{"cleanup.policy":"compact","retention.ms":"60000"}}`,
			map[string]string{"retention.ms": "60000", "cleanup.policy": "compact"},
			func(b []byte) (any, []byte, error) {
				v, err := DecodeConfig(b)
				return v, EncodeConfig(v), err
			},
		},
		{
			"config change",
			`{"version":2,"entity_path":"users/a%40b/clients/<default>"}`,
			UserClientEntity("a@b", DefaultName),
			func(b []byte) (any, []byte, error) {
				v, err := decodeConfigChange(b)
				return v, encodeConfigChange(v), err
			},
		},
		{
			"reassignments",
			`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[2,3]}]}`,
			[]Reassignment{{"t", 0, []int32{2, 3}}},
			func(b []byte) (any, []byte, error) {
				v, err := DecodeReassignments(b)
				return v, EncodeReassignments(v), err
			},
		},
		{
			"partitions",
			`{"version":1,"partitions":[{"topic":"t","partition":0}]}`,
			[]TopicPartition{{"t", 0}},
			func(b []byte) (any, []byte, error) {
				v, err := DecodePartitions(b)
				return v, EncodePartitions(v), err
			},
		},
		{
			"log dir event",
			`{"version":1,"broker":1,"event":1}`,
			int32(1),
			func(b []byte) (any, []byte, error) {
				v, err := DecodeLogDirEvent(b)
				return v, encodeLogDirEvent(v), err
			},
		},
		{
			"controller",
			`{"version":2,"brokerid":1,"timestamp":"1732266000000","kraftControllerEpoch":-1}`,
			int32(1),
			func(b []byte) (any, []byte, error) {
				v, err := DecodeController(b)
				return v, EncodeController(v, 1732266000000), err
			},
		},
		{
			"producer ids",
			`{"version":1,"broker":1,"block_start":"1000","block_end":"1999"}`,
			ProducerIDBlock{1, 1000, 1999},
			func(b []byte) (any, []byte, error) {
				v, err := DecodeProducerIDBlock(b)
				return v, v.Encode(), err
			},
		},
		{
			"cluster id",
			`{"version":"1","id":"Yx2-OZaPTP6dyRfCjj2NBQ"}`,
			"Yx2-OZaPTP6dyRfCjj2NBQ",
			func(b []byte) (any, []byte, error) {
				v, err := decodeClusterID(b)
				return v, encodeClusterID(v), err
			},
		},
		{
			"acls",
			`{"version":1,"acls":[{"principal":"User:alice","permissionType":"Allow","operation":"Read","host":"*"}]}`,
			[]ACL{{"User:alice", "Allow", "Read", "*"}},
			func(b []byte) (any, []byte, error) {
				v, err := DecodeACLs(b)
				return v, EncodeACLs(v), err
			},
		},
		{
			"acl change",
			`{"version":1,"resourceType":"TRANSACTIONAL_ID","name":"foo","patternType":"PREFIXED"}`,
			Resource{"TransactionalId", "foo", Prefixed},
			func(b []byte) (any, []byte, error) {
				v, err := decodeACLChange(b)
				return v, encodeACLChange(v), err
			},
		},
	} {
		got, again, err := test.again([]byte(test.payload))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
		var a, b any
		if json.Unmarshal(again, &a) != nil || json.Unmarshal([]byte(test.payload), &b) != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s: encoded\n%s, want\n%s", test.name, again, test.payload)
		}
	}
}

func stateAgain(b []byte) (any, []byte, error) {
	v, err := DecodePartitionState(b)
	return v, v.Encode(), err
}

// TestTolerance reads what older versions and other hands have written.
func TestTolerance(t *testing.T) {
	b, err := DecodeBroker(1, []byte(`{"jmx_port":-1,"timestamp":"123","host":"h","version":1,"port":9092}`))
	if want := []Endpoint{{"PLAINTEXT", "PLAINTEXT", "h", 9092}}; err != nil || !reflect.DeepEqual(b.Endpoints, want) {
		t.Errorf("broker of version 1: %+v %v", b, err)
	}
	b, err = DecodeBroker(1, []byte(`{"endpoints":["SASL_SSL://:9092"],"port":-1,"host":null,"timestamp":1,"version":3,"rack":null,"more":{}}`))
	if want := []Endpoint{{"SASL_SSL", "SASL_SSL", "", 9092}}; err != nil || !reflect.DeepEqual(b.Endpoints, want) {
		t.Errorf("broker of version 3: %+v %v", b, err)
	}
	n, err := DecodeTopic([]byte(`{"partitions":{"0":[1]},"version":1}`))
	if err != nil || n.ID != (TopicID{}) || len(n.Partitions) != 1 || n.Partitions[0].Reassigning() {
		t.Errorf("topic of version 1: %+v %v", n, err)
	}
	e, err := decodeConfigChange([]byte(`{"version":1,"entity_type":"topics","entity_name":"foo"}`))
	if err != nil || e != TopicEntity("foo") {
		t.Errorf("config change of version 1: %v %v", e, err)
	}
	if v, err := DecodeConfig(nil); err != nil || v != nil {
		t.Errorf("no configuration: %v %v", v, err)
	}
	if v, err := DecodeConfig([]byte(`{"config":{"a":1}}`)); err != nil || v["a"] != "1" {
		t.Errorf("a value that is no string: %v %v", v, err)
	}
	if r, err := decodeACLChange([]byte("Topic:a:b")); err != nil || r != (Resource{"Topic", "a:b", Literal}) {
		t.Errorf("acl change: %v %v", r, err)
	}
	if v, err := DecodeController([]byte(`{"version":1,"brokerid":7}`)); err != nil || v != 7 {
		t.Errorf("controller of version 1: %v %v", v, err)
	}
}

// TestNonsense has every decoder refuse it without a panic.
func TestNonsense(t *testing.T) {
	for name, decode := range decoders {
		for _, payload := range []string{"x", "{", "[]", `"x"`, `{"partitions":3,"isr":3,"config":3,"acls":3,"id":3,"endpoints":3,"brokerid":"x","broker":"x","entity_path":3,"resourceType":3}`} {
			if err := decode([]byte(payload)); err == nil {
				t.Errorf("%s accepts %s", name, payload)
			}
		}
	}
	for _, payload := range []string{`{"partitions":{"1":[1]}}`, `{"topic_id":"x","partitions":{}}`} {
		if _, err := DecodeTopic([]byte(payload)); err == nil {
			t.Errorf("topic accepts %s", payload)
		}
	}
	for _, payload := range []string{`{"entity_path":"../x"}`, `{"entity_path":"topics/.."}`, `{"entity_path":"topics/a/b"}`, `{}`, `{"entity_path":"topics/"}`} {
		if _, err := decodeConfigChange([]byte(payload)); err == nil {
			t.Errorf("config change accepts %s", payload)
		}
	}
}

var decoders = map[string]func([]byte) error{
	"broker":        func(b []byte) error { _, err := DecodeBroker(1, b); return err },
	"topic":         func(b []byte) error { _, err := DecodeTopic(b); return err },
	"state":         func(b []byte) error { _, err := DecodePartitionState(b); return err },
	"config":        func(b []byte) error { _, err := DecodeConfig(b); return err },
	"config change": func(b []byte) error { _, err := decodeConfigChange(b); return err },
	"reassignments": func(b []byte) error { _, err := DecodeReassignments(b); return err },
	"partitions":    func(b []byte) error { _, err := DecodePartitions(b); return err },
	"log dir event": func(b []byte) error { _, err := DecodeLogDirEvent(b); return err },
	"controller":    func(b []byte) error { _, err := DecodeController(b); return err },
	"epoch":         func(b []byte) error { _, err := DecodeControllerEpoch(b); return err },
	"producer ids":  func(b []byte) error { _, err := DecodeProducerIDBlock(b); return err },
	"cluster id":    func(b []byte) error { _, err := decodeClusterID(b); return err },
	"acls":          func(b []byte) error { _, err := DecodeACLs(b); return err },
	"acl change":    func(b []byte) error { _, err := decodeACLChange(b); return err },
}

func FuzzDecoders(f *testing.F) {
	f.Add([]byte(`{"version":3,"topic_id":"Yx2-OZaPTP6dyRfCjj2NBQ","partitions":{"0":[1]},"block_start":"0","block_end":"999","endpoints":["A://h:1"]}`))
	f.Add([]byte(`{"version":1,"leader":1,"isr":[1],"config":{"a":null},"entity_path":"topics/x","acls":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, decode := range decoders {
			_ = decode(b) // only panics matter
		}
		if n, err := DecodeTopic(b); err == nil {
			if again, err := DecodeTopic(n.Encode()); err != nil || len(again.Partitions) != len(n.Partitions) || again.ID != n.ID {
				t.Errorf("%q: %+v, again %+v %v", b, n, again, err)
			}
		}
	})
}

func TestReassign(t *testing.T) {
	for _, test := range []struct {
		from   Assignment
		target []int32
		want   Assignment
	}{
		{Assignment{Replicas: []int32{1, 2, 3}}, []int32{4, 5, 6}, Assignment{[]int32{4, 5, 6, 1, 2, 3}, []int32{4, 5, 6}, []int32{1, 2, 3}}},
		{Assignment{Replicas: []int32{1, 2, 3}}, []int32{3, 1, 2}, Assignment{Replicas: []int32{3, 1, 2}}},
		{Assignment{Replicas: []int32{1, 2, 3}}, []int32{1, 2}, Assignment{Replicas: []int32{1, 2, 3}, Removing: []int32{3}}},
		{Assignment{Replicas: []int32{1}}, []int32{1, 2}, Assignment{Replicas: []int32{1, 2}, Adding: []int32{2}}},
		{Assignment{[]int32{4, 1}, []int32{4}, []int32{1}}, []int32{1}, Assignment{Replicas: []int32{1}}},
		{Assignment{[]int32{4, 1}, []int32{4}, []int32{1}}, []int32{5}, Assignment{[]int32{5, 1}, []int32{5}, []int32{1}}},
	} {
		got := test.from.Reassign(test.target)
		if !got.Equal(&test.want) {
			t.Errorf("%+v to %v: got %+v, want %+v", test.from, test.target, got, test.want)
		}
		if !reflect.DeepEqual(got.Target(), test.target) {
			t.Errorf("%+v: target %v, want %v", got, got.Target(), test.target)
		}
	}
}

func TestEntities(t *testing.T) {
	for _, test := range []struct {
		entity Entity
		text   string
		kind   EntityKind
		name   string
	}{
		{TopicEntity("a.b"), "topics/a.b", TopicKind, "a.b"},
		{BrokerEntity(7), "brokers/7", BrokerKind, "7"},
		{DefaultBrokerEntity(), "brokers/<default>", BrokerKind, DefaultName},
		{UserEntity("CN=a b*,O=ü~"), "users/CN%3Da%20b%2A%2CO%3D%C3%BC%7E", UserKind, "CN=a b*,O=ü~"},
		{UserEntity(DefaultName), "users/<default>", UserKind, DefaultName},
		{ClientEntity("a/b"), "clients/a%2Fb", ClientKind, "a/b"},
		{IPEntity("10.0.0.1"), "ips/10.0.0.1", IPKind, "10.0.0.1"},
		{UserClientEntity("u", "c c"), "users/u/clients/c%20c", UserKind, "u"},
	} {
		if e := test.entity; string(e) != test.text || e.Kind() != test.kind || e.Name() != test.name || !e.valid() {
			t.Errorf("%q: kind %q, name %q, valid %v; want %q", e, e.Kind(), e.Name(), e.valid(), test.text)
		}
	}
	if c, ok := UserClientEntity("u", "c c").ClientOfUser(); !ok || c != "c c" {
		t.Errorf("client %q %v", c, ok)
	}
}

func TestScramCredential(t *testing.T) {
	const text = "salt=QSXCR+Q6sek8bf92,stored_key=9HCrj8wA4RM7eqAbTg==,server_key=K7Gt1w==,iterations=4096"
	c, err := ParseScramCredential(text)
	if err != nil || c.Iterations != 4096 || c.String() != text {
		t.Errorf("%+v %v", c, err)
	}
	for _, bad := range []string{"", "salt=QSXC", "salt=!,stored_key=QQ==,server_key=QQ==,iterations=1", "salt=QQ==,stored_key=QQ==,server_key=QQ==,iterations=x"} {
		if _, err := ParseScramCredential(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestTopicPaths(t *testing.T) {
	for _, test := range []struct {
		path      string
		topic     string
		partition int32
		ok        bool
	}{
		{"/brokers/topics/t", "t", -1, true},
		{StatePath("t", 12), "t", 12, true},
		{PartitionPath("t", 12), "", 0, false},
		{PartitionsPath("t"), "", 0, false},
		{"/brokers/topics/t/partitions/-1/state", "", 0, false},
		{"/brokers/topics/t/partitions/x/state", "", 0, false},
		{"/brokers/ids/1", "", 0, false},
	} {
		if topic, partition, ok := ParseTopicPath(test.path); topic != test.topic || partition != test.partition || ok != test.ok {
			t.Errorf("%s: %q %d %v", test.path, topic, partition, ok)
		}
	}
}
