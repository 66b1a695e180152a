package zoocfg

import (
	"cmp"
	"errors"
	"fmt"

	"holt/server/peerlogin"
)

// peerLoginSettings are the keys quorum.auth.
type peerLoginSettings struct {
	on, learner, server           bool
	learnerSection, serverSection string
	service                       string
}

// peerLoginKeys are about SASL between members.
func peerLoginKeys() []key {
	return []key{
		{name: "quorum.auth.enableSasl", check: boolean,
			help: "true: members may log in at each other by SASL, with what the JAAS file of java.security.auth.login.config has; default false",
			set:  func(r *reader, _ property, v value) { r.peerLogin.on = v.on }},
		{name: "quorum.auth.learnerRequireSasl", check: boolean,
			help: "true: this member logs in at those it connects to; default false",
			set:  func(r *reader, _ property, v value) { r.peerLogin.learner = v.on }},
		{name: "quorum.auth.serverRequireSasl", check: boolean,
			help: "true: members that do not log in are refused; default false",
			set:  func(r *reader, _ property, v value) { r.peerLogin.server = v.on }},
		{name: "quorum.auth.learner.saslLoginContext", check: text,
			help: "the section of the JAAS file with the user and password of this member, or its principal and keytab; default QuorumLearner",
			set:  func(r *reader, _ property, v value) { r.peerLogin.learnerSection = v.text }},
		{name: "quorum.auth.server.saslLoginContext", check: text,
			help: "the section of the JAAS file with the users that may be members, or the principal and keytab by which tickets are taken; default QuorumServer",
			set:  func(r *reader, _ property, v value) { r.peerLogin.serverSection = v.text }},
		{name: "quorum.auth.kerberos.servicePrincipal", check: servicePrincipal,
			help: "whom a member gets a ticket for that logs in at another by Kerberos: NAME/HOST, the principal of the section QuorumServer there; for `_HOST` stands the host of that member; default zkquorum/localhost",
			set:  func(r *reader, _ property, v value) { r.peerLogin.service = v.text }},
		{name: "quorum.cnxn.threads.size", check: anyNumber, note: "not used: logins between members need no threads of their own"},
	}
}

func servicePrincipal(s string) (value, error) {
	if wrong := peerlogin.ServiceWrong(s); wrong != "" {
		return value{}, errors.New(wrong)
	}
	return text(s)
}

// finishPeerLogin settles whether members log in at each other. Which switches go together, and that both
// sections have to be there, is as in ZooKeeper: QuorumPeerConfig, SaslQuorumAuthServer.
func (r *reader) finishPeerLogin() {
	l := &r.peerLogin
	learner, serverSide := r.seen["quorum.auth.learnerRequireSasl"], r.seen["quorum.auth.serverRequireSasl"]
	switch {
	case l.learner && !l.on:
		r.fail(learner, "quorum.auth.learnerRequireSasl=true without quorum.auth.enableSasl=true", "set it, on all members first")
	case l.server && !l.on:
		r.fail(serverSide, "quorum.auth.serverRequireSasl=true without quorum.auth.enableSasl=true", "set it, on all members first")
	case l.server && !l.learner:
		r.fail(serverSide, "quorum.auth.serverRequireSasl=true without quorum.auth.learnerRequireSasl=true", "set it, on all members first")
	}
	if !l.on {
		return
	}
	p := r.seen["quorum.auth.enableSasl"]
	if r.jaasFile == "" {
		r.fail(p, "quorum.auth.enableSasl=true without a JAAS file",
			fmt.Sprintf("set java.security.auth.login.config to one with sections %s and %s", peerlogin.LearnerSection, peerlogin.ServerSection))
		return
	}
	if r.jaasRead == nil {
		return // what is wrong with it finishSASL has said
	}
	cfg := &peerlogin.Config{LogsIn: l.learner, Required: l.server, Service: l.service}
	sections := peerlogin.Sections{File: r.jaasRead,
		Learner: cmp.Or(l.learnerSection, peerlogin.LearnerSection), Server: cmp.Or(l.serverSection, peerlogin.ServerSection),
		Krb5Conf: r.krb5Path(), Realm: r.defaultRealm}
	for _, m := range r.cfg.Members {
		sections.Hosts = append(sections.Hosts, m.Host)
	}
	if self, ok := r.cfg.Self(); ok {
		sections.Self = self.Host
	}
	wrong, notes := cfg.Read(sections)
	for _, w := range wrong {
		r.errs = append(r.errs, &Error{File: r.jaasFile, Cause: w.Cause, Remedy: w.Remedy})
	}
	for _, text := range notes {
		r.note(p, text)
	}
	r.cfg.PeerLogin = cfg
}
