package zoocfg

import (
	"errors"
	"fmt"

	"holt/sasl/gssapi"
	"holt/server"
	"holt/server/secure"
)

// CheckStores reads the key and trust stores, and the keytabs, that a member with this configuration
// opens at its start, which Read does not: those of a side that uses no TLS may be anything. The error
// joins an *Error for each that is of no use, about the line that names it.
func (res *Result) CheckStores() error {
	var errs []error
	res.eachStore(func(key string, settings secure.Settings) {
		if err := secure.Check(settings); err != nil {
			p := res.given[key]
			errs = append(errs, &Error{File: p.file, Line: p.line, Cause: key + ": " + err.Error()})
		}
	})
	keytab := func(principal, path string) {
		if path == "" {
			return
		}
		if _, err := gssapi.NewAcceptor(principal, path); err != nil {
			errs = append(errs, &Error{File: res.given["java.security.auth.login.config"].value, Cause: "Krb5LoginModule: " + err.Error(),
				Remedy: fmt.Sprintf("have kadmin write the keys: ktadd -k %s %s; and have this user read them", path, principal)})
		}
	}
	if login := res.Config.SASL; login != nil {
		keytab(login.Principal, login.Keytab)
	}
	if login := res.Config.PeerLogin; login != nil {
		keytab(login.Principal, login.Keytab)
		if t := login.Ticket; t != nil && login.LogsIn && (t.Principal != login.Principal || t.Keytab != login.Keytab) {
			keytab(t.Principal, t.Keytab)
		}
	}
	return errors.Join(errs...)
}

// Untimely has a note for each of these key stores with a certificate that is not valid now. A member
// starts with one, and logs it; its peers, and clients that look, refuse it.
func (res *Result) Untimely() []Note {
	var notes []Note
	res.eachStore(func(key string, settings secure.Settings) {
		if settings.KeyStore.Location == "" {
			return
		}
		// A store that cannot be read is told of by CheckStores.
		if text, err := secure.Untimely(settings.KeyStore); err == nil && text != "" {
			p := res.given[key]
			notes = append(notes, Note{File: p.file, Line: p.line, Key: key, Text: text})
		}
	})
	return notes
}

// eachStore calls f with each store that a member opens, and the key that names it.
func (res *Result) eachStore(f func(key string, settings secure.Settings)) {
	tls := &res.Config.TLS
	both := func(prefix string, s *secure.Settings) {
		if s.KeyStore.Location != "" {
			f(prefix+"keyStore.location", secure.Settings{KeyStore: s.KeyStore})
		}
		if s.TrustStore.Location != "" {
			f(prefix+"trustStore.location", secure.Settings{TrustStore: s.TrustStore})
		}
	}
	if tls.Addr != "" || tls.Unified {
		both("ssl.", &tls.Clients)
	}
	if (tls.PeersOn || tls.PeersEither) && len(res.Config.Members) > 1 || res.Config.AdminTLS != server.AdminPlain {
		both("ssl.quorum.", &tls.Peers)
	}
}
