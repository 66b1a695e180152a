package znodetest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"holt/wire"
	"holt/znode"
)

// args are the words of a directive or command: a path, and key=value or bare
// keys. A path or value may be quoted as in Go.
type args struct {
	t      *testing.T
	path   string
	values map[string]string
}

func parseArgs(t *testing.T, line string) args {
	a := args{t: t, values: map[string]string{}}
	for _, w := range splitWords(line) {
		k, v, _ := strings.Cut(w, "=")
		if w[0] == '/' || w[0] == '"' {
			a.path = unquote(t, w)
		} else {
			a.values[k] = unquote(t, v)
		}
	}
	return a
}

// splitWords splits at blanks outside of quotes.
func splitWords(line string) (words []string) {
	quoted, start := false, -1
	for i := 0; i <= len(line); i++ {
		if i == len(line) || line[i] == ' ' && !quoted {
			if start >= 0 {
				words = append(words, line[start:i])
				start = -1
			}
			continue
		}
		if start < 0 {
			start = i
		}
		if line[i] == '"' && line[i-min(i, 1)] != '\\' {
			quoted = !quoted
		}
	}
	return words
}

func unquote(t *testing.T, s string) string {
	if !strings.HasPrefix(s, `"`) {
		return s
	}
	u, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return u
}

func (a args) has(key string) bool {
	_, ok := a.values[key]
	return ok
}

func (a args) int(key string, otherwise int) int {
	v, ok := a.values[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 0, 64)
	if err != nil {
		a.t.Fatalf("%s=%s: %v", key, v, err)
	}
	return int(n)
}

func (a args) caller() znode.Caller {
	by := znode.Caller{
		Session: wire.SessionID(a.int("session", 1)),
		SkipACL: a.has("skip-acl"), EnforceQuota: a.has("enforce-quota"), ExtendedTypes: !a.has("no-ttl"),
	}
	for _, id := range strings.Split(a.values["ids"], ",") {
		if scheme, id, ok := strings.Cut(id, ":"); ok {
			by.Identities = append(by.Identities, wire.Identity{Scheme: scheme, ID: id})
		}
	}
	return by
}

// acl reads scheme:id:perms,..., the id of which may hold colons; "none" is an empty list.
func (a args) acl() []wire.ACL {
	text, ok := a.values["acl"]
	if !ok {
		return wire.OpenACL()
	}
	if text == "none" {
		return nil
	}
	var acl []wire.ACL
	for _, entry := range strings.Split(text, ",") {
		scheme, rest, _ := strings.Cut(entry, ":")
		at := strings.LastIndex(rest, ":")
		if at < 0 {
			a.t.Fatalf("acl %s: want scheme:id:perms", entry)
		}
		var perms wire.Perms
		for _, c := range rest[at+1:] {
			perms |= map[rune]wire.Perms{'c': wire.PermCreate, 'd': wire.PermDelete, 'r': wire.PermRead,
				'w': wire.PermWrite, 'a': wire.PermAdmin}[c]
		}
		acl = append(acl, wire.ACL{Perms: perms, Identity: wire.Identity{Scheme: scheme, ID: rest[:at]}})
	}
	return acl
}

// data is empty if there is no data=..., null if it says so.
func (a args) data() []byte {
	switch v := a.values["data"]; {
	case v == "null":
		return nil
	case a.has("size"):
		return []byte(strings.Repeat("x", a.int("size", 0)))
	default:
		return append([]byte{}, v...)
	}
}

// flags are those of the words that say what kind of node to create.
func (a args) flags() int32 {
	switch {
	case a.has("flags"):
		return int32(a.int("flags", 0))
	case a.has("ttl") && a.has("sequential"):
		return int32(wire.ModePersistentSequentialWithTTL)
	case a.has("ttl"):
		return int32(wire.ModePersistentWithTTL)
	case a.has("container"):
		return int32(wire.ModeContainer)
	case a.has("ephemeral") && a.has("sequential"):
		return int32(wire.ModeEphemeralSequential)
	case a.has("ephemeral"):
		return int32(wire.ModeEphemeral)
	case a.has("sequential"):
		return int32(wire.ModePersistentSequential)
	}
	return 0
}

func (s *Script) parseCommands(input string) (cmds []Command) {
	for line := range strings.Lines(input) {
		line = strings.TrimRight(line, "\n")
		c := s.parseCommand(strings.TrimSpace(line))
		if strings.HasPrefix(line, " ") {
			multi := &cmds[len(cmds)-1]
			multi.Ops = append(multi.Ops, c)
		} else {
			cmds = append(cmds, c)
		}
	}
	return cmds
}

// parseCommand reads one command: a word, the path, and
//
//	create [data= size= acl= ephemeral sequential container ttl= flags= op=]
//	delete, set, set-acl, check [version=], set also data, set-acl also acl
//	reap [never-used=], config [data=], close [session=], multi
//
// The session and the rest of the caller are those of the last "as", unless session= or ids= say otherwise.
func (s *Script) parseCommand(line string) Command {
	word, rest, _ := strings.Cut(line, " ")
	a := parseArgs(s.t, rest)
	c := Command{By: s.by, Path: a.path, Version: int32(a.int("version", -1)), TTL: -1}
	if a.has("session") || a.has("ids") {
		c.By = a.caller()
	}
	switch word {
	case "create":
		c.Op, c.Data, c.ACL, c.Flags = wire.OpCreate, a.data(), a.acl(), a.flags()
		switch {
		case a.has("container"):
			c.Op = wire.OpCreateContainer
		case a.has("ttl"):
			c.Op, c.TTL = wire.OpCreateTTL, int64(a.int("ttl", 0))
		}
		if a.has("op") {
			c.Op = wire.OpCode(a.int("op", 0))
		}
	case "delete":
		c.Op = wire.OpDelete
	case "set":
		c.Op, c.Data = wire.OpSetData, a.data()
	case "set-acl":
		c.Op, c.ACL = wire.OpSetACL, a.acl()
	case "check":
		c.Op = wire.OpCheck
	case "reap":
		c.Op, c.TTL = wire.OpDeleteContainer, int64(a.int("never-used", 0))
	case "config":
		c.Op, c.Data = wire.OpReconfig, a.data()
	case "close":
		c.Op = wire.OpCloseSession
	case "multi":
		c.Op = wire.OpMulti
	default:
		panic(fmt.Sprintf("no such command: %s", line))
	}
	return c
}
