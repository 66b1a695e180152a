// Package gssapi is SASL's mechanism GSSAPI (RFC 4752) over Kerberos V5 (RFC 4121), the side that
// accepts and the side that initiates. The Kerberos messages, their encryption and keytabs are
// gokrb5's.
//
//	client                                               server (Acceptor)
//	  AP-REQ: ticket, authenticator             ────▶    ticket opened with the keytab's key
//	                                            ◀────    AP-REP, with a key of the server's own
//	  (empty)                                   ────▶        [both only if the client asks for
//	                                                          mutual authentication]
//	                                            ◀────    wrapped: the security layers offered: none
//	  wrapped: layer chosen, authorization id   ────▶    done: the ticket's principal
//
// Who the client is stands in the ticket, which the KDC sealed. What it says of itself in the
// authenticator has to be the same, realm included (gokrb5 does not look at that), and the authorization id
// is not looked at: ZooKeeper lets every one pass, too, and maps the principal.
//
// A client that asks for mutual authentication gets a fresh key, with which it has to seal its
// last token, so that a recording of it is worth nothing. One that does not, as Java's, could be
// replayed: authenticators are remembered for as long as they are valid.
//
// Concurrency: an Acceptor may be used from any goroutine, and an Initiator too; a
// conversation belongs to one connection.
//
// Left out: security layers, channel bindings, delegation, encryption types before AES, whose tokens
// have another form.
package gssapi
