// Package keystore reads private keys and certificates as Java programs and openssl keep
// them, and writes the names in certificates as Java does. A configuration of ZooKeeper's or
// Kafka's names such files; whoever serves it, member, broker or command, reads them here.
//
//	PEM       -----BEGIN ...      keys by PKCS #8 (also encrypted), PKCS #1, SEC 1; certificates
//	JKS       fe ed fe ed ...     keys with chains, trusted certificates; password of the store and of a key
//	PKCS12    30 8x ...           the same, as keytool has written it since Java 9, and openssl pkcs12
//
// What a file is, its first bytes tell, and not its name or what a configuration says of it:
// keytool writes PKCS12 into files called .jks, and Java reads them.
//
// # Vocabulary
//
// A key store holds private keys with the certificates of their owner, a trust store the
// certificates of the authorities that are believed in. A pair is a key with the certificate
// for it and those that lead from there to an authority.
//
// Everything here is a pure function of bytes: files, and looking at them again, are the
// caller's. Bytes may be damaged in any way; the answer is an error then.
//
// Left out: BCFKS stores, keys encrypted by PEM's old DEK-Info, writing, and the aliases by
// which a Java program may choose one of several keys: all are returned, and crypto/tls takes
// the one that the other side can use.
package keystore
