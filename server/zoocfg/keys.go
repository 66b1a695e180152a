package zoocfg

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"holt/wire/javaprops"
)

// key is one row of the key table.
type key struct {
	name  string // or a prefix that ends in a dot, as server.
	check func(string) (value, error)
	help  string // of a used key: what it sets and the default, in docs/configuration.md
	// set puts a value that passed check where it belongs; nil: not used.
	set func(r *reader, p property, v value)
	// note, if not empty, is said about the key wherever it stands.
	note string
}

// value is a checked one, in the form its kind has.
type value struct {
	text   string
	number int64
	on     bool // a boolean that is true, and any other value that is not empty
}

// text takes anything.
func text(s string) (value, error) { return value{text: s, on: s != ""}, nil }

// given takes anything but nothing.
func given(s string) (value, error) {
	if s == "" {
		return value{}, errors.New("no value")
	}
	return text(s)
}

func boolean(s string) (value, error) {
	switch strings.ToLower(s) {
	case "true":
		return value{text: s, on: true}, nil
	case "false":
		return value{text: s}, nil
	}
	return value{}, errors.New("neither true nor false")
}

// yesNo is the form of those settings that the original compares with "yes" or
// "no"; true and false are understood too.
func yesNo(s string) (value, error) {
	switch strings.ToLower(s) {
	case "yes", "true":
		return value{text: s, on: true}, nil
	case "no", "false":
		return value{text: s}, nil
	}
	return value{}, errors.New("neither yes nor no")
}

// number makes the check of a whole number, decimal or 0x hexadecimal.
func number(least, most int64) func(string) (value, error) {
	return func(s string) (value, error) {
		digits, base := s, 10
		if hex, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
			digits, base = hex, 16
		}
		n, err := strconv.ParseInt(digits, base, 64)
		switch {
		case errors.Is(err, strconv.ErrRange):
			return value{}, fmt.Errorf("not a number from %d to %d", least, most)
		case err != nil:
			return value{}, errors.New("not a whole number")
		case n < least || n > most:
			return value{}, fmt.Errorf("not a number from %d to %d", least, most)
		}
		return value{text: s, number: n, on: true}, nil
	}
}

var (
	anyNumber = number(math.MinInt32, math.MaxInt32)
	longCount = number(math.MinInt64, math.MaxInt64)
	port      = number(0, 65535)
)

func fraction(s string) (value, error) {
	if _, err := strconv.ParseFloat(s, 64); err != nil {
		return value{}, errors.New("not a number")
	}
	return value{text: s, on: true}, nil
}

func oneOf(names ...string) func(string) (value, error) {
	return func(s string) (value, error) {
		for _, name := range names {
			if strings.EqualFold(s, name) {
				return value{text: name, on: true}, nil
			}
		}
		return value{}, fmt.Errorf("not one of %s", strings.Join(names, ", "))
	}
}

// remedy is what to do about a value that did not pass the check.
func (k *key) remedy(name string) string {
	if k.set == nil {
		return "mend the value, or remove the line: Holt does not need it"
	}
	return "mend the value, or remove the line for the default"
}

// lookup finds the row of a key: its own, or that of its longest prefix.
func lookup(name string) (*key, bool) {
	k := javaprops.Row(keyTable(), func(k *key) string { return k.name }, name)
	return k, k != nil
}

// keyTable is every key of ZooKeeper 3.9 and of the coming 3.10. It is made
// anew on each call, a few hundred in a process's life, rather than kept in a
// package variable.
func keyTable() []key {
	return slices.Concat(usedKeys(), adminKeys(), auditKeys(), tlsKeys(), securityKeys(), peerLoginKeys(), storageKeys(), otherKeys(), strayKeys())
}

// suggestion is the remedy for a key nobody knows.
func suggestion(name string) string {
	var known []string
	for _, k := range keyTable() {
		known = append(known, k.name)
	}
	best := javaprops.Nearest(name, known)
	if best == "" {
		return "remove the line, or look the name up in docs/configuration.md"
	}
	if strings.HasSuffix(best, ".") {
		best += "N"
	}
	return "did you mean " + best + "?"
}
