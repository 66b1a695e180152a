package zoocfg

import (
	"strings"

	"holt/server"
)

const noHTTPS = "Holt shows metrics in plaintext alone, as ZooKeeper 3.9 does"

// securityKeys are authentication, TLS and audit. Those about members are
// in peerlogin.go.
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
			help: "those schemes: digest, ip, x509 with secureClientPort, and sasl if authProvider.N adds it",
			set:  (*reader).setEnforceSchemes},
		{name: "fips-mode", check: boolean, note: "not used: it is about Java's cryptography"},

		{name: "metricsProvider.httpsPort", check: anyNumber,
			help: "refused above 0: " + noHTTPS,
			set:  (*reader).refuseHTTPS},
		{name: "metricsProvider.ssl.", check: text, note: "not used: " + noHTTPS},

		{name: "sessionRequireClientSASLAuth", check: boolean,
			help: "true is enforce.auth.enabled=true with enforce.auth.schemes=sasl, whatever these say; default false",
			set:  func(r *reader, _ property, v value) { r.requireSASL = v.on }},
		{name: "authProvider.", check: given,
			help: "adds a scheme by its class, `org.apache.zookeeper.server.auth.SASLAuthenticationProvider`, `X509AuthenticationProvider` or `EnsembleAuthenticationProvider`; digest and ip are always there, x509 with secureClientPort; other classes are refused",
			set:  (*reader).setAuthProvider},
		{name: "superUser", check: text,
			help: "identity by SASL that is the superuser, as `bob` or `admin/host@REALM`; default none",
			set:  (*reader).setSuperUser},
		{name: "superUser.", check: text,
			help: "another such identity",
			set:  (*reader).setSuperUser},
		{name: "ensembleAuthName", check: text,
			help: "names of this ensemble, separated by commas: a client that says another one by the scheme ensemble is sent away; for it authProvider.N has to add the scheme",
			set:  func(r *reader, _ property, v value) { r.cfg.EnsembleNames = commaList(v.text) }},
		{name: "allowSaslFailedClients", check: boolean,
			help: "true: keep connections whose login by SASL failed, as those of nobody; default false",
			set:  setBool(func(c *server.Config) *bool { return &c.AllowSASLFailedClients })},
		{name: "java.security.auth.login.config", check: text,
			help: "the JAAS file, of whose section Server `DigestLoginModule` has users and `Krb5LoginModule` the keytab and principal, and with quorum.auth.enableSasl the sections of members; default none: no SASL",
			set:  func(r *reader, _ property, v value) { r.jaasFile = v.text }},
		{name: "java.security.krb5.conf", check: text,
			help: "krb5.conf, of which the default realm is used, by rules that have DEFAULT in them, and where the KDC is, by members that log in at each other; default /etc/krb5.conf if there is one",
			set:  func(r *reader, _ property, v value) { r.krb5Conf = v.text }},
		{name: "java.security.krb5.realm", check: text,
			help: "the default realm, whatever krb5.conf says",
			set:  func(r *reader, _ property, v value) { r.krb5Realm = v.text }},
		{name: "java.security.krb5.kdc", check: text, note: "not used: where the KDC is, is in krb5.conf"},
		{name: "sun.security.krb5.debug", check: text, note: "not used: why a login failed is in the log"},
		{name: "javax.security.auth.useSubjectCredsOnly", check: text, note: "not used: it is about Java's Kerberos"},
		{name: "java.security.login.auth.config", check: text, note: "not used: the name is java.security.auth.login.config"},
		{name: "sasl.serverconfig", check: text,
			help: "the section's name; default Server",
			set:  func(r *reader, _ property, v value) { r.jaasSection = v.text }},
		{name: "sasl.mechanisms", check: mechanisms,
			help: "those that clients may log in by, of DIGEST-MD5, SCRAM-SHA-256 and GSSAPI; ZooKeeper does not know this key; default all that the JAAS file has users or a keytab for",
			set:  func(r *reader, _ property, v value) { r.sasl.Mechanisms = commaList(v.text) }},
		{name: "SASLAuthenticationProvider.superPassword", check: text,
			help: "stands for the password of the JAAS file's user super; default the one there",
			set:  func(r *reader, _ property, v value) { r.sasl.SuperPassword = v.text }},
		{name: "kerberos.removeHostFromPrincipal", check: boolean,
			help: "true: the identity of a principal name/host@REALM is without its host; default false",
			set:  func(r *reader, _ property, v value) { r.sasl.RemoveHost = v.on }},
		{name: "kerberos.removeRealmFromPrincipal", check: boolean,
			help: "true: and without its realm; default false",
			set:  func(r *reader, _ property, v value) { r.sasl.RemoveRealm = v.on }},
		{name: "kerberos.", check: text, note: "not used: it is about clients, or how often tickets are renewed"},
		{name: "security.auth_to_local", check: text,
			help: "rules that make the short name of a principal, as Hadoop has them; default DEFAULT",
			set:  func(r *reader, _ property, v value) { r.sasl.Rules = v.text }},
		{name: "letAnySaslUserDoX", check: text, note: "not used: an ACL's id is that of one user; give the node the scheme world if all may"},
		{name: "requireKerberosConfig", check: boolean, note: "not used: Kerberos is configured, or it is not"},
		{name: "kinit", check: text, note: "not used: who fills a ticket cache renews it"},
		{name: "jaasLoginRenew", check: anyNumber, note: "not used: tickets are renewed when four fifths of their life are over"},
		{name: "server.realm", check: text, note: "not used: it is about clients"},
		{name: "server.principal", check: text, note: "not used: it is about clients"},
		{name: "IPAuthenticationProvider.usexforwardedfor", check: boolean, note: "not used: Holt never believes that header"},
	}
}

func (r *reader) setSkipACL(p property, v value) {
	r.cfg.SkipACL = v.on
	if v.on {
		r.note(p, "every client may do everything")
	}
}

func (r *reader) setEnforceSchemes(_ property, v value) { r.enforceScheme = commaList(v.text) }

// commaList splits at commas; blanks around the parts and empty parts go.
func commaList(s string) []string {
	var list []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

func (r *reader) refuseHTTPS(p property, v value) {
	if v.number > 0 {
		r.fail(p, "metricsProvider.httpsPort="+p.value+": "+noHTTPS, "remove the line and set metricsProvider.httpPort")
	}
}

// setAuthProvider recognises the providers by the last part of the class name.
func (r *reader) setAuthProvider(p property, v value) {
	class := v.text[strings.LastIndex(v.text, ".")+1:]
	switch class {
	case "DigestAuthenticationProvider", "IPAuthenticationProvider":
		r.note(p, "not needed: the scheme is always there")
	case "X509AuthenticationProvider":
		r.cfg.TLS.X509 = true
	case "SASLAuthenticationProvider":
		r.cfg.SASLScheme = true
	case "EnsembleAuthenticationProvider":
		r.cfg.EnsembleScheme = true
	case "KeyAuthenticationProvider":
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
