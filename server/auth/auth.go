package auth

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"slices"
	"strings"

	"holt/wire"
)

// Config says which credentials count.
type Config struct {
	// DigestAlg is the hash of the digest scheme in Java's spelling, SHA1 if
	// empty [zookeeper.DigestAuthenticationProvider.digestAlg].
	DigestAlg string
	// DigestDisabled refuses the scheme.
	DigestDisabled bool
	// SuperDigest is the digest identity of the superuser, super:<base64>; none
	// if empty.
	SuperDigest string
	// SASL lets clients log in by SASL, unless nil.
	SASL *SASLConfig
	// SASLScheme makes sasl a scheme of ACLs, which it need not be for a login
	// [authProvider.N=org.apache.zookeeper.server.auth.SASLAuthenticationProvider].
	SASLScheme bool
	// EnsembleScheme takes packets of the scheme ensemble, with which a client says the name of
	// the ensemble that it wants: it has to be one of EnsembleNames, or these empty
	// [authProvider.N=...EnsembleAuthenticationProvider, ensembleAuthName].
	EnsembleScheme bool
	EnsembleNames  []string
	// X509 knows the subjects of certificates as identities, X509Super being
	// that of the superuser, if not empty.
	X509      bool
	X509Super string
}

// Registry knows the schemes of one member.
type Registry struct {
	cfg     Config
	newHash func() hash.Hash
	sasl    *saslServer // nil: there is none
}

// New makes a registry, or says what is wrong with the configuration.
func New(cfg Config) (*Registry, error) {
	r := &Registry{cfg: cfg}
	switch strings.ToUpper(cfg.DigestAlg) {
	case "", "SHA1", "SHA-1", "SHA":
		r.newHash = sha1.New
	case "SHA-256":
		r.newHash = sha256.New
	case "SHA-384":
		r.newHash = sha512.New384
	case "SHA-512":
		r.newHash = sha512.New
	case "SHA3-256":
		r.newHash = func() hash.Hash { return sha3.New256() }
	case "SHA3-512":
		r.newHash = func() hash.Hash { return sha3.New512() }
	case "MD5":
		r.newHash = md5.New
	default:
		return nil, fmt.Errorf("digest algorithm %q is not known: use SHA1, SHA-256, SHA-384, SHA-512, SHA3-256, SHA3-512 or MD5", cfg.DigestAlg)
	}
	var err error
	r.sasl, err = newSASLServer(cfg.SASL)
	return r, err
}

// superIdentity passes every ACL.
var superIdentity = wire.Identity{Scheme: "super"}

// Authenticate returns the identities that credentials prove, or
// ErrAuthFailed, after which the connection ends, or ErrBadArguments for the name of
// another ensemble, after which it ends without a reply, so that the client goes elsewhere.
// ZooKeeper: DigestAuthenticationProvider, ProviderRegistry.
func (r *Registry) Authenticate(scheme string, credentials []byte) ([]wire.Identity, wire.ErrCode) {
	switch {
	case scheme == "digest" && !r.cfg.DigestDisabled && credentials != nil:
		id := wire.Identity{Scheme: "digest", ID: r.Digest(string(credentials))}
		if r.cfg.SuperDigest != "" && id.ID == r.cfg.SuperDigest {
			return []wire.Identity{superIdentity, id}, wire.OK
		}
		return []wire.Identity{id}, wire.OK
	case scheme == "ip":
		return nil, wire.OK // every connection has it already
	case scheme == "ensemble" && r.cfg.EnsembleScheme:
		if len(credentials) == 0 || len(r.cfg.EnsembleNames) == 0 || slices.Contains(r.cfg.EnsembleNames, string(credentials)) {
			return nil, wire.OK
		}
		return nil, wire.ErrBadArguments
	}
	return nil, wire.ErrAuthFailed
}

// Refusal says why Authenticate and Certificate refuse the credentials of a scheme, and what to do.
func (r *Registry) Refusal(scheme string) (cause, remedy string) {
	switch {
	case scheme == "digest" && r.cfg.DigestDisabled:
		return "the scheme digest is switched off", "have the client log in by another, or set DigestAuthenticationProvider.enabled=true"
	case scheme == "digest":
		return "no credentials came with the scheme digest", "have the client send user:password"
	case scheme == "x509" && r.cfg.X509:
		return "the client has shown no certificate", "give it one, and have it connect to secureClientPort"
	case scheme == "x509":
		return "the scheme x509 is switched off", "set ssl.keyStore.location and ssl.trustStore.location"
	case scheme == "sasl":
		return "the scheme sasl takes no credentials but by a login of SASL's own", "have the client log in by a JAAS file"
	}
	return fmt.Sprintf("the scheme %.60q is not known here", scheme), "have the client use digest, x509 or SASL"
}

// Certificate is Authenticate by the scheme x509, whose credentials are the client's
// certificate: TLS has verified it, and this is its subject, "" without one. ZooKeeper: X509AuthenticationProvider.
func (r *Registry) Certificate(subject string) ([]wire.Identity, wire.ErrCode) {
	if !r.cfg.X509 || subject == "" {
		return nil, wire.ErrAuthFailed
	}
	id := wire.Identity{Scheme: "x509", ID: subject}
	if r.cfg.X509Super != "" && subject == r.cfg.X509Super {
		return []wire.Identity{{Scheme: "super", ID: subject}, id}, wire.OK
	}
	return []wire.Identity{id}, wire.OK
}

// Digest is the identity that stands for a user and password, given as
// "user:password": the user, a colon, and the hash of the whole in base64. Without a colon
// all is the user.
//
// Differs from ZooKeeper, which replaces bytes that are no UTF-8 before it hashes, and then
// does not know the identities that clients made of the bytes as they are.
func (r *Registry) Digest(userPassword string) string {
	h := r.newHash()
	h.Write([]byte(userPassword)) // a hash never fails
	user, _, _ := strings.Cut(userPassword, ":")
	return user + ":" + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// identitiesBytesMax bounds the identities of one connection. They travel with each of its
// commands, so without a bound a few packets could make every small write a large one. ZooKeeper has
// none: there they are judged where the connection is.
const identitiesBytesMax = 16 << 10

// Merge returns ids with more added, each once; neither is changed. It reports false, and returns ids, if
// that is more than a connection may have.
func Merge(ids, more []wire.Identity) ([]wire.Identity, bool) {
	all := slices.Clone(ids)
	for _, id := range more {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	size := 0
	for i := range all {
		size += len(all[i].Scheme) + len(all[i].ID)
	}
	if size > identitiesBytesMax && len(all) > len(ids) {
		return ids, false
	}
	return all, true
}

// MaskDigests returns the list as somebody sees it who may not administrate the
// node: the hash of each digest identity is an x.
func MaskDigests(acl []wire.ACL) []wire.ACL {
	masked := slices.Clone(acl)
	for i := range masked {
		if a := &masked[i]; a.Scheme == "digest" {
			user, _, _ := strings.Cut(a.ID, ":")
			a.ID = user + ":x"
		}
	}
	return masked
}

// ClientInfos is what whoAmI shows of identities: a digest's user without the
// hash, any other as it is. That of super is empty, and so is that of a login by SASL while sasl is
// no scheme.
func (r *Registry) ClientInfos(ids []wire.Identity) []wire.ClientInfo {
	infos := make([]wire.ClientInfo, len(ids))
	for i, id := range ids {
		user := id.ID
		switch {
		case id.Scheme == "digest":
			user, _, _ = strings.Cut(user, ":")
		case id.Scheme == "super", id.Scheme == "sasl" && !r.cfg.SASLScheme:
			user = "" // whosoever it is
		}
		infos[i] = wire.ClientInfo{AuthScheme: id.Scheme, User: user}
	}
	return infos
}
