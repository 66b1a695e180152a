package setting

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Type is the type of a setting's value, numbered as in DescribeConfigs.
type Type int8

// The types.
const (
	Boolean  Type = 1
	String   Type = 2
	Int      Type = 3
	Short    Type = 4
	Long     Type = 5
	Double   Type = 6
	List     Type = 7
	Class    Type = 8
	Password Type = 9
)

func (t Type) String() string {
	names := [...]string{1: "boolean", 2: "string", 3: "int", 4: "short", 5: "long", 6: "double", 7: "list", 8: "class", 9: "password"}
	if t < Boolean || t > Password {
		return fmt.Sprintf("Type(%d)", int8(t))
	}
	return names[t]
}

// Update is how a broker setting may change while brokers run.
type Update uint8

// The ways, as Kafka's documentation calls them.
const (
	ReadOnly    Update = iota // in the file only
	PerBroker                 // for one broker
	ClusterWide               // for one broker or for all
)

func (u Update) String() string {
	return [...]string{"read-only", "per-broker", "cluster-wide"}[u]
}

// Setting is one setting. It must not be changed.
type Setting struct {
	Name string
	Type Type
	// Default is what holds if nothing is set; None: nothing does (null).
	Default string
	Update  Update // of a broker setting
	// Doc says in a line or two what it is for.
	Doc string
	// Synonyms, of a topic setting, are the broker settings that say what holds if
	// the topic does not; the last one has the default. Scale is what the value of one
	// is to be multiplied by.
	Synonyms []Synonym

	min, max float64 // of numbers; both 0: what the type holds
	words    []string
	form     form // nil: any
}

// Synonym is a broker setting that stands in for a topic's.
type Synonym struct {
	Name  string
	Scale int64 // milliseconds by hour or minute, else 1
}

// None is the default of a setting that has none, which the protocol tells as null.
const None = "\x00"

// ofTopic reports whether this is a topic setting: no broker setting has synonyms, and
// those of topics without any have no namesake.
func (s *Setting) ofTopic() bool { return len(s.Synonyms) > 0 || Broker(s.Name) == nil }

// Sensitive reports whether the value is never to be shown.
func (s *Setting) Sensitive() bool { return s.Type == Password }

// Check reports what is wrong with a value, in words for whoever set it.
func (s *Setting) Check(value string) error {
	value = strings.TrimSpace(value)
	if err := s.checkType(value); err != nil || s.form == nil {
		return err
	}
	if why := s.form(value); why != "" {
		return s.invalid(value, why)
	}
	return nil
}

func (s *Setting) checkType(value string) error {
	switch s.Type {
	case Boolean:
		if v := strings.ToLower(value); v != "true" && v != "false" {
			return s.invalid(value, "not true or false")
		}
	case Int, Short, Long:
		bits := map[Type]int{Int: 32, Short: 16, Long: 64}[s.Type]
		n, err := strconv.ParseInt(value, 10, bits)
		if err != nil {
			return s.invalid(value, fmt.Sprintf("not a number of type %s", s.Type))
		}
		return s.inRange(value, float64(n))
	case Double:
		f, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(f) {
			return s.invalid(value, "not a number")
		}
		return s.inRange(value, f)
	case List:
		if len(s.words) == 0 {
			return nil
		}
		for _, word := range Words(value) {
			if !slices.Contains(s.words, word) {
				return s.invalid(value, "each must be one of "+strings.Join(s.words, ", "))
			}
		}
		if len(Words(value)) == 0 {
			return s.invalid(value, "it must not be empty")
		}
	case String:
		if len(s.words) > 0 && !slices.Contains(s.words, value) {
			return s.invalid(value, "must be one of "+strings.Join(s.words, ", "))
		}
	}
	return nil
}

func (s *Setting) inRange(value string, n float64) error {
	if s.min == 0 && s.max == 0 {
		return nil
	}
	if n < s.min {
		return s.invalid(value, fmt.Sprintf("must be at least %s", number(s.min)))
	}
	if n > s.max {
		return s.invalid(value, fmt.Sprintf("must be at most %s", number(s.max)))
	}
	return nil
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (s *Setting) invalid(value, why string) error {
	//lint:ignore ST1005 clients see it, and this is how Kafka puts it
	return fmt.Errorf("Invalid value %s for configuration %s: %s", value, s.Name, why)
}

// Words parts a list's value.
func Words(value string) []string {
	var out []string
	for word := range strings.SplitSeq(value, ",") {
		if word = strings.TrimSpace(word); word != "" {
			out = append(out, word)
		}
	}
	return out
}

// ranged, atLeast and oneOf bound a setting's values.
func (s Setting) ranged(min, max float64) Setting {
	s.min, s.max = min, max
	return s
}

func (s Setting) atLeast(min float64) Setting { return s.ranged(min, math.MaxFloat64) }

func (s Setting) oneOf(words ...string) Setting {
	s.words = words
	return s
}

// Broker returns the broker setting of a name, nil if there is none.
func Broker(name string) *Setting { return find(brokerSettings[:], name) }

// Topic returns the topic setting of a name, nil if there is none.
func Topic(name string) *Setting { return find(topicSettings[:], name) }

// BrokerSettings returns all broker settings in the order of their names.
func BrokerSettings() []Setting { return slices.Clone(brokerSettings[:]) }

// TopicSettings returns all topic settings in the order of their names.
func TopicSettings() []Setting { return slices.Clone(topicSettings[:]) }

// find looks in a sorted list.
func find(list []Setting, name string) *Setting {
	i, ok := slices.BinarySearchFunc(list, name, func(s Setting, name string) int { return strings.Compare(s.Name, name) })
	if !ok {
		return nil
	}
	return &list[i]
}
