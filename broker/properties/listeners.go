package properties

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"holt/broker"
	"holt/broker/network"
	"holt/broker/setting"
)

// endpoint is NAME://host:port taken apart.
type endpoint struct{ name, host, port string }

func (e endpoint) address() string { return net.JoinHostPort(e.host, e.port) }

// endpoints reads a list of them.
func (r *reader) endpoints(key, text string) []endpoint {
	var all []endpoint
	names := map[string]bool{}
	for _, word := range setting.Words(text) {
		name, address, ok := strings.Cut(word, "://")
		host, port, err := net.SplitHostPort(address)
		n, portErr := strconv.ParseUint(port, 10, 16)
		if !ok || err != nil || portErr != nil || name == "" {
			r.failKey(key, fmt.Sprintf("%s: %q is not NAME://host:port", key, word), "write for example PLAINTEXT://localhost:9092")
			continue
		}
		name = strings.ToUpper(name)
		if names[name] {
			r.failKey(key, fmt.Sprintf("%s: %s is there twice", key, name), "give every listener a name of its own, see listener.security.protocol.map")
		}
		names[name] = true
		all = append(all, endpoint{name, host, strconv.FormatUint(n, 10)})
	}
	return all
}

// protocols reads listener.security.protocol.map.
func (r *reader) protocols(l *setting.Layers) map[string]network.SecurityProtocol {
	const key = "listener.security.protocol.map"
	all := map[string]network.SecurityProtocol{}
	for _, word := range setting.Words(l.BrokerText(key)) {
		name, protocol, ok := strings.Cut(word, ":")
		switch p := network.SecurityProtocol(strings.ToUpper(strings.TrimSpace(protocol))); p {
		case network.Plaintext, network.SSL, network.SASLPlaintext, network.SASLSSL:
			all[strings.ToUpper(strings.TrimSpace(name))] = p
		default:
			ok = false
		}
		if !ok {
			r.failKey(key, fmt.Sprintf("%s: %q is not NAME:PROTOCOL", key, word), "the protocols are PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL")
		}
	}
	return all
}

// listeners makes the listeners and what goes between brokers.
func (r *reader) listeners(l *setting.Layers) {
	protocols := r.protocols(l)
	advertised := map[string]endpoint{}
	for _, e := range r.endpoints("advertised.listeners", l.BrokerText("advertised.listeners")) {
		if e.host == "" || e.host == "0.0.0.0" || e.host == "::" {
			r.failKey("advertised.listeners", fmt.Sprintf("advertised.listeners: clients cannot connect to %q", e.address()), "name a host that they can resolve")
		}
		advertised[e.name] = e
	}
	for _, e := range r.endpoints("listeners", l.BrokerText("listeners")) {
		protocol, ok := protocols[e.name]
		if !ok {
			r.failKey("listeners", fmt.Sprintf("listeners: nothing says what protocol %s has", e.name), "add "+e.name+":PLAINTEXT, or another protocol, to listener.security.protocol.map")
			continue
		}
		one := broker.Listener{Name: e.name, Protocol: protocol, Address: e.address()}
		if a, ok := advertised[e.name]; ok {
			one.Advertised = a.address()
			delete(advertised, e.name)
		}
		r.secure(l, &one)
		r.cfg.Listeners = append(r.cfg.Listeners, one)
	}
	for _, name := range slices.Sorted(maps.Keys(advertised)) {
		r.failKey("advertised.listeners", fmt.Sprintf("advertised.listeners: %s is not one of listeners", name), "add it there, or remove it here")
	}
	r.prefixes()
	r.interBroker(l)
	r.controlPlane(l)
}

// prefixes finds settings for listeners that there are not.
func (r *reader) prefixes() {
	for _, key := range slices.Sorted(maps.Keys(r.seen)) {
		rest, ok := strings.CutPrefix(key, "listener.name.")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, ".")
		if r.listener(strings.ToUpper(name)) == nil {
			r.note(r.seen[key], "without effect: there is no such listener")
		}
	}
}

func (r *reader) listener(name string) *broker.Listener {
	for i := range r.cfg.Listeners {
		if r.cfg.Listeners[i].Name == name {
			return &r.cfg.Listeners[i]
		}
	}
	return nil
}

// interBroker chooses the listener that brokers use among themselves, and as whom.
func (r *reader) interBroker(l *setting.Layers) {
	name := strings.ToUpper(l.BrokerText("inter.broker.listener.name"))
	_, protocol := r.seen["security.inter.broker.protocol"]
	key := "inter.broker.listener.name"
	switch {
	case name != "" && protocol:
		r.failKey(key, "inter.broker.listener.name and security.inter.broker.protocol are both set", "remove one of the two lines")
		return
	case name == "":
		name, key = strings.ToUpper(l.BrokerText("security.inter.broker.protocol")), "security.inter.broker.protocol"
	}
	ib := r.listener(name)
	if ib == nil {
		if len(r.cfg.Listeners) > 0 {
			r.failKey(key, fmt.Sprintf("brokers are to use listener %s, which is none", name), "set inter.broker.listener.name to one of listeners")
		}
		return
	}
	r.cfg.InterBroker.Listener = ib.Name
	if ib.Protocol.TLS() {
		r.cfg.InterBroker.TLS = ib.TLS
	}
	if ib.Protocol.SASL() {
		r.interBrokerSASL(l, ib)
	}
}

// controlPlane checks the name of a listener that Kafka has for its controller, as Kafka does.
func (r *reader) controlPlane(l *setting.Layers) {
	const key = "control.plane.listener.name"
	name := strings.ToUpper(l.BrokerText(key))
	switch {
	case name == "" || len(r.cfg.Listeners) == 0:
	case r.listener(name) == nil:
		r.failKey(key, fmt.Sprintf("%s=%s is none of listeners", key, name), "name one of them, or remove the line")
	case name == r.cfg.InterBroker.Listener:
		r.failKey(key, fmt.Sprintf("%s=%s is the listener between brokers", key, name), "remove the line")
	}
}
