package zoocfg

import (
	"errors"

	"holt/server/secure"
)

// CheckStores reads the key and trust stores of a configuration, as the member would at its
// start, which Read does not. The error joins an *Error for each that is of no use, about
// the line that names it.
func (res *Result) CheckStores() error {
	tls := &res.Config.TLS
	var errs []error
	check := func(key string, settings secure.Settings) {
		if err := secure.Check(settings); err != nil {
			p := res.given[key]
			errs = append(errs, &Error{File: p.file, Line: p.line, Cause: key + ": " + err.Error()})
		}
	}
	both := func(prefix string, s *secure.Settings) {
		if s.KeyStore.Location != "" {
			check(prefix+"keyStore.location", secure.Settings{KeyStore: s.KeyStore})
		}
		if s.TrustStore.Location != "" {
			check(prefix+"trustStore.location", secure.Settings{TrustStore: s.TrustStore})
		}
	}
	both("ssl.", &tls.Clients)
	both("ssl.quorum.", &tls.Peers)
	return errors.Join(errs...)
}
