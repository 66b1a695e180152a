// Package revocation asks whether certificates are revoked: by the lists (CRL) that their
// authorities publish and, if wanted, by the authorities' responders (OCSP).
//
//	leaf ◀─ intermediate ◀─ authority of the trust store      asked about: intermediate, then leaf
//
//	                 OCSP on                       revoked ──▶ refused
//	 certificate ──▶ its responder (AIA) ──good──▶ next certificate
//	      │               └── no answer, or "unknown" ──┐
//	      └── OCSP off ──▶ its lists (CRL DP), in turn ◀┘
//	                          ├─ not in it ──▶ next certificate
//	                          ├─ in it ──▶ refused
//	                          └─ none to be had ──▶ refused
//
// This is what Java does with ZooKeeper's ssl.crl and ssl.ocsp (X509Util.createTrustManager; the
// PKIX revocation checker of the JDK): every certificate but the one that is trusted itself, from
// the top down; no soft failure; a responder's "revoked" is final, anything else but "good" falls
// back to lists; lists and answers are taken within 15 minutes of their time; the trusted
// authority may sign lists whatever its key usage says, others need cRLSign if they say anything.
//
// # Vocabulary
//
// A list is a CRL, its scope what its issuing distribution point extension says it is about. An
// answer is that of an OCSP responder for one certificate; a delegate is a responder with a
// certificate of its own, issued by the authority for that purpose.
//
// # Cache
//
// As with Java, what was had within 30 s is not asked for again, nor is what could not be had.
// After that the next handshake asks, lists by If-None-Match and If-Modified-Since.
// Differs from ZooKeeper: when nothing can be had then, the old list or answer stands until its next update, and so
// it does for the other handshakes while one asks. Answers of responders are remembered likewise, where Java asks for
// each handshake. A host that could not be reached is left alone for 5 s, whoever's certificate names it.
//
// # Goroutines and locks
//
// There are none of its own: a caller of Check downloads itself, and others that need the same
// wait for it, each no longer than its own patience. Everything may be called from any goroutine.
//
// # Invariants
//
// Addresses are taken from certificates alone whose chain to an authority of the trust store was
// verified, and the one above was found good. What comes back is bounded in size, time, redirects and number
// under way, and believed only with the signature of the issuer or its delegate.
//
// Left out: LDAP and file addresses, indirect and delta lists and those for some reasons only (all of
// these refuse, and say so), lists signed by another key of the issuer, stapled
// answers, proxies, whether a delegate is revoked itself (Java does not ask either), and what Java is told by
// security properties, as ocsp.responderURL.
package revocation
