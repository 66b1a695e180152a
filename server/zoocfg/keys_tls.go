package zoocfg

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"

	"holt/server"
	"holt/server/secure"
)

// tlsKeys are those about encryption; the ones that are the same for clients and
// members are made twice.
func tlsKeys() []key {
	clients := func(c *server.Config) *secure.Settings { return &c.TLS.Clients }
	keys := []key{
		{name: "secureClientPort", check: port,
			help: "port for clients that use TLS; needs ssl.keyStore.location and, unless ssl.clientAuth=none, ssl.trustStore.location",
			set:  func(r *reader, _ property, v value) { r.securePort = int(v.number) }},
		{name: "secureClientPortAddress", check: given,
			help: "address that port is opened on; default all",
			set:  func(r *reader, _ property, v value) { r.secureHost = unbracket(v.text) }},
		{name: "client.portUnification", check: boolean,
			help: "clients may use TLS on clientPort too, or not; default false",
			set:  setBool(func(c *server.Config) *bool { return &c.TLS.Unified })},
		{name: "client.certReload", check: boolean,
			help: "false: do not read the stores for clients again when their files change; default true, false in ZooKeeper",
			set:  setNot(func(c *server.Config) *bool { return &c.TLS.Clients.Fixed })},
		{name: "netty.server.outstandingHandshake.limit", check: number(-1, math.MaxInt32),
			help: "TLS handshakes under way, beyond which a connection is closed; default -1: no bound",
			set: func(r *reader, _ property, v value) {
				r.cfg.TLS.HandshakesMax = max(0, int(v.number))
			}},
		{name: "netty.server.earlyDropSecureConnectionHandshakes", check: boolean, note: "not used: a client that comes too early is told so after the handshake"},
		{name: "X509AuthenticationProvider.superUser", check: given,
			help: "subject of the certificate whose owner may do everything, as `CN=admin,O=Example`; default none",
			set:  setString(func(c *server.Config) *string { return &c.TLS.X509Super })},
		{name: "ssl.authProvider", check: oneOf("x509"), note: "not needed: x509 is the only provider"},

		{name: "sslQuorum", check: boolean,
			help: "members connect to each other by TLS; default true with ssl.quorum.keyStore.location, else false",
			set:  func(r *reader, _ property, v value) { r.sslQuorum = &v.on }},
		{name: "portUnification", check: boolean,
			help: "accept members that use TLS and members that do not, while an ensemble is switched over; default false",
			set:  setBool(func(c *server.Config) *bool { return &c.TLS.PeersEither })},
		{name: "sslQuorumReloadCertFiles", check: boolean,
			help: "false: do not read the stores for members again when their files change; default true, false in ZooKeeper",
			set:  setNot(func(c *server.Config) *bool { return &c.TLS.Peers.Fixed })},
	}
	members := func(c *server.Config) *secure.Settings { return &c.TLS.Peers }
	return slices.Concat(keys, storeKeys("ssl.", clients), storeKeys("ssl.quorum.", members))
}

// storeKeys are the keys under one prefix.
func storeKeys(prefix string, settings func(*server.Config) *secure.Settings) []key {
	var keys []key
	for _, k := range []struct{ name, help string }{
		{"keyStore.location", "file of the private key and its certificates: PEM, JKS or PKCS12, told apart by its content"},
		{"keyStore.password", "password of that file and of the keys in it"},
		{"keyStore.passwordPath", "file that holds the password instead"},
		{"keyStore.type", "PEM, JKS or PKCS12; not needed, BCFKS is refused"},
		{"trustStore.location", "file of the certificates of the authorities that are believed in"},
		{"trustStore.password", "password of that file"},
		{"trustStore.passwordPath", "file that holds the password instead"},
		{"trustStore.type", "PEM, JKS or PKCS12; not needed, BCFKS is refused"},
		{"enabledProtocols", "versions, as `TLSv1.2,TLSv1.3`; default both; ZooKeeper offers clients the newest that its Java has, alone"},
		{"protocol", "default of enabledProtocols"},
		{"ciphersuites", "cipher suites of TLS 1.2; default those that are safe. Those of TLS 1.3 cannot be chosen"},
		{"clientAuth", "`need` (default): refuse peers without a certificate; `want`: take them, without an identity; `none`: do not ask"},
		{"hostnameVerification", "check that a server's certificate names its host; default true"},
		{"clientHostnameVerification", "check that a client's certificate names its host; default false, true between members"},
		{"allowReverseDnsLookup", "for that check, the host may be found by its address; default false"},
		{"handshakeDetectionTimeoutMillis", "ms that a port for TLS and plaintext waits for the bytes that tell which; default 5000"},
		{"crl", "true: refuse peers whose certificate is revoked, or of which that cannot be told, by the lists (CRL) that their authorities publish; default false"},
		{"ocsp", "true: likewise, and ask the authorities' OCSP responders first; default false"},
		{"context.supplier.class", "refused: a Java class"},
	} {
		keys = append(keys, key{name: prefix + k.name, check: text, help: k.help,
			set: func(r *reader, p property, v value) {
				if err := settings(&r.cfg).Set(k.name, v.text); err != nil {
					shown := shorten(v.text)
					r.fail(p, fmt.Sprintf("%s=%s: %v", p.key, shown, err), "mend the value, or remove the line")
				}
			}})
	}
	return append(keys, key{name: prefix + "sslProvider", check: text, note: "not used: it is about Java"})
}

// finishQuorumTLS settles whether members use TLS: with a certificate they do,
// unless told not to.
func (r *reader) finishQuorumTLS() {
	tls := &r.cfg.TLS
	if _, given := r.seen["ssl.quorum.clientHostnameVerification"]; !given {
		tls.Peers.CheckClientName = tls.Peers.Given()
	}
	location := r.seen["ssl.quorum.keyStore.location"]
	switch {
	case r.sslQuorum != nil:
		tls.PeersOn = *r.sslQuorum
	case tls.Peers.Given() && len(r.cfg.Members) > 1:
		tls.PeersOn = true
		r.note(location, "members use TLS, as if sslQuorum=true were set, which ZooKeeper needs besides")
	}
	p, ok := r.seen["sslQuorum"]
	if !ok {
		p = r.seen["portUnification"]
	}
	switch on := tls.PeersOn || tls.PeersEither; {
	case !on && tls.Peers.Given() && len(r.cfg.Members) > 1:
		r.note(location, "without effect until sslQuorum or portUnification is set")
	case !on:
	case !tls.Peers.Given():
		r.fail(p, p.key+" without ssl.quorum.keyStore.location", "name the file of this member's key and certificate")
	case tls.Peers.TrustStore.Location == "":
		if p.key == "" {
			p = location
		}
		r.fail(p, p.key+" without ssl.quorum.trustStore.location", "name the file of the certificate of your members' authority")
	}
}

// noteRevocation tells who relies on revocation where nobody shows a certificate.
func (r *reader) noteRevocation() {
	clients := &r.cfg.TLS.Clients
	if clients.ClientAuth != secure.None {
		return
	}
	for _, k := range []struct {
		name string
		on   bool
	}{{"ssl.crl", clients.CRL}, {"ssl.ocsp", clients.OCSP}} {
		if p, ok := r.seen[k.name]; ok && k.on {
			r.note(p, "without effect: ssl.clientAuth=none asks clients for no certificate")
		}
	}
}

// finishSecureAddr settles the port for TLS, and whether the rest is of use.
func (r *reader) finishSecureAddr() {
	tls := &r.cfg.TLS
	if r.securePort == 0 {
		if p, ok := r.seen["secureClientPortAddress"]; ok {
			r.fail(p, "secureClientPortAddress without secureClientPort", "add a line secureClientPort=2281")
			return
		}
	} else {
		host := r.secureHost
		if host == "" {
			host = "0.0.0.0"
		}
		tls.Addr = net.JoinHostPort(host, strconv.Itoa(r.securePort))
	}
	p, ok := r.seen["secureClientPort"]
	if !ok {
		p, ok = r.seen["client.portUnification"]
	}
	switch needed := tls.Addr != "" || tls.Unified; {
	case !needed && tls.Clients.Given():
		r.note(r.seen["ssl.keyStore.location"], "without effect until secureClientPort or client.portUnification is set")
	case !needed || !ok:
	case !tls.Clients.Given():
		r.fail(p, p.key+" without ssl.keyStore.location", "name the file of the server's key and certificate")
	case tls.Clients.ClientAuth != secure.None && tls.Clients.TrustStore.Location == "":
		r.fail(p, p.key+" asks for certificates of clients, and no ssl.trustStore.location says whose to believe",
			"name the file of your authority's certificate, or set ssl.clientAuth=none")
	}
}
