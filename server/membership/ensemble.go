package membership

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"holt/wire"
)

// Ensemble is all members, ascending by id. Never changed once made.
type Ensemble struct {
	Servers []Server
	// Version is the zxid of the change that made it, 0 if there was none.
	Version uint64
}

// Find returns a member, false if there is none of that id.
func (e *Ensemble) Find(id uint64) (Server, bool) {
	i, ok := slices.BinarySearchFunc(e.Servers, id, func(s Server, id uint64) int { return cmp.Compare(s.ID, id) })
	if !ok {
		return Server{}, false
	}
	return e.Servers[i], true
}

// Voters counts the participants.
func (e *Ensemble) Voters() (n int) {
	for i := range e.Servers {
		if !e.Servers[i].Observer {
			n++
		}
	}
	return n
}

// Lines are the servers' lines.
func (e *Ensemble) Lines() []string {
	lines := make([]string, len(e.Servers))
	for i := range e.Servers {
		lines[i] = e.Servers[i].Line()
	}
	return lines
}

// Text is what /zookeeper/config holds.
func (e *Ensemble) Text() string { return Text(strings.Join(e.Lines(), "\n"), e.Version) }

// Text adds the version to servers' lines.
func Text(lines string, version uint64) string {
	if lines == "" {
		return fmt.Sprintf("version=%x", version)
	}
	return fmt.Sprintf("%s\nversion=%x", lines, version)
}

// Parse reads what Text wrote. Empty text is an ensemble without servers.
func Parse(text string) (Ensemble, error) {
	var e Ensemble
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, _ := strings.Cut(line, "=")
		id, isServer := strings.CutPrefix(key, "server.")
		var err error
		switch {
		case line == "":
		case key == "version":
			e.Version, err = strconv.ParseUint(value, 16, 64)
		case isServer:
			var n uint64
			var s Server
			if n, err = strconv.ParseUint(id, 10, 64); err == nil {
				s, err = ParseServer(n, value)
			}
			e.put(s)
		default:
			err = errors.New("unknown key")
		}
		if err != nil {
			return Ensemble{}, fmt.Errorf("line %q: %w", line, err)
		}
	}
	return e, nil
}

// put adds s, in place of a server of its id.
func (e *Ensemble) put(s Server) {
	i, ok := slices.BinarySearchFunc(e.Servers, s.ID, func(s Server, id uint64) int { return cmp.Compare(s.ID, id) })
	if ok {
		e.Servers[i] = s
	} else {
		e.Servers = slices.Insert(e.Servers, i, s)
	}
}

// Refusal is why a change is none: the outcome for the client, and the cause, for the operator, in words.
type Refusal struct {
	Code  wire.ErrCode
	Cause string
}

func refuse(code wire.ErrCode, format string, args ...any) *Refusal {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}

// unreadable is what the original answers to a server that cannot be read.
func unreadable(id int64, err error) *Refusal {
	code := wire.ErrBadArguments
	if errors.Is(err, errRange) {
		code = wire.ErrMarshallingError
	}
	return refuse(code, "server.%d: %v", id, err)
}

func split(list string) (items []string) {
	for _, item := range strings.Split(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// IDs are the ids of a list like that of the servers that leave, without what is none.
func IDs(list string) (ids []uint64) {
	for _, item := range split(list) {
		if id, err := strconv.ParseUint(item, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// Next is an incremental change: servers that join, or join anew with other addresses or another
// role, and ids that leave, each separated by commas. Ids that leave and are not there are
// ignored. A refusal has the code BadArguments, or, for what the original cannot read either,
// MarshallingError. The version is the caller's to set.
func (e *Ensemble) Next(joining, leaving string) (Ensemble, *Refusal) {
	next := Ensemble{Servers: slices.Clone(e.Servers)}
	for _, item := range split(leaving) {
		id, err := strconv.ParseInt(item, 10, 64)
		if err != nil {
			return Ensemble{}, refuse(wire.ErrMarshallingError, "%.60q, which is to leave, is no id of a server", item)
		}
		next.Servers = slices.DeleteFunc(next.Servers, func(s Server) bool { return s.ID == uint64(id) })
	}
	for _, item := range split(joining) {
		if refusal := next.join(item); refusal != nil {
			return Ensemble{}, refusal
		}
	}
	return next, nil
}

func (e *Ensemble) join(item string) *Refusal {
	parts := split(strings.ReplaceAll(item, "=", ","))
	if len(parts) != 2 {
		return refuse(wire.ErrBadArguments, "%.60q, which is to join, does not have the form server.N=HOST:PORT:PORT;CLIENTPORT", item)
	}
	id, err := strconv.ParseInt(parts[0][strings.LastIndexByte(parts[0], '.')+1:], 10, 64)
	if err != nil {
		return refuse(wire.ErrMarshallingError, "%.60q, which is to join, has no id", item)
	}
	s, err := ParseServer(uint64(id), parts[1])
	if err != nil {
		return unreadable(id, err)
	}
	if s.ClientPort == 0 {
		return refuse(wire.ErrBadArguments, "server.%d has no port for clients: add ;CLIENTPORT", id)
	}
	for i := range e.Servers {
		other := &e.Servers[i]
		for _, a := range s.addresses() {
			if other.ID != s.ID && slices.Contains(other.addresses(), a) {
				return refuse(wire.ErrBadArguments, "server.%d has the address %s of server.%d", id, a, other.ID)
			}
		}
	}
	e.put(s)
	return nil
}

// ValidIDs reports whether every id is 1 to IDMax. Differs from ZooKeeper, which takes any number:
// ids are the top byte of session ids there, too, and clash beyond it.
func (e *Ensemble) ValidIDs() bool {
	for i := range e.Servers {
		if id := e.Servers[i].ID; id < 1 || id > IDMax {
			return false
		}
	}
	return true
}

// Replace is a change as a whole: all servers, separated by commas or line feeds, as in a
// dynamic configuration file. standalone: one voter would be a standalone server
// [standaloneEnabled].
func Replace(members string, standalone bool) (Ensemble, *Refusal) {
	var e Ensemble
	for line := range strings.Lines(strings.ReplaceAll(members, ",", "\n")) {
		key, value := property(line)
		id, isServer := strings.CutPrefix(key, "server.")
		switch {
		case key == "":
		case key == "version":
			if _, err := strconv.ParseUint(value, 16, 63); err != nil {
				return Ensemble{}, refuse(wire.ErrMarshallingError, "version %.60q is no hexadecimal number", value)
			}
		case !isServer: // groups and weights, too
			return Ensemble{}, refuse(wire.ErrBadArguments, "%.60q is no server.N; there are no groups and weights", key)
		default:
			n, err := strconv.ParseInt(id, 10, 64)
			if err != nil {
				return Ensemble{}, refuse(wire.ErrMarshallingError, "%.60q has no id", key)
			}
			s, err := ParseServer(uint64(n), value)
			if err != nil {
				return Ensemble{}, unreadable(n, err)
			}
			e.put(s)
		}
	}
	voters := e.Voters()
	observers := len(e.Servers) - voters
	if voters == 0 && (observers > 0 || !standalone) || voters == 1 && standalone && observers > 0 {
		return Ensemble{}, refuse(wire.ErrMarshallingError, "too few voters: %d, and %d observers", voters, observers)
	}
	return e, nil
}

// property reads a line of a Java properties file, without what such files can do with backslashes.
func property(line string) (key, value string) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' || line[0] == '!' {
		return "", ""
	}
	i := strings.IndexAny(line, "=: \t")
	if i < 0 {
		return line, ""
	}
	return line[:i], strings.TrimLeft(strings.TrimSpace(line[i+1:]), "= \t")
}

// EnoughVoters is the check that follows both: a change to fewer than two voters, one where
// there are no standalone servers, is a bad argument.
func (e *Ensemble) EnoughVoters(standalone bool) bool {
	if standalone {
		return e.Voters() >= 2
	}
	return e.Voters() >= 1
}
