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
// authenticator has to be the same, realm included (gokrb5 does not look at that). The authorization id
// is not looked at unless Acceptor.Authorize does: for clients ZooKeeper lets every one pass, too, and maps the
// principal.
//
// A client that asks for mutual authentication gets a fresh key, with which it has to seal its
// last token, so that a recording of it is worth nothing. One that does not, as Java's, could be
// replayed: authenticators are remembered for as long as they are valid.
//
// A client gets its ticket from the KDC: one that logs in once by NewClient, one that runs for long by
// Tickets, which keeps them:
//
//	                       80 % of its life     its end
//	no ticket ──▶ ticket ───────────┬──────────────┬───▶ no ticket
//	    ▲  Begin asks the KDC       │ renewed      │ Begin waits for the KDC, or for the end of ctx
//	    └── and waits               ▼ meanwhile, by a goroutine of Tickets; Begin never waits
//
// So a KDC that is away for a while is missed by nobody whose tickets are good. After a failure there is a pause, of seconds
// where the KDC could not be reached and of up to a minute where it said no, in which Begin returns what went wrong.
// The KDC is asked by TCP alone, which each has to speak (RFC 4120, 7.2); of several the first that takes the
// connection, all being tried at once.
//
// Concurrency: an Acceptor and Tickets may be used from any goroutine; a
// conversation belongs to one connection.
//
// Left out: security layers, channel bindings, delegation, encryption types before AES, whose tokens
// have another form.
package gssapi
