package gssapi

import (
	"errors"
	"fmt"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/crypto"
	krb5 "github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Name is the name of the mechanism.
const Name = "GSSAPI"

// Initial reports whether a client's first token is one of this mechanism: an element [APPLICATION
// 0] of ASN.1, which no other mechanism's token begins with.
func Initial(token []byte) bool { return len(token) > 0 && token[0] == 0x60 }

// The two bytes between mechanism and message that say what the message is (RFC 4121, 4.1).
const (
	tokenAPReq = 0x0100
	tokenAPRep = 0x0200
)

var errToken = errors.New("not a token of Kerberos")

// frame puts the mechanism in front of a message.
func frame(id uint16, message []byte) ([]byte, error) {
	b, err := asn1.Marshal(krb5.OIDKRB5.OID())
	if err != nil {
		return nil, fmt.Errorf("encode mechanism: %w", err)
	}
	b = append(b, byte(id>>8), byte(id))
	return asn1tools.AddASNAppTag(append(b, message...), 0), nil
}

// unframe takes it off again.
func unframe(id uint16, token []byte) ([]byte, error) {
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(token, &outer)
	if err != nil || len(rest) > 0 || outer.Class != asn1.ClassApplication || outer.Tag != 0 {
		return nil, errToken
	}
	var mechanism asn1.ObjectIdentifier
	message, err := asn1.Unmarshal(outer.Bytes, &mechanism)
	if err != nil || !mechanism.Equal(krb5.OIDKRB5.OID()) || len(message) < 2 {
		return nil, errToken
	}
	if got := uint16(message[0])<<8 | uint16(message[1]); got != id {
		return nil, fmt.Errorf("a Kerberos token of kind 0x%04x where 0x%04x is due", got, id)
	}
	return message[2:], nil
}

// guard turns a panic of the decoders, which are not ours and not all mind lengths, into an error.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", errToken, r)
	}
}

// sealing is the state of an established context that wrapping needs.
type sealing struct {
	key      types.EncryptionKey
	subkey   bool   // the key is the acceptor's own
	acceptor bool   // this side is the acceptor
	seq      uint64 // of the next token from here
}

// The flags of a wrap token (RFC 4121, 4.2.2).
const (
	flagAcceptor = 1 << iota
	flagSealed
	flagSubkey
)

func usage(acceptor bool) uint32 {
	if acceptor {
		return keyusage.GSSAPI_ACCEPTOR_SEAL
	}
	return keyusage.GSSAPI_INITIATOR_SEAL
}

// wrap protects payload by a checksum; it is not hidden.
func (s *sealing) wrap(payload []byte) ([]byte, error) {
	e, err := crypto.GetEtype(s.key.KeyType)
	if err != nil {
		return nil, fmt.Errorf("wrap: %w", err)
	}
	w := krb5.WrapToken{EC: uint16(e.GetHMACBitLength() / 8), SndSeqNum: s.seq, Payload: payload}
	if s.acceptor {
		w.Flags |= flagAcceptor
	}
	if s.subkey {
		w.Flags |= flagSubkey
	}
	if err := w.SetCheckSum(s.key, usage(s.acceptor)); err != nil {
		return nil, fmt.Errorf("wrap: %w", err)
	}
	s.seq++
	return w.Marshal()
}

// unwrap returns the payload of the other side's token, which may be rotated but not hidden.
func (s *sealing) unwrap(token []byte) ([]byte, error) {
	var w krb5.WrapToken
	if err := w.Unmarshal(token, !s.acceptor); err != nil {
		return nil, fmt.Errorf("wrapped token: %w", err)
	}
	if w.Flags&flagSealed != 0 {
		return nil, errors.New("wrapped token: it is encrypted, which was not agreed upon")
	}
	if (w.Flags&flagSubkey != 0) != s.subkey {
		return nil, errors.New("wrapped token: another key than the one agreed upon")
	}
	if body := token[krb5.HdrLen:]; w.RRC > 0 && len(body) > 0 {
		n := int(w.RRC) % len(body)
		body = append(append([]byte(nil), body[n:]...), body[:n]...)
		w.Payload, w.CheckSum = body[:len(body)-int(w.EC)], body[len(body)-int(w.EC):]
	}
	if ok, err := w.Verify(s.key, usage(!s.acceptor)); err != nil || !ok {
		return nil, errors.New("wrapped token: the checksum is wrong")
	}
	return w.Payload, nil
}

// strong reports whether keys of a type make the tokens that are known here.
func strong(keyType int32) bool {
	switch keyType {
	case etypeID.AES128_CTS_HMAC_SHA1_96, etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA256_128, etypeID.AES256_CTS_HMAC_SHA384_192:
		return true
	}
	return false
}
