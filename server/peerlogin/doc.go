// Package peerlogin is who a member of an ensemble says it is when it connects to another, and whom it takes for a
// member: SASL by DIGEST-MD5 with what two sections of a JAAS file say, as in ZooKeeper.
//
//	JAAS file         zoo.cfg                               here
//	QuorumLearner     quorum.auth.learner.saslLoginContext  Config.User, Password ──▶ Login.Begin   who dials
//	QuorumServer      quorum.auth.server.saslLoginContext   Config.Users          ──▶ Login.Accept  who accepts
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
// without a pause. Other combinations are refused, as there.
//
// Differs from ZooKeeper in one respect: where a login was tried and failed, a member that does not require it closes the
// connection; there it is kept, and the other side closes it.
//
// Concurrency: a Login may be used from any goroutine, what it begins belongs to one connection. There are no
// goroutines and no clock here, and nothing is logged.
//
// Left out: Kerberos, whose Krb5LoginModule Read reports; users do not stand for members, so that who knows one
// password may be any member.
package peerlogin
