package peerlogin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"holt/sasl"
	"holt/sasl/gssapi"
)

// The names of the two sections unless zoo.cfg says others.
const (
	LearnerSection = "QuorumLearner"
	ServerSection  = "QuorumServer"
)

// Sections are a JAAS file's, and the names of the two that are about members, with what goes with them.
type Sections struct {
	File            map[string][]sasl.LoginModule
	Learner, Server string
	// Krb5Conf is the path of krb5.conf, Realm the default one; asked if there is a Krb5LoginModule.
	Krb5Conf string
	Realm    func() string
	// Self is the host of this member, "" if it is none of the ensemble's, and Hosts those of all.
	Self  string
	Hosts []string
}

// Problem is one thing that is wrong with the sections, or, as a note, looks like it.
type Problem struct {
	Cause, Remedy string
}

const (
	digestClass   = "DigestLoginModule"
	kerberosClass = "Krb5LoginModule"
)

// Read fills in who this member is and who others may be. What is wrong makes the rest of no use; notes are for the
// operator. Both sections have to be there, as in ZooKeeper, whatever the member does with them yet.
func (c *Config) Read(s Sections) (wrong []Problem, notes []string) {
	wrong = append(c.readLearner(s), c.readServer(s)...)
	if len(wrong) > 0 {
		return wrong, nil
	}
	if c.Ticket != nil {
		return nil, c.doubts(s)
	}
	password, ok := c.Users[c.User]
	switch {
	case len(c.Users) == 0:
		notes = append(notes, fmt.Sprintf("section %s is for DIGEST-MD5 and section %s for Kerberos alone: members with the same file refuse this one", s.Learner, s.Server))
	case !ok || password != c.Password:
		notes = append(notes, fmt.Sprintf("the user %q of section %s is not one of section %s, or has another password there: members with the same file refuse this one",
			c.User, s.Learner, s.Server))
	}
	return nil, notes
}

// doubts are about what other members will say to this one's principals, if they are configured like it.
func (c *Config) doubts(s Sections) (notes []string) {
	if c.Principal == "" {
		notes = append(notes, fmt.Sprintf("section %s is for Kerberos and section %s is not: members with the same file refuse this one", s.Learner, s.Server))
	}
	name, _, _ := strings.Cut(c.Ticket.Principal, "@")
	_, host, _ := strings.Cut(name, "/")
	same := func(h string) bool { return strings.EqualFold(h, host) }
	if c.Ticket.Principal != "" && len(s.Hosts) > 0 && !slices.ContainsFunc(s.Hosts, same) {
		notes = append(notes, fmt.Sprintf("the principal %s of section %s is not of the form NAME/HOST@REALM with the HOST of a server line: members refuse this one", c.Ticket.Principal, s.Learner))
	}
	own, _, _ := strings.Cut(c.Principal, "@")
	if asked := c.serviceOf(s.Self); s.Self != "" && own != "" && asked != own {
		notes = append(notes, fmt.Sprintf("the principal of section %s is %s, and a member with the same quorum.auth.kerberos.servicePrincipal=%s would ask for a ticket for %s", s.Server, c.Principal, c.service(), asked))
	}
	return notes
}

func (c *Config) readLearner(s Sections) []Problem {
	m, wrong := modules(s.File, s.Learner, `username="zk" password="..."`)
	if wrong != nil {
		return []Problem{*wrong}
	}
	if isKerberos(m[0]) {
		c.Ticket, wrong = learnerTicket(m[0], &s)
		if wrong != nil {
			return []Problem{*wrong}
		}
		return nil
	}
	c.User, c.Password = m[0].Options["username"], m[0].Options["password"]
	if c.User == "" || c.Password == "" {
		return []Problem{{fmt.Sprintf("section %s has no username and password", s.Learner), `add username="zk" password="..."`}}
	}
	return nil
}

// learnerTicket takes a keytab, or a ticket cache if there is none.
func learnerTicket(m sasl.LoginModule, s *Sections) (*gssapi.Credentials, *Problem) {
	t := &gssapi.Credentials{Krb5Conf: s.Krb5Conf}
	if on(m, "useTicketCache") && !on(m, "useKeyTab") {
		t.Cache = cmp.Or(strings.TrimPrefix(m.Options["ticketCache"], "FILE:"), gssapi.DefaultCache())
		return t, nil
	}
	var wrong *Problem
	t.Principal, t.Keytab, wrong = principalOf(m, s.Learner, s)
	return t, wrong
}

func (c *Config) readServer(s Sections) []Problem {
	modules, wrong := modules(s.File, s.Server, `user_zk="..."`)
	if wrong != nil {
		return []Problem{*wrong}
	}
	c.Users = map[string]string{}
	for _, m := range modules {
		if isKerberos(m) {
			if c.Principal, c.Keytab, wrong = principalOf(m, s.Server, &s); wrong != nil {
				return []Problem{*wrong}
			}
			continue
		}
		for user, password := range m.PlainUsers() {
			c.Users[user] = password
		}
	}
	if len(c.Users) == 0 && c.Principal == "" {
		return []Problem{{fmt.Sprintf("section %s has no user_NAME=\"password\", so no member could log in", s.Server), `add user_zk="..."`}}
	}
	return nil
}

func on(m sasl.LoginModule, option string) bool { return strings.EqualFold(m.Options[option], "true") }

func isKerberos(m sasl.LoginModule) bool { return classOf(m) == kerberosClass }

func classOf(m sasl.LoginModule) string { return m.Class[strings.LastIndex(m.Class, ".")+1:] }

// principalOf takes the principal of a Krb5LoginModule and the file of its keys.
func principalOf(m sasl.LoginModule, section string, s *Sections) (principal, path string, wrong *Problem) {
	path, principal = strings.TrimPrefix(m.Options["keyTab"], "file:"), m.Options["principal"]
	if principal != "" && !strings.Contains(principal, "@") {
		principal += "@" + s.Realm()
	}
	name, realm, _ := strings.Cut(principal, "@")
	fail := func(cause, remedy string) (string, string, *Problem) {
		return "", "", &Problem{fmt.Sprintf("section %s, %s: %s", section, kerberosClass, cause), remedy}
	}
	switch {
	case path == "":
		return fail("no keyTab", `add useKeyTab=true keyTab="/etc/zookeeper.keytab"`)
	case m.Options["useKeyTab"] != "" && !on(m, "useKeyTab"):
		return fail("useKeyTab=false", "set useKeyTab=true")
	case principal == "" || ServiceWrong(name) != "" || realm == "":
		return fail(fmt.Sprintf("principal=%q is not of the form NAME/HOST@REALM", m.Options["principal"]), `write principal="zkquorum/`+cmp.Or(s.Self, "HOST")+`@`+cmp.Or(realm, "REALM")+`"`)
	}
	return principal, path, nil
}

// modules returns a section all of whose modules are for DIGEST-MD5 or Kerberos, or what is wrong with it.
func modules(file map[string][]sasl.LoginModule, name, options string) ([]sasl.LoginModule, *Problem) {
	modules := file[name]
	if len(modules) == 0 {
		return nil, &Problem{"there is no section " + name,
			fmt.Sprintf("add %s { org.apache.zookeeper.server.auth.%s required %s; };", name, digestClass, options)}
	}
	for _, m := range modules {
		if class := classOf(m); class != digestClass && class != kerberosClass {
			return nil, &Problem{fmt.Sprintf("section %s has %s, a Java class, which Holt cannot load", name, m.Class), "use " + digestClass + " or " + kerberosClass}
		}
	}
	return modules, nil
}
