package network

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync"
)

// misdirected is a client that speaks something else.
type misdirected string

func (m misdirected) Error() string { return string(m) }

// What a client may have taken this port for.
const (
	tlsOnPlaintext   misdirected = "a TLS client on a listener without TLS: set security.protocol of the client to that of the listener, or connect it to one with TLS"
	plaintextOnTLS   misdirected = "a Kafka client without TLS on a TLS listener: set security.protocol of the client to SSL, or SASL_SSL if the listener has that"
	httpOnKafka      misdirected = "an HTTP client on a Kafka listener"
	zookeeperOnKafka misdirected = "a ZooKeeper client on a Kafka listener: it belongs to the port of the coordination service"
)

// mistaken finds a better reason for the failure of the first frame.
func mistaken(err error, first []byte) error {
	if m := recognize(first); m != "" {
		return errors.Join(m, err)
	}
	return err
}

func recognize(first []byte) misdirected {
	switch {
	case len(first) < 3:
	case first[0] == 0x16 && first[1] == 3 && first[2] <= 4:
		return tlsOnPlaintext
	case looksLikeHTTP(first):
		return httpOnKafka
	case looksLikeFourLetterWord(first):
		return zookeeperOnKafka
	}
	return ""
}

func looksLikeHTTP(first []byte) bool {
	for _, verb := range []string{"GET ", "POST", "PUT ", "HEAD", "OPTI", "DELE", "CONN", "PATC", "PRI "} {
		if bytes.HasPrefix(first, []byte(verb)) {
			return true
		}
	}
	return false
}

func looksLikeFourLetterWord(first []byte) bool {
	for _, word := range []string{"ruok", "stat", "srvr", "mntr", "conf", "cons", "envi", "dump", "isro", "wchs"} {
		if bytes.HasPrefix(first, []byte(word)) {
			return true
		}
	}
	return false
}

// zookeeperClient recognizes the connect request of ZooKeeper's protocol: version 0, a
// zxid, a timeout, a session and a password of 16 bytes, perhaps a flag.
func zookeeperClient(frame []byte) error {
	if len(frame) != 44 && len(frame) != 45 {
		return nil
	}
	version, passwd := binary.BigEndian.Uint32(frame), binary.BigEndian.Uint32(frame[24:])
	if version == 0 && passwd == 16 {
		return zookeeperOnKafka
	}
	return nil
}

// tellAgainMillis is how long the same mistake of the same host is not told again.
const tellAgainMillis = 60_000

// mistakes keeps the log readable while somebody repeats a mistake.
type mistakes struct {
	now  func() int64
	mu   sync.Mutex
	told map[[2]string]int64
}

// once returns what to warn of, "" if there is nothing or it was told lately.
func (m *mistakes) once(err error, host string) string {
	var what misdirected
	if !errors.As(err, &what) || !m.tell(string(what), host) {
		return ""
	}
	return "client of something else"
}

func (m *mistakes) tell(what, host string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	key := [2]string{what, host}
	if at, ok := m.told[key]; ok && now-at < tellAgainMillis {
		return false
	}
	if m.told == nil || len(m.told) > 1000 {
		m.told = map[[2]string]int64{}
	}
	m.told[key] = now
	return true
}
