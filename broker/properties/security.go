package properties

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"holt/broker"
	"holt/broker/auth"
	"holt/broker/network"
	"holt/broker/setting"
	"holt/sasl"
	"holt/wire/javaprops"
)

// mechanisms are those of SASL that there are.
func mechanisms() []string { return []string{"PLAIN", sasl.SCRAMSHA256, sasl.SCRAMSHA512} }

// withoutMechanism cuts the name of a mechanism off the rest of a listener's key.
func withoutMechanism(key string) string {
	for _, m := range append(mechanisms(), "GSSAPI", "OAUTHBEARER") {
		if rest, ok := strings.CutPrefix(key, strings.ToLower(m)+"."); ok {
			return rest
		}
	}
	return key
}

// byListener reports whether a setting may differ from listener to listener.
func byListener(key string) bool {
	switch key {
	case "connections.max.reauth.ms", "max.connections", "max.connection.creation.rate", "principal.builder.class":
		return true
	}
	return strings.HasPrefix(key, "ssl.") || strings.HasPrefix(key, "sasl.")
}

// of returns a setting of one listener: its own, or that of all.
func (r *reader) of(l *setting.Layers, listener, key string) string {
	if p, ok := r.seen["listener.name."+strings.ToLower(listener)+"."+key]; ok {
		return p.value
	}
	if setting.Broker(key) == nil {
		return r.value(key)
	}
	return l.BrokerText(key)
}

// own returns a setting that was made for one listener alone.
func (r *reader) own(listener, key string) (property, bool) {
	p, ok := r.seen["listener.name."+strings.ToLower(listener)+"."+key]
	return p, ok
}

// secure fills in what protects a listener.
func (r *reader) secure(l *setting.Layers, one *broker.Listener) {
	if one.Protocol.TLS() {
		one.TLS = r.tls(l, one)
	}
	if one.Protocol.SASL() {
		r.sasl(l, one)
	}
	for key, field := range map[string]*int{"max.connections": &one.ConnectionsMax, "max.connection.creation.rate": &one.CreationRate} {
		if p, ok := r.own(one.Name, key); ok {
			*field = int(number(p.value))
		}
	}
}

// number reads a value that passed its check.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (r *reader) tls(l *setting.Layers, one *broker.Listener) *network.TLS {
	get := func(key string) string { return r.of(l, one.Name, "ssl."+key) }
	t := &network.TLS{
		Key: network.Store{Type: get("keystore.type"), Location: get("keystore.location"), Password: get("keystore.password"),
			KeyPassword: get("key.password")},
		Trust:        network.Store{Type: get("truststore.type"), Location: get("truststore.location"), Password: get("truststore.password"), Text: get("truststore.certificates")},
		ClientAuth:   get("client.auth"),
		Protocols:    setting.Words(get("enabled.protocols")),
		CipherSuites: setting.Words(get("cipher.suites")),
		AnyHostName:  get("endpoint.identification.algorithm") == "",
	}
	if key := get("keystore.key"); key != "" {
		t.Key.Text = key + "\n" + get("keystore.certificate.chain")
	}
	if p, ok := r.own(one.Name, "ssl.client.auth"); one.Protocol == network.SASLSSL {
		// As in Kafka: clients of such a listener authenticate by SASL, unless certificates are
		// asked for on this very listener.
		t.ClientAuth = ""
		if ok {
			t.ClientAuth = p.value
		}
	}
	if t.Key.Location == "" && t.Key.Text == "" {
		r.failKey("listeners", fmt.Sprintf("listener %s has %s and no key", one.Name, one.Protocol), "set ssl.keystore.location and ssl.keystore.password")
	}
	rules, err := auth.ParseDNRules(get("principal.mapping.rules"))
	if err != nil {
		r.failKey("ssl.principal.mapping.rules", "ssl.principal.mapping.rules: "+err.Error(), "write for example RULE:^CN=([^,]+).*$/$1/,DEFAULT")
	}
	t.Names = rules
	return t
}

func (r *reader) sasl(l *setting.Layers, one *broker.Listener) {
	for _, m := range setting.Words(r.of(l, one.Name, "sasl.enabled.mechanisms")) {
		if !slices.Contains(mechanisms(), m) {
			r.failKey("sasl.enabled.mechanisms", fmt.Sprintf("listener %s: Holt does not have the SASL mechanism %s", one.Name, m),
				"set sasl.enabled.mechanisms to some of "+strings.Join(mechanisms(), ","))
			continue
		}
		one.Mechanisms = append(one.Mechanisms, m)
	}
	if slices.Contains(one.Mechanisms, "PLAIN") {
		one.PlainUsers = map[string]string{}
		modules := r.modules(one.Name, "PLAIN")
		for _, m := range modules {
			for user, password := range m.PlainUsers() {
				one.PlainUsers[user] = password
			}
		}
		if len(modules) == 0 {
			r.failKey("sasl.enabled.mechanisms", fmt.Sprintf("listener %s has PLAIN and no users", one.Name),
				fmt.Sprintf(`set listener.name.%s.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_NAME="PASSWORD";`, strings.ToLower(one.Name)))
		}
	}
	one.ReauthMillis = l.BrokerInt("connections.max.reauth.ms")
	if p, ok := r.own(one.Name, "connections.max.reauth.ms"); ok {
		one.ReauthMillis = number(p.value)
	}
	for _, m := range one.Mechanisms {
		if p, ok := r.own(one.Name, strings.ToLower(m)+".connections.max.reauth.ms"); ok {
			if one.ReauthByMechanism == nil {
				one.ReauthByMechanism = map[string]int64{}
			}
			one.ReauthByMechanism[m] = number(p.value)
		}
	}
}

// jaas reads the JAAS file, if there is one.
func (r *reader) jaas() {
	if r.opts.JAASFile == "" {
		return
	}
	text, err := r.opts.ReadFile(r.opts.JAASFile)
	if err == nil {
		r.sections, err = sasl.ParseJAASFile(string(text))
	}
	if err != nil {
		r.errs = append(r.errs, &Error{File: r.opts.JAASFile, Cause: javaprops.Reason(err)})
	}
}

// modules returns the login modules for a mechanism of a listener: of the most particular
// of the places where they may stand.
func (r *reader) modules(listener, mechanism string) []sasl.LoginModule {
	name := strings.ToLower(listener)
	p, ok := r.own(listener, strings.ToLower(mechanism)+".sasl.jaas.config")
	if !ok {
		p, ok = r.seen["sasl.jaas.config"]
	}
	if ok {
		modules, err := sasl.ParseJAASLine(p.value)
		if err != nil {
			r.fail(p, p.key+": "+err.Error(), `write CLASS required name="value" ... ;`)
		}
		return ofMechanism(modules, mechanism)
	}
	for _, section := range []string{name + ".KafkaServer", "KafkaServer"} {
		if modules, ok := r.sections[section]; ok {
			return ofMechanism(modules, mechanism)
		}
	}
	return nil
}

// ofMechanism picks by the end of the class's name.
func ofMechanism(modules []sasl.LoginModule, mechanism string) []sasl.LoginModule {
	class := "PlainLoginModule"
	if strings.HasPrefix(mechanism, "SCRAM-") {
		class = "ScramLoginModule"
	}
	return slices.DeleteFunc(slices.Clone(modules), func(m sasl.LoginModule) bool { return !strings.HasSuffix(m.Class, class) })
}

// interBrokerSASL finds as whom this broker shows itself to others.
func (r *reader) interBrokerSASL(l *setting.Layers, one *broker.Listener) {
	ib := &r.cfg.InterBroker
	const key = "sasl.mechanism.inter.broker.protocol"
	ib.Mechanism = l.BrokerText(key)
	if _, ok := r.seen[key]; !ok && len(one.Mechanisms) == 1 {
		ib.Mechanism = one.Mechanisms[0] // there is nothing to choose
	}
	if !slices.Contains(one.Mechanisms, ib.Mechanism) {
		if len(one.Mechanisms) > 0 {
			r.failKey(key, fmt.Sprintf("%s=%s is not enabled on listener %s", key, ib.Mechanism, one.Name), "name one of sasl.enabled.mechanisms")
		}
		return
	}
	for _, m := range r.modules(one.Name, ib.Mechanism) {
		if m.Options["username"] != "" {
			ib.User, ib.Password = m.Options["username"], m.Options["password"]
		}
	}
	if ib.User == "" {
		r.failKey(key, fmt.Sprintf("nothing says as whom this broker authenticates to others on listener %s", one.Name),
			fmt.Sprintf(`add username="..." password="..." to listener.name.%s.%s.sasl.jaas.config`, strings.ToLower(one.Name), strings.ToLower(ib.Mechanism)))
	}
}
