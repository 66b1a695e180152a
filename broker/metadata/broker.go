package metadata

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Broker is a live broker as its registration tells. It is not changed once it is
// in an [Image].
type Broker struct {
	ID        int32
	Epoch     int64 // czxid of the registration: grows with every life of the broker
	Rack      string
	Endpoints []Endpoint // in the order of the registration
	Timestamp int64      // of the registration, Unix milliseconds
	JMXPort   int32      // -1: none

	// Offline are partitions, by topic and ascending, whose replica on this broker has a log
	// directory that failed: the broker lives, and they are as good as dead.
	Offline map[string][]int32

	modified Zxid
}

// IsOffline tells whether the broker's replica of a partition is offline.
func (b *Broker) IsOffline(topic string, partition int32) bool {
	if len(b.Offline) == 0 {
		return false
	}
	_, ok := slices.BinarySearch(b.Offline[topic], partition)
	return ok
}

// Endpoint is where a broker listens.
type Endpoint struct {
	Listener string // its name
	Security string // PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
	Host     string
	Port     int32
}

// Endpoint returns the broker's endpoint of a listener; false if it has none.
func (b *Broker) Endpoint(listener string) (Endpoint, bool) {
	for _, e := range b.Endpoints {
		if e.Listener == listener {
			return e, true
		}
	}
	return Endpoint{}, false
}

// brokerJSON is the payload of /brokers/ids/<id>, version 5 when written.
// (Kafka: BrokerIdZNode)
type brokerJSON struct {
	Version   int32                      `json:"version"`
	Host      *string                    `json:"host"`
	Port      int32                      `json:"port"`
	JMXPort   int32                      `json:"jmx_port"`
	Timestamp string                     `json:"timestamp"`
	Endpoints []string                   `json:"endpoints"`
	Rack      *string                    `json:"rack,omitempty"`
	Security  map[string]string          `json:"listener_security_protocol_map"`
	Features  map[string]json.RawMessage `json:"features"`
	Offline   map[string][]int32         `json:"holt_offline_replicas,omitempty"` // no business of Kafka's tools
}

// EncodeBroker is the registration's payload. Epoch and ID are not part of it.
func EncodeBroker(b *Broker) []byte {
	p := brokerJSON{
		Version: 5, Port: -1, JMXPort: b.JMXPort, Timestamp: strconv.FormatInt(b.Timestamp, 10),
		Endpoints: []string{}, Security: map[string]string{}, Features: map[string]json.RawMessage{}, Offline: b.Offline,
	}
	if p.JMXPort == 0 {
		p.JMXPort = -1
	}
	if b.Rack != "" {
		p.Rack = &b.Rack
	}
	for _, e := range b.Endpoints {
		p.Endpoints = append(p.Endpoints, e.Listener+"://"+net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))))
		p.Security[e.Listener] = e.Security
		if p.Host == nil && e.Security == "PLAINTEXT" {
			p.Host, p.Port = &e.Host, e.Port
		}
	}
	return mustEncode(p)
}

// DecodeBroker reads a registration of any version from 1 on.
func DecodeBroker(id int32, data []byte) (*Broker, error) {
	var p struct {
		Host      *string           `json:"host"`
		Port      int32             `json:"port"`
		JMXPort   *int32            `json:"jmx_port"`
		Timestamp number            `json:"timestamp"`
		Endpoints []string          `json:"endpoints"`
		Rack      *string           `json:"rack"`
		Security  map[string]string `json:"listener_security_protocol_map"`

		Offline map[string][]int32 `json:"holt_offline_replicas"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("registration of broker %d: %w", id, err)
	}
	b := &Broker{ID: id, Timestamp: int64(p.Timestamp), JMXPort: -1, Offline: p.Offline}
	for _, partitions := range b.Offline {
		slices.Sort(partitions)
	}
	if p.JMXPort != nil {
		b.JMXPort = *p.JMXPort
	}
	if p.Rack != nil {
		b.Rack = *p.Rack
	}
	for _, s := range p.Endpoints {
		e, err := parseEndpoint(s)
		if err != nil {
			return nil, fmt.Errorf("registration of broker %d: %w", id, err)
		}
		e.Security = e.Listener // before version 4 a listener was named after its protocol
		if protocol, ok := p.Security[e.Listener]; ok {
			e.Security = protocol
		}
		b.Endpoints = append(b.Endpoints, e)
	}
	if len(b.Endpoints) == 0 && p.Host != nil {
		b.Endpoints = []Endpoint{{Listener: "PLAINTEXT", Security: "PLAINTEXT", Host: *p.Host, Port: p.Port}}
	}
	return b, nil
}

// parseEndpoint reads LISTENER://host:port, where host may be empty or in brackets.
func parseEndpoint(s string) (Endpoint, error) {
	listener, address, ok := strings.Cut(s, "://")
	if !ok {
		return Endpoint{}, fmt.Errorf("endpoint %q has no listener", s)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return Endpoint{}, fmt.Errorf("endpoint %q: %w", s, err)
	}
	n, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		return Endpoint{}, fmt.Errorf("endpoint %q: %w", s, err)
	}
	return Endpoint{Listener: listener, Host: host, Port: int32(n)}, nil
}

// number is an integer that may be written as a string, as Kafka does here and there.
type number int64

func (n *number) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "null" || s == "" {
		*n = 0
		return nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return fmt.Errorf("integer expected: %w", err)
	}
	*n = number(v)
	return nil
}

// mustEncode encodes a payload. Those types hold nothing that JSON cannot.
func mustEncode(payload any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // <default> is to be read by people
	if err := e.Encode(payload); err != nil {
		panic(fmt.Sprintf("metadata: payload %T: %v", payload, err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
