package zoocfg

import (
	"errors"

	"holt/server"
	"holt/server/secure"
)

// CheckStores reads the key and trust stores that a member with this configuration opens at
// its start, which Read does not: those of a side that uses no TLS may be anything. The error
// joins an *Error for each that is of no use, about the line that names it.
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
	if tls.Addr != "" || tls.Unified {
		both("ssl.", &tls.Clients)
	}
	if (tls.PeersOn || tls.PeersEither) && len(res.Config.Members) > 1 || res.Config.AdminTLS != server.AdminPlain {
		both("ssl.quorum.", &tls.Peers)
	}
	return errors.Join(errs...)
}
