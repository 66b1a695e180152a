package zoocfg

import (
	"strings"

	"holt/server"
)

const (
	noTLS    = "Holt has no TLS yet, and without it the connection would be open to all"
	noSASL   = "Holt has no SASL yet, and without it everyone would be let in"
	noAudit  = "Holt has no audit log yet"
	tlsIdle  = "not used: it is about TLS, which Holt does not have yet"
	saslIdle = "not used: it is about SASL, which Holt does not have yet"
)

// securityKeys are authentication, TLS and audit. What would make a server
// safer than Holt can is refused when on.
func securityKeys() []key {
	return []key{
		{name: "skipACL", check: yesNo,
			help: "yes: every client may do everything; default no",
			set:  (*reader).setSkipACL},
		{name: "DigestAuthenticationProvider.enabled", check: boolean,
			help: "false: refuse the digest scheme; default true",
			set:  setNot(func(c *server.Config) *bool { return &c.DigestDisabled })},
		{name: "DigestAuthenticationProvider.superDigest", check: superDigest,
			help: "the superuser, as `super:<base64 of the hash>`; default none",
			set:  setString(func(c *server.Config) *string { return &c.SuperDigest })},
		{name: "DigestAuthenticationProvider.digestAlg", check: oneOf("SHA1", "SHA-256", "SHA-384", "SHA-512", "MD5", "SHA3-256", "SHA3-512"),
			help: "hash of digest identities: SHA1 (default), SHA-256, SHA-384, SHA-512, MD5, SHA3-256, SHA3-512",
			set:  setString(func(c *server.Config) *string { return &c.DigestAlg })},
		{name: "enforce.auth.enabled", check: boolean,
			help: "close clients that have not authenticated by one of the schemes; default false",
			set:  func(r *reader, _ property, v value) { r.enforceAuth = v.on }},
		{name: "enforce.auth.schemes", check: text,
			help: "those schemes: digest, ip",
			set:  (*reader).setEnforceSchemes},
		{name: "fips-mode", check: boolean, note: "not used: it is about Java's cryptography"},

		{name: "secureClientPort", check: port, refuse: noTLS},
		{name: "secureClientPortAddress", check: text, note: tlsIdle},
		{name: "client.portUnification", check: boolean, refuse: noTLS},
		{name: "sslQuorum", check: boolean, refuse: noTLS},
		{name: "portUnification", check: boolean, refuse: noTLS},
		{name: "sslQuorumReloadCertFiles", check: boolean, note: tlsIdle},
		{name: "client.certReload", check: boolean, note: tlsIdle},
		{name: "metricsProvider.httpsPort", check: anyNumber,
			help: "refused above 0: " + noTLS,
			set:  (*reader).refuseHTTPS},
		{name: "metricsProvider.ssl.", check: text, note: tlsIdle},
		{name: "ssl.", check: text, note: tlsIdle},
		{name: "netty.server.outstandingHandshake.limit", check: anyNumber, note: tlsIdle},
		{name: "netty.server.earlyDropSecureConnectionHandshakes", check: boolean, note: tlsIdle},
		{name: "X509AuthenticationProvider.superUser", check: text, note: tlsIdle},

		{name: "sessionRequireClientSASLAuth", check: boolean, refuse: noSASL},
		{name: "quorum.auth.enableSasl", check: boolean, refuse: noSASL},
		{name: "quorum.auth.learnerRequireSasl", check: boolean, refuse: noSASL},
		{name: "quorum.auth.serverRequireSasl", check: boolean, refuse: noSASL},
		{name: "quorum.auth.", check: text, note: saslIdle},
		{name: "quorum.cnxn.threads.size", check: anyNumber, note: saslIdle},
		{name: "authProvider.", check: given,
			help: "digest and ip are always there; SASL, X509 and ensemble are noted as missing; other classes are refused",
			set:  (*reader).setAuthProvider},
		{name: "superUser", check: text, note: saslIdle},
		{name: "ensembleAuthName", check: text, note: "not used: Holt has no ensemble scheme"},
		{name: "allowSaslFailedClients", check: boolean, note: saslIdle},
		{name: "sasl.serverconfig", check: text, note: saslIdle},
		{name: "java.security.auth.login.config", check: text, note: saslIdle},
		{name: "java.security.login.auth.config", check: text, note: saslIdle},
		{name: "SASLAuthenticationProvider.superPassword", check: text, note: saslIdle},
		{name: "letAnySaslUserDoX", check: text, note: saslIdle},
		{name: "kerberos.", check: text, note: saslIdle},
		{name: "security.auth_to_local", check: text, note: saslIdle},
		{name: "requireKerberosConfig", check: boolean, note: saslIdle},
		{name: "kinit", check: text, note: saslIdle},
		{name: "jaasLoginRenew", check: anyNumber, note: saslIdle},
		{name: "server.realm", check: text, note: saslIdle},
		{name: "server.principal", check: text, note: saslIdle},
		{name: "IPAuthenticationProvider.usexforwardedfor", check: boolean, note: "not used: Holt never believes that header"},

		{name: "audit.enable", check: boolean, refuse: noAudit},
		{name: "audit.impl.class", check: text, note: "not used: " + noAudit},
	}
}

func (r *reader) setSkipACL(p property, v value) {
	r.cfg.SkipACL = v.on
	if v.on {
		r.note(p, "every client may do everything")
	}
}

func (r *reader) setEnforceSchemes(_ property, v value) {
	r.enforceScheme = nil
	for _, scheme := range strings.Split(v.text, ",") {
		if scheme = strings.TrimSpace(scheme); scheme != "" {
			r.enforceScheme = append(r.enforceScheme, scheme)
		}
	}
}

func (r *reader) refuseHTTPS(p property, v value) {
	if v.number > 0 {
		r.fail(p, "metricsProvider.httpsPort="+p.value+": "+noTLS, "remove the line and set metricsProvider.httpPort")
	}
}

// setAuthProvider recognises the providers by the last part of the class name.
func (r *reader) setAuthProvider(p property, v value) {
	class := v.text[strings.LastIndex(v.text, ".")+1:]
	switch class {
	case "DigestAuthenticationProvider", "IPAuthenticationProvider":
		r.note(p, "not needed: the scheme is always there")
	case "SASLAuthenticationProvider", "X509AuthenticationProvider", "EnsembleAuthenticationProvider", "KeyAuthenticationProvider":
		r.note(p, "not used: Holt does not have this scheme yet, and its clients get AuthFailed")
	default:
		r.fail(p, p.key+"="+shorten(v.text)+": a Java class, which Holt cannot load", "remove the line")
	}
}

func superDigest(s string) (value, error) {
	user, hash, ok := strings.Cut(s, ":")
	if !ok || user != "super" || hash == "" {
		return value{}, errSuperDigest
	}
	return text(s)
}
