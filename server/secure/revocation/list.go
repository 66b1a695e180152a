package revocation

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// list is a CRL that its issuer has signed. It is not changed once it is in the cache.
type list struct {
	from, until time.Time // this update, next update
	scope       scope
	entries     map[string]entry  // by the bytes of the serial number
	bytes       int               // of the list as it was sent
	seen        validators        // of the download
	sum         [sha256.Size]byte // of what was sent
}

// entry is small: there may be hundreds of thousands.
type entry struct {
	unix   int64
	reason int8
}

func (l *list) size() int                { return l.bytes }
func (l *list) valid(now time.Time) bool { return l.current(now) == nil }

// parseList reads a list, DER or PEM, and wants it to be by's.
func parseList(data []byte, by issuer) (*list, error) {
	if block, _ := pem.Decode(data); block != nil && block.Type == "X509 CRL" {
		data = block.Bytes
	}
	crl, err := x509.ParseRevocationList(data)
	if err != nil {
		return nil, fmt.Errorf("not a CRL: %w", err)
	}
	if err := signedBy(crl, by); err != nil {
		return nil, err
	}
	l := &list{from: crl.ThisUpdate, until: crl.NextUpdate, bytes: len(data)}
	for _, ext := range crl.Extensions {
		switch {
		case ext.Id.Equal(oidScope):
			if l.scope, err = parseScope(ext.Value); err != nil {
				return nil, err
			}
		case ext.Critical: // a delta list among others
			return nil, fmt.Errorf("its critical extension %v is not known", ext.Id)
		}
	}
	l.entries = make(map[string]entry, len(crl.RevokedCertificateEntries))
	for _, e := range crl.RevokedCertificateEntries {
		l.entries[serial(e.SerialNumber)] = entry{e.RevocationTime.Unix(), int8(e.ReasonCode)}
	}
	return l, nil
}

// signedBy wants name and signature to be the issuer's. A trusted authority signs lists
// whatever its key usage says, as with Java.
func signedBy(crl *x509.RevocationList, by issuer) error {
	if !bytes.Equal(crl.RawIssuer, by.cert.RawSubject) {
		return errors.New("it is the list of another authority")
	}
	var err error
	if by.trusted {
		err = by.cert.CheckSignature(crl.SignatureAlgorithm, crl.RawTBSRevocationList, crl.Signature)
	} else {
		err = crl.CheckSignatureFrom(by.cert)
	}
	if err != nil {
		return fmt.Errorf("not signed by the certificate's authority: %w", err)
	}
	return nil
}

// current wants now to be between the list's updates. One without a next update is
// never current, as with Java.
func (l *list) current(now time.Time) error {
	switch {
	case l.until.IsZero():
		return errors.New("it does not say until when it is good")
	case now.Add(skew).Before(l.from):
		return fmt.Errorf("it is good from %s on only", l.from.UTC().Format(time.RFC3339))
	case now.Add(-skew).After(l.until):
		return fmt.Errorf("it is out of date since %s", l.until.UTC().Format(time.RFC3339))
	}
	return nil
}

// covers wants the list to be about certificates like this one.
func (l *list) covers(cert *x509.Certificate) error {
	s := &l.scope
	ca := cert.BasicConstraintsValid && cert.IsCA
	switch {
	case s.attributes, s.users && ca, s.authorities && !ca:
		return errors.New("it is about certificates of another kind")
	case s.reasons:
		return errors.New("it is about some reasons of revocation only")
	case s.indirect:
		return errors.New("it is an indirect list, which is not understood")
	case s.named && !slices.ContainsFunc(s.addresses, func(a string) bool { return slices.Contains(cert.CRLDistributionPoints, a) }):
		return errors.New("it is about certificates that name another address")
	}
	return nil
}

// find is what the list says of the certificate, nil for nothing.
//
// Differs from ZooKeeper: a revocation counts whatever its time is, that of Java only once that has come.
func (l *list) find(cert *x509.Certificate, url string) *Revocation {
	e, ok := l.entries[serial(cert.SerialNumber)]
	if !ok {
		return nil
	}
	return &Revocation{At: time.Unix(e.unix, 0), Reason: reasonText(int(e.reason)), By: "CRL " + shorten(url)}
}

// serial is the key of a serial number; certificates have no negative ones.
func serial(n *big.Int) string {
	if n.Sign() < 0 {
		return "-" + string(n.Bytes())
	}
	return "+" + string(n.Bytes())
}

// oidScope is the issuing distribution point (RFC 5280, 5.2.5).
var oidScope = asn1.ObjectIdentifier{2, 5, 29, 28}

// scope is which certificates a list is about:
//
//	IssuingDistributionPoint ::= SEQUENCE {
//	     distributionPoint          [0] DistributionPointName OPTIONAL,   named
//	     onlyContainsUserCerts      [1] BOOLEAN DEFAULT FALSE,            users
//	     onlyContainsCACerts        [2] BOOLEAN DEFAULT FALSE,            authorities
//	     onlySomeReasons            [3] ReasonFlags OPTIONAL,             reasons
//	     indirectCRL                [4] BOOLEAN DEFAULT FALSE,            indirect
//	     onlyContainsAttributeCerts [5] BOOLEAN DEFAULT FALSE }           attributes
//
//	DistributionPointName ::= CHOICE {
//	     fullName                [0] GeneralNames,                        addresses, of those with [6] URI
//	     nameRelativeToCRLIssuer [1] RelativeDistinguishedName }
type scope struct {
	named                                             bool
	addresses                                         []string
	users, authorities, reasons, indirect, attributes bool
}

// scopeASN1 is the sequence; the name, which is a choice, is taken apart by hand.
type scopeASN1 struct {
	Name        asn1.RawValue  `asn1:"optional,tag:0"`
	Users       bool           `asn1:"optional,tag:1"`
	Authorities bool           `asn1:"optional,tag:2"`
	Reasons     asn1.BitString `asn1:"optional,tag:3"`
	Indirect    bool           `asn1:"optional,tag:4"`
	Attributes  bool           `asn1:"optional,tag:5"`
}

// parseScope reads the extension's value.
func parseScope(der []byte) (scope, error) {
	bad := func(err error) (scope, error) { return scope{}, fmt.Errorf("its issuing distribution point: %w", err) }
	var raw scopeASN1
	rest, err := asn1.Unmarshal(der, &raw)
	if err != nil {
		return bad(err)
	}
	if len(rest) > 0 {
		return bad(errors.New("bytes too many"))
	}
	s := scope{users: raw.Users, authorities: raw.Authorities, indirect: raw.Indirect, attributes: raw.Attributes,
		reasons: raw.Reasons.Bytes != nil, named: len(raw.Name.FullBytes) > 0}
	if s.named {
		if s.addresses, err = fullName(raw.Name.Bytes); err != nil {
			return bad(err)
		}
	}
	return s, nil
}

// fullName are the addresses of a DistributionPointName; none if it is of another kind.
func fullName(der []byte) ([]string, error) {
	var choice asn1.RawValue
	rest, err := asn1.Unmarshal(der, &choice)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errors.New("bytes too many")
	}
	if choice.Class != asn1.ClassContextSpecific || choice.Tag != 0 {
		return nil, nil
	}
	const uri = 6
	var addresses []string
	for names := choice.Bytes; len(names) > 0; {
		var name asn1.RawValue
		if names, err = asn1.Unmarshal(names, &name); err != nil {
			return nil, err
		}
		if name.Class == asn1.ClassContextSpecific && name.Tag == uri {
			addresses = append(addresses, string(name.Bytes))
		}
	}
	return addresses, nil
}
