// Package peerlogin is who a member of an ensemble says it is when it connects to another, and whom it takes for a
// member: SASL by DIGEST-MD5 or Kerberos with what two sections of a JAAS file say, as in ZooKeeper.
//
//	JAAS file         zoo.cfg                               here
//	QuorumLearner     quorum.auth.learner.saslLoginContext  Config.User, Password          ──▶ Login.Begin   who dials
//	                                                        or Ticket, with Service
//	QuorumServer      quorum.auth.server.saslLoginContext   Config.Users                   ──▶ Login.Accept  who accepts
//	                                                        or Principal, Keytab, or both
//
// How the tokens travel, and what is done without a login, is the affair of package quorum/transport.
//
//	enableSasl  learnerRequireSasl  serverRequireSasl   dials with  accepts
//	false       false               false               no login    no login   (no Config needed)
//	true        false               false               no login    both
//	true        true                false               login       both
//	true        true                true                login       login
//
// An ensemble is switched over from the first line to the last, one line at a time and one member after the other,
// without a pause. Other combinations are refused, as there. From DIGEST-MD5 to Kerberos it is switched over by a
// QuorumServer that has login modules of both, which takes either.
//
// # Kerberos
//
// A member that dials gets a ticket for the service at the other end, as itself:
//
//	QuorumLearner      principal, keyTab (or ticketCache)   who dials
//	servicePrincipal   zkquorum/_HOST                       whom the ticket is for, _HOST being the host of the
//	                                                        peer's address in lower case; default zkquorum/localhost
//	QuorumServer       principal, keyTab                    who opens it
//
// The ticket proves a principal NAME/HOST@REALM. It is one of a member if HOST is that of a member's address, as
// present members have it and not those of the start (Hosts): whatever the NAME, as in ZooKeeper.
// Tickets are kept and renewed (gssapi.Tickets), so that a KDC is missed only by a member that starts.
//
// Differs from ZooKeeper in that where a login was tried and failed, a member that does not require it closes the
// connection; there it is kept, and the other side closes it. That REALM has to be this member's own; there any
// will do, and a KDC trusted for the users of another realm could name members. That hosts are compared whatever
// their case, and _HOST stands for the host before @REALM too. That the hosts are those of the configuration at present: there
// a member added later is refused until the others are restarted.
//
// Concurrency: a Login may be used from any goroutine, what it begins belongs to one connection. With Kerberos a Login
// has a goroutine and a clock, which are gssapi.Tickets'. Nothing is logged.
//
// Left out: users, and hosts, do not stand for particular members, so that who has one password, or one member's
// keytab, may be any member. And to tell a member that was removed while it was away that it was: it is refused as
// any stranger, before it can ask.
package peerlogin
