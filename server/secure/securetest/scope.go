package securetest

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
)

// Scope is an issuing distribution point extension: an address ("" for none) and flags by their tags.
func Scope(t testing.TB, address string, flags ...int) pkix.Extension {
	t.Helper()
	t.Helper()
	var body []byte
	add := func(v asn1.RawValue) {
		der, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		body = append(body, der...)
	}
	if address != "" {
		uri, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(address)})
		if err != nil {
			t.Fatal(err)
		}
		full, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: uri})
		if err != nil {
			t.Fatal(err)
		}
		add(asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: full})
	}
	for _, tag := range flags {
		value := []byte{0xff}
		if tag == SomeReasons {
			value = []byte{6, 0x40}
		}
		add(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: value})
	}
	der, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: body})
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: der}
}

// Flags of Scope.
const (
	OnlyUsers       = 1
	OnlyAuthorities = 2
	SomeReasons     = 3
	Indirect        = 4
	OnlyAttributes  = 5
)
