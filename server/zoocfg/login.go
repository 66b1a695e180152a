package zoocfg

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"holt/sasl"
	"holt/sasl/gssapi"
	"holt/server"
	"holt/wire/javaprops"
)

// jaasSectionDefault is the section of a JAAS file that is about clients of this server.
const jaasSectionDefault = "Server"

// mechanisms checks a list of names.
func mechanisms(s string) (value, error) {
	s = strings.ToUpper(s)
	for _, name := range commaList(s) {
		if !slices.Contains(server.SASLMechanisms(), name) {
			return value{}, fmt.Errorf("%s is none of %s", name, strings.Join(server.SASLMechanisms(), ", "))
		}
	}
	return text(s)
}

// setSuperUser takes the user of one key. One that a later source gives again, or gives no
// value, is no superuser by the former line any more.
func (r *reader) setSuperUser(p property, v value) {
	if r.superUsers == nil {
		r.superUsers = map[string]string{}
	}
	r.superUsers[p.key] = v.text
}

// finishSuperUsers has them in the order of their keys.
func (r *reader) finishSuperUsers() {
	for _, key := range slices.Sorted(maps.Keys(r.superUsers)) {
		if user := r.superUsers[key]; user != "" {
			r.sasl.SuperUsers = append(r.sasl.SuperUsers, user)
		}
	}
}

// finishSASL reads the JAAS file. As in ZooKeeper, a file that cannot be read is a mistake and a
// section that is not there means no SASL; unlike there, that is said.
func (r *reader) finishSASL() {
	r.finishSuperUsers()
	if err := server.ValidateAuthRules(r.sasl.Rules); err != nil {
		r.fail(r.seen["security.auth_to_local"], "security.auth_to_local: "+err.Error(), "write rules as RULE:[1:$1@$0](.*@REALM)s/@.*// DEFAULT")
	}
	if r.jaasFile == "" {
		return
	}
	p := r.seen["java.security.auth.login.config"]
	text, err := r.opts.ReadFile(r.jaasFile)
	if err != nil {
		r.fail(p, fmt.Sprintf("the JAAS file %s cannot be read: %s", r.jaasFile, javaprops.Reason(err)), "name an existing file, or remove the line for no SASL")
		return
	}
	sections, err := sasl.ParseJAASFile(string(text))
	if err != nil {
		wrong := &Error{File: r.jaasFile, Cause: err.Error(), Remedy: `write NAME { CLASS required name="value" ...; };`}
		var at *sasl.JAASError
		if errors.As(err, &at) {
			wrong.Line, wrong.Cause = at.Line, at.Text
		}
		r.errs = append(r.errs, wrong)
		return
	}
	r.jaasRead = sections
	name := r.jaasSection
	if name == "" {
		name = jaasSectionDefault
	}
	modules, ok := sections[name]
	if !ok {
		r.note(p, fmt.Sprintf("%s has no section %s: clients cannot log in by SASL", r.jaasFile, name))
		return
	}
	r.sasl.Users = map[string]string{}
	for _, m := range modules {
		for user, password := range m.PlainUsers() {
			r.sasl.Users[user] = password
		}
		if strings.HasSuffix(m.Class, "Krb5LoginModule") {
			r.kerberos(m.Options)
		}
	}
	if len(r.sasl.Users) == 0 && r.sasl.Keytab == "" {
		r.note(p, fmt.Sprintf("section %s of %s has no user_NAME=\"password\": nobody can log in by SASL", name, r.jaasFile))
	}
	r.cfg.SASL = &r.sasl
}

// kerberos takes the options of a Krb5LoginModule. Where the KDC is does not matter: tickets are
// opened with the keytab alone.
func (r *reader) kerberos(options map[string]string) {
	fail := func(cause, remedy string) {
		r.errs = append(r.errs, &Error{File: r.jaasFile, Cause: "Krb5LoginModule: " + cause, Remedy: remedy})
	}
	r.sasl.Keytab, r.sasl.Principal = strings.TrimPrefix(options["keyTab"], "file:"), options["principal"]
	switch {
	case r.sasl.Keytab == "":
		fail("no keyTab", `add useKeyTab=true keyTab="/etc/zookeeper.keytab"`)
	case r.sasl.Principal == "":
		fail("no principal", `add principal="zookeeper/`+"HOST@REALM"+`"`)
	case strings.EqualFold(options["useKeyTab"], "false"):
		fail("useKeyTab=false", "set useKeyTab=true: a server opens tickets with its keytab")
	}
	r.sasl.DefaultRealm = r.defaultRealm()
	if r.sasl.Principal != "" && !strings.Contains(r.sasl.Principal, "@") {
		r.sasl.Principal += "@" + r.sasl.DefaultRealm
	}
}

// defaultRealm is the one that java.security.krb5.realm or krb5.conf names. Without such a file there is
// none, unless java.security.krb5.conf names the file.
func (r *reader) defaultRealm() string {
	if r.krb5Realm != "" {
		return r.krb5Realm
	}
	path := r.krb5Path()
	text, err := r.opts.ReadFile(path)
	if err != nil {
		if r.krb5Conf != "" {
			r.fail(r.seen["java.security.krb5.conf"], fmt.Sprintf("java.security.krb5.conf=%s cannot be read: %s", path, javaprops.Reason(err)), "name an existing file")
		}
		return ""
	}
	return gssapi.DefaultRealm(string(text))
}

func (r *reader) krb5Path() string { return cmp.Or(r.krb5Conf, "/etc/krb5.conf") }

// finishAuth settles who is let in. ZooKeeper: AuthenticationHelper.
func (r *reader) finishAuth() {
	key := "enforce.auth.schemes"
	if r.requireSASL {
		key = "sessionRequireClientSASLAuth"
		r.enforceAuth, r.enforceScheme = true, []string{"sasl"}
	}
	switch p := r.seen["enforce.auth.enabled"]; {
	case !r.enforceAuth && len(r.enforceScheme) > 0:
		r.note(r.seen[key], "without effect until enforce.auth.enabled=true")
	case r.enforceAuth && len(r.enforceScheme) == 0:
		r.fail(p, "enforce.auth.enabled=true without enforce.auth.schemes", "name the schemes, as enforce.auth.schemes=digest")
	case r.enforceAuth:
		r.cfg.EnforceAuthSchemes = r.enforceScheme
		if r.cfg.SASL == nil && slices.Equal(r.enforceScheme, []string{"sasl"}) {
			r.note(r.seen[key], "nobody can log in: java.security.auth.login.config names no JAAS file with users")
		}
		for _, scheme := range r.enforceScheme {
			if remedy := r.schemeMissing(scheme); remedy != "" {
				r.fail(r.seen[key], fmt.Sprintf("%s: there is no scheme %q, so no client could meet it", key, scheme), remedy)
			}
		}
	}
}

// schemeMissing says what to do about a scheme that this configuration does not have, "" for one
// that it has.
func (r *reader) schemeMissing(scheme string) string {
	switch {
	case scheme == "ip", scheme == "digest" && !r.cfg.DigestDisabled, scheme == "sasl" && r.cfg.SASLScheme,
		scheme == "x509" && (r.cfg.TLS.X509 || r.cfg.TLS.Addr != "" || r.cfg.TLS.Unified):
		return ""
	case scheme == "x509":
		return "set secureClientPort"
	case scheme == "sasl":
		return "add authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
	case scheme == "digest":
		return "remove DigestAuthenticationProvider.enabled=false"
	}
	return "name digest, ip, x509 or sasl"
}
