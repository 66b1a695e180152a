// Package secure is TLS for both kinds of connections: of clients and between
// members. It makes configurations of crypto/tls of key and trust stores, keeps
// these up to date when the files change, and says in one line why a handshake
// failed and what to do.
//
//	Settings ──Open──▶ Source ──Server──▶ *tls.Config for a listener
//	   ▲                 │ └────Client──▶ *tls.Config to dial a host
//	 keys of zoo.cfg     ▼ files changed: next generation
//	 and of client     generation: certificates, authorities, two configurations
//	 properties
//
// The settings are those of ZooKeeper under ssl. and ssl.quorum.
// (ZooKeeper: X509Util, ClientX509Util, QuorumX509Util), the identity of a
// client is its certificate's subject in the text form of ZooKeeper
// (X509AuthenticationProvider). A connection made before a change of the files
// goes on as it is.
//
// # Vocabulary
//
// A key store holds the private key and certificates of this side, a trust store the
// certificates of the authorities that are believed in; package wire/keystore reads both.
// The other side of a connection is the peer, be it client, server or member.
//
// # Goroutines and locks
//
// A Source has one goroutine that looks at the files, ended by Close. All else
// is safe for concurrent use; a generation never changes.
//
// # Invariants
//
// Whoever asks for revocation to be checked (package revocation) has each handshake wait for it, in the
// goroutine that makes it; accepting waits for none.
//
// Closing a Conn never waits for the peer: what cannot be written at once is not
// written. A new file that cannot be used changes nothing. A server never asks for
// certificates without authorities of the operator's choice: those of the system
// would let in everybody who has bought a certificate.
//
// Left out: BCFKS stores, Java classes that supply
// an SSLContext; the ports (package server), the members (quorum/transport, which takes
// any net.Conn).
package secure
