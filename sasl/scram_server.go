package sasl

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
)

// The server's side of SCRAM (RFC 5802). A library would do, but for one thing: librdkafka before 2.6.1
// puts its nonce twice into the last message, which Kafka lets pass, and so do all who have to live with
// the clients that there are. What proves anything is the server's nonce at the end of it.
//
//	client  n,,n=alice,r=NONCE                       gs2 header, then the bare first message
//	server  r=NONCE+more,s=SALT,i=ITERATIONS
//	client  c=biws,r=NONCE+more,p=PROOF              biws: the gs2 header
//	server  v=SIGNATURE
type scramServer struct {
	hash   func() hash.Hash
	lookup func(user string) SCRAMCredential
	nonce  func() string

	step             int
	user, authzid    string
	header           string // gs2
	firstBare, first string // messages
	full             string // nonce
	cred             SCRAMCredential
}

// scramNonce is the server's part of a nonce.
func scramNonce() string {
	var b [18]byte
	rand.Read(b[:]) // crypto/rand never fails
	return base64.RawStdEncoding.EncodeToString(b[:])
}

// next answers a message; after the second one, with no error, the client has proved to be the user.
func (s *scramServer) next(message string) (string, error) {
	s.step++
	switch s.step {
	case 1:
		return s.firstMessage(message)
	case 2:
		return s.finalMessage(message)
	}
	return "", fmt.Errorf("message %d of a conversation of two", s.step)
}

func (s *scramServer) firstMessage(message string) (string, error) {
	parts := strings.SplitN(message, ",", 3)
	if len(parts) < 3 || parts[0] != "n" && parts[0] != "y" { // p: channel binding, which nobody has
		return "", fmt.Errorf("gs2 header of %.10q", message)
	}
	s.header, s.firstBare = parts[0]+","+parts[1]+",", parts[2]
	var err error
	if parts[1] != "" {
		name, ok := strings.CutPrefix(parts[1], "a=")
		if !ok {
			return "", fmt.Errorf("gs2 header of %.10q", message)
		}
		if s.authzid, err = scramName(name); err != nil {
			return "", err
		}
	}
	fields := strings.Split(s.firstBare, ",") // others after these two are extensions, and none is asked for
	if len(fields) < 2 {
		return "", fmt.Errorf("first message of %d fields", len(fields))
	}
	name, okName := strings.CutPrefix(fields[0], "n=")
	nonce, okNonce := strings.CutPrefix(fields[1], "r=")
	if !okName || !okNonce || nonce == "" {
		return "", fmt.Errorf("first message without user and nonce")
	}
	if s.user, err = scramName(name); err != nil {
		return "", err
	}
	s.cred = s.lookup(s.user)
	s.full = nonce + s.nonce()
	s.first = fmt.Sprintf("r=%s,s=%s,i=%d", s.full, base64.StdEncoding.EncodeToString(s.cred.Salt), s.cred.Iterations)
	return s.first, nil
}

func (s *scramServer) finalMessage(message string) (string, error) {
	at := strings.LastIndex(message, ",p=")
	if at < 0 {
		return "", fmt.Errorf("last message without a proof")
	}
	without := message[:at]
	proof, err := base64.StdEncoding.DecodeString(message[at+len(",p="):])
	if err != nil {
		return "", fmt.Errorf("proof: %w", err)
	}
	fields := strings.Split(without, ",")
	if len(fields) < 2 || fields[0] != "c="+base64.StdEncoding.EncodeToString([]byte(s.header)) {
		return "", fmt.Errorf("last message with another gs2 header")
	}
	if nonce, ok := strings.CutPrefix(fields[1], "r="); !ok || !strings.HasSuffix(nonce, s.full) {
		return "", fmt.Errorf("last message with another nonce")
	}
	all := s.firstBare + "," + s.first + "," + without
	key := s.mac(s.cred.StoredKey, all)
	if len(proof) != len(key) {
		return "", fmt.Errorf("proof of %d bytes", len(proof))
	}
	subtle.XORBytes(key, key, proof)
	stored := s.hash()
	stored.Write(key) // a hash never fails
	if subtle.ConstantTimeCompare(stored.Sum(nil), s.cred.StoredKey) != 1 {
		return "", fmt.Errorf("wrong proof")
	}
	return "v=" + base64.StdEncoding.EncodeToString(s.mac(s.cred.ServerKey, all)), nil
}

func (s *scramServer) mac(key []byte, text string) []byte {
	h := hmac.New(s.hash, key)
	h.Write([]byte(text)) // a hash never fails
	return h.Sum(nil)
}

// scramName undoes what makes commas and equals signs of a name pass.
func scramName(s string) (string, error) {
	rest := strings.NewReplacer("=2C", "", "=3D", "").Replace(s)
	if s == "" || strings.Contains(rest, "=") {
		return "", fmt.Errorf("name %q", s)
	}
	return strings.NewReplacer("=2C", ",", "=3D", "=").Replace(s), nil
}
