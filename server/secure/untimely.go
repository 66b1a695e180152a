package secure

import (
	"crypto/x509"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// untimely says of the first certificate of this side that is not valid now, those of the authorities that
// its key store hands out with it included, what peers that look will say of it; "" if each is.
func (g *generation) untimely(now time.Time) string {
	for _, p := range g.pairs {
		for _, der := range p.Certificate {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				continue // it was read a moment ago; a peer says what it minds
			}
			if now.Before(c.NotBefore) || now.After(c.NotAfter) {
				return fmt.Sprintf("certificate %s is valid from %s to %s, which is not now", DN(c), day(c.NotBefore), day(c.NotAfter))
			}
		}
	}
	return ""
}

// remedyUntimely is what an operator does about such a certificate.
const remedyUntimely = "renew it, or mend the clock"

// warnUntimely writes the one line that an operator finds before the first peer is refused.
func (s *Source) warnUntimely(g *generation) {
	if cause := g.untimely(time.Now()); cause != "" {
		s.opts.Logger.Warn("peers will refuse this side's certificate", zap.String("keyStore", s.settings.KeyStore.Location),
			zap.String("cause", cause), zap.String("remedy", remedyUntimely))
	}
}

// Untimely reads a key store and says in words which certificate in it is not valid now, and what to do
// about that; "" if each is. It is no error: a server serves those who do not look.
func Untimely(store Store) (string, error) {
	pairs, err := store.keyPairs(osReadFile)
	if err != nil {
		return "", err
	}
	cause := (&generation{pairs: pairs}).untimely(time.Now())
	if cause == "" {
		return "", nil
	}
	return cause + "; " + remedyUntimely, nil
}
