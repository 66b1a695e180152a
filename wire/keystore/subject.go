package keystore

import (
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"strings"
)

type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// relativeName is a SET: encoding/asn1 knows by the suffix.
type relativeNameSET []attribute

// Name writes the name of a subject or issuer, in DER as crypto/x509 keeps it, as Java's
// X500Principal.getName does: RFC 2253, the most specific first. ACLs and rules hold it as
// text, so every character counts. The error says that der is no name.
func Name(der []byte) (string, error) {
	var names []relativeNameSET
	if rest, err := asn1.Unmarshal(der, &names); err != nil {
		return "", fmt.Errorf("read name: %w", err)
	} else if len(rest) > 0 {
		return "", fmt.Errorf("read name: %d bytes too many", len(rest))
	}
	parts := make([]string, 0, len(names))
	for i := len(names) - 1; i >= 0; i-- {
		var values []string
		for _, a := range names[i] {
			values = append(values, a.rfc2253())
		}
		parts = append(parts, strings.Join(values, "+"))
	}
	return strings.Join(parts, ","), nil
}

// keyword is the name of a type that RFC 2253 knows; others are written as
// numbers. Java: AVAKeyword.
func keyword(id asn1.ObjectIdentifier) string {
	switch id.String() {
	case "2.5.4.3":
		return "CN"
	case "2.5.4.6":
		return "C"
	case "2.5.4.7":
		return "L"
	case "2.5.4.8":
		return "ST"
	case "2.5.4.9":
		return "STREET"
	case "2.5.4.10":
		return "O"
	case "2.5.4.11":
		return "OU"
	case "0.9.2342.19200300.100.1.25":
		return "DC"
	case "0.9.2342.19200300.100.1.1":
		return "UID"
	}
	return ""
}

func (a *attribute) rfc2253() string {
	name := keyword(a.Type)
	text, ok := a.text()
	if name == "" || !ok {
		if name == "" {
			name = a.Type.String()
		}
		return name + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	return name + "=" + escape(text)
}

// text reads the string types of ASN.1 that Java takes for such, and all of them, as it
// does, as UTF-8, whatever their own encoding.
func (a *attribute) text() (string, bool) {
	v := a.Value
	if v.Class != asn1.ClassUniversal {
		return "", false
	}
	switch v.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagGeneralString, asn1.TagT61String, asn1.TagBMPString:
		return javaUTF8(v.Bytes), true
	}
	return "", false
}

// javaUTF8 decodes with a replacement for each byte that is none of UTF-8's.
func javaUTF8(b []byte) string { return string([]rune(string(b))) }

// escape does as Java's AVA.toRFC2253String: these characters get a backslash
// wherever they stand, and so do blanks at both ends.
func escape(text string) string {
	var s strings.Builder
	trimmed := strings.Trim(text, " \r")
	lead := len(text) - len(strings.TrimLeft(text, " \r"))
	if trimmed == "" {
		lead = len(text)
	}
	for i, c := range text {
		switch {
		case c == 0:
			s.WriteString(`\00`)
			continue
		case strings.ContainsRune(`,=+<>#;"\`, c), i < lead, i >= lead+len(trimmed):
			s.WriteByte('\\')
		}
		s.WriteRune(c)
	}
	return s.String()
}
