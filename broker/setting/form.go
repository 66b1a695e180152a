package setting

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// form says what is wrong with a value that its type and range let pass; "" if nothing is.
type form func(value string) string

// formed has a value be of a form besides.
func (s Setting) formed(f form) Setting {
	s.form = f
	return s
}

// notZero is for a range with a hole in it.
func notZero(value string) string {
	if n, err := strconv.ParseInt(value, 10, 64); err == nil && n == 0 {
		return "must not be 0"
	}
	return ""
}

// release is a version of Kafka, as 3.9 or 3.9-IV0, with or without what comes behind its second
// number (its third, if the first is 0). (Kafka: MetadataVersion.fromVersionString)
func release(value string) string {
	most := 2
	if strings.HasPrefix(value, "0.") {
		most = 3
	}
	if parts := strings.Split(value, "."); len(parts) > most {
		value = strings.Join(parts[:most], ".")
	}
	version, internal, some := strings.Cut(value, "-IV")
	last, known := releases()[version]
	if n, err := strconv.Atoi(internal); !known || some && (err != nil || n < 0 || n > last) {
		return "not a version of Kafka, as 3.9 or 3.9-IV0"
	}
	return ""
}

// releases are the versions that Kafka 3.9 knows, with the last of their internal versions (-IV); -1: none.
func releases() map[string]int {
	return map[string]int{"0.8.0": -1, "0.8.1": -1, "0.8.2": -1, "0.9.0": -1, "0.10.0": 1, "0.10.1": 2, "0.10.2": 0, "0.11.0": 2,
		"1.0": 0, "1.1": 0, "2.0": 1, "2.1": 2, "2.2": 1, "2.3": 1, "2.4": 1, "2.5": 0, "2.6": 0, "2.7": 2, "2.8": 1, "3.0": 1, "3.1": 0,
		"3.2": 0, "3.3": 3, "3.4": 0, "3.5": 2, "3.6": 2, "3.7": 4, "3.8": 0, "3.9": 0, "4.0": 1}
}

// ThrottledReplicas is what a topic's throttled replicas are: all of them, or by partition the brokers.
type ThrottledReplicas struct {
	All         bool
	ByPartition map[int32][]int32
}

// Has reports whether a partition's replica on a broker is one of them.
func (t ThrottledReplicas) Has(partition, broker int32) bool {
	return t.All || slices.Contains(t.ByPartition[partition], broker)
}

// ParseThrottledReplicas reads *, or partition:broker,partition:broker; ok is false if the text is neither.
func ParseThrottledReplicas(text string) (t ThrottledReplicas, ok bool) {
	words := Words(text)
	if slices.Equal(words, []string{"*"}) {
		return ThrottledReplicas{All: true}, true
	}
	for _, word := range words {
		left, right, found := strings.Cut(word, ":")
		p, err := strconv.ParseUint(left, 10, 31)
		b, err2 := strconv.ParseUint(right, 10, 31)
		if !found || err != nil || err2 != nil {
			return ThrottledReplicas{}, false
		}
		if t.ByPartition == nil {
			t.ByPartition = map[int32][]int32{}
		}
		t.ByPartition[int32(p)] = append(t.ByPartition[int32(p)], int32(b))
	}
	return t, true
}

// throttled is a list of replicas. (Kafka: ThrottledReplicaListValidator)
func throttled(value string) string {
	if _, ok := ParseThrottledReplicas(value); !ok {
		return "must be * or replicas as partition:broker,partition:broker"
	}
	return ""
}

var hostForm = regexp.MustCompile(`^[0-9a-zA-Z\-%._:]*$`)

// ByAddress reads address:number,address:number; an address may have colons. why says what cannot be read, "" if nothing.
func ByAddress(text string) (numbers map[string]int, why string) {
	numbers = map[string]int{}
	for _, word := range Words(text) {
		at := strings.LastIndexByte(word, ':')
		n, err := strconv.ParseInt(word[at+1:], 10, 32)
		if at < 1 || err != nil || !hostForm.MatchString(word[:at]) {
			why = "each must be an address and a number, as 127.0.0.1:5"
			continue
		}
		numbers[word[:at]] = int(n)
	}
	return numbers, why
}

func byAddress(value string) string {
	_, why := ByAddress(value)
	return why
}
