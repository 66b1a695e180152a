package peerlogin

import (
	"fmt"
	"strings"

	"holt/sasl"
)

// The names of the two sections unless zoo.cfg says others.
const (
	LearnerSection = "QuorumLearner"
	ServerSection  = "QuorumServer"
)

// Sections are a JAAS file's, and the names of the two that are about members.
type Sections struct {
	File            map[string][]sasl.LoginModule
	Learner, Server string
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
	if password, ok := c.Users[c.User]; !ok || password != c.Password {
		notes = append(notes, fmt.Sprintf("the user %q of section %s is not one of section %s, or has another password there: members with the same file refuse this one",
			c.User, s.Learner, s.Server))
	}
	return nil, notes
}

func (c *Config) readLearner(s Sections) []Problem {
	m, wrong := module(s.File, s.Learner, `username="zk" password="..."`)
	if wrong != nil {
		return []Problem{*wrong}
	}
	c.User, c.Password = m[0].Options["username"], m[0].Options["password"]
	if c.User == "" || c.Password == "" {
		return []Problem{{fmt.Sprintf("section %s has no username and password", s.Learner), `add username="zk" password="..."`}}
	}
	return nil
}

func (c *Config) readServer(s Sections) []Problem {
	modules, wrong := module(s.File, s.Server, `user_zk="..."`)
	if wrong != nil {
		return []Problem{*wrong}
	}
	c.Users = map[string]string{}
	for _, m := range modules {
		for user, password := range m.PlainUsers() {
			c.Users[user] = password
		}
	}
	if len(c.Users) == 0 {
		return []Problem{{fmt.Sprintf("section %s has no user_NAME=\"password\", so no member could log in", s.Server), `add user_zk="..."`}}
	}
	return nil
}

// module returns a section all of whose modules are for DIGEST-MD5, or what is wrong with it.
func module(file map[string][]sasl.LoginModule, name, options string) ([]sasl.LoginModule, *Problem) {
	modules := file[name]
	if len(modules) == 0 {
		return nil, &Problem{"there is no section " + name,
			fmt.Sprintf("add %s { org.apache.zookeeper.server.auth.%s required %s; };", name, digestClass, options)}
	}
	for _, m := range modules {
		switch m.Class[strings.LastIndex(m.Class, ".")+1:] {
		case digestClass:
		case kerberosClass:
			return nil, &Problem{fmt.Sprintf("section %s has %s: members of Holt do not log in by Kerberos", name, kerberosClass),
				fmt.Sprintf("use %s in both sections, or certificates (sslQuorum=true)", digestClass)}
		default:
			return nil, &Problem{fmt.Sprintf("section %s has %s, a Java class, which Holt cannot load", name, m.Class), "use " + digestClass}
		}
	}
	return modules, nil
}
