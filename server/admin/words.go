package admin

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// Word is a four-letter word: the first four bytes of a connection that are
// not the length of a connect request.
type Word [4]byte

const notServing = "This ZooKeeper instance is not currently serving requests"

// words are those ZooKeeper 3.9 registers. orst, lsnp, icfg and others exist in
// its AdminServer alone; on the client port they are an absurd length.
const words = "conf cons crst dirs dump envi gtmk hash isro mntr ruok srst srvr stat stmk wchc wchp wchs"

// ParseWord says whether the first four bytes of a connection are a word.
func ParseWord(first [4]byte) (Word, bool) {
	w := Word(first)
	if w.isTelnetClose() {
		return w, true
	}
	known := strings.Index(words, string(w[:]))
	return w, known >= 0 && known%5 == 0
}

// IsWord says whether name is that of a word, as in a whitelist.
func IsWord(name string) bool { return slices.Contains(strings.Fields(words), name) }

// ArgBytes is the number of bytes that follow the word and belong to it.
func (w Word) ArgBytes() int {
	if string(w[:]) == "stmk" {
		return 8
	}
	return 0
}

// String returns the word as text.
func (w Word) String() string {
	if w.isTelnetClose() {
		return "telnet close"
	}
	return string(w[:])
}

// isTelnetClose recognises what the program telnet sends on Ctrl-C: the
// connection is closed and nothing said.
func (w Word) isTelnetClose() bool { return w == Word{0xff, 0xf4, 0xff, 0xfd} }

// WordsConfig says which words are answered and what they call the server.
type WordsConfig struct {
	// Source is the member that is asked about; required.
	Source Source
	// Whitelist holds words, or "*" for all; srvr is always answered, since
	// zkServer.sh status rests on it. Anything else in it is ignored
	// [4lw.commands.whitelist].
	Whitelist []string
	// Version is the text behind "Zookeeper version: "; default Version().
	Version string
}

// Words answers four-letter words. Its methods may be called from any number of
// goroutines.
type Words struct {
	src     Source
	allowed map[Word]bool // read only after NewWords
	version string
	process processFiles

	// traceMask is what stmk sets and gtmk shows; it has no other effect.
	traceMask atomic.Int64
	// list is held while an answer with a list is made, so that many who ask at
	// once cost the memory and the locks of one.
	list chan struct{}
}

// NewWords returns the answers about a member.
func NewWords(cfg WordsConfig) *Words {
	w := &Words{src: cfg.Source, allowed: map[Word]bool{}, version: cfg.Version, list: make(chan struct{}, 1)}
	if w.version == "" {
		w.version = Version()
	}
	w.traceMask.Store(306) // ZooKeeper: ZooTrace, client requests, sessions, errors and warnings
	for _, name := range append([]string{"srvr"}, cfg.Whitelist...) {
		name = strings.TrimSpace(name)
		for _, known := range strings.Fields(words) {
			if name == known || name == "*" {
				w.allowed[Word([]byte(known))] = true
			}
		}
	}
	return w
}

// Answer returns what the server says to word, after which it closes the
// connection. arg is what came behind the word, ArgBytes of it; a shorter one
// counts as none. Answer may block for as long as another list is being made.
func (w *Words) Answer(word Word, arg []byte) []byte {
	var b []byte
	if word.isTelnetClose() {
		return b
	}
	if !w.allowed[word] {
		return append(b, word.String()+" is not executed because it is not in the whitelist.\n"...)
	}
	switch word.String() {
	case "ruok":
		return append(b, "imok"...)
	case "gtmk":
		return strconv.AppendInt(b, w.traceMask.Load(), 10)
	case "stmk":
		if len(arg) >= word.ArgBytes() {
			w.traceMask.Store(int64(binary.BigEndian.Uint64(arg)))
		}
		return strconv.AppendInt(b, w.traceMask.Load(), 10)
	case "envi":
		return appendEnvironment(b, w.version)
	}
	st := w.src.Status()
	if word.String() == "isro" {
		return appendReadOnly(b, &st)
	}
	if !st.Serving {
		b = append(b, notServing...)
		if word.String() == "hash" {
			return b // the one that forgets the line end
		}
		return append(b, '\n')
	}
	return w.answerServing(b, word, &st)
}

// answerServing answers the words that need a server that serves.
func (w *Words) answerServing(b []byte, word Word, st *Status) []byte {
	switch word.String() {
	case "crst":
		w.src.ResetConnectionStats()
		return append(b, "Connection stats reset.\n"...)
	case "srst":
		w.src.ResetStats()
		return append(b, "Server stats reset.\n"...)
	case "dirs":
		c := w.src.Config()
		return fmt.Appendf(b, "datadir_size: %d\nlogdir_size: %d\n", c.DataDirBytes, c.LogDirBytes)
	case "wchs":
		return fmt.Appendf(b, "%d connections watching %d paths\nTotal watches:%d\n",
			st.WatchConnections, st.WatchPaths, st.Watches)
	case "conf":
		c := w.src.Config()
		return appendConfig(b, &c)
	case "srvr":
		return w.appendServer(b, st)
	case "mntr":
		return w.appendMonitor(b, st)
	}
	w.list <- struct{}{}
	defer func() { <-w.list }()
	switch word.String() {
	case "stat":
		return w.appendStat(b, st)
	case "cons":
		return append(w.appendConnections(b, false), '\n')
	case "dump":
		return w.appendDump(b, st)
	case "wchc":
		return append(appendWatchesBySession(b, w.src.Watches(ListMax), st.Watches), '\n')
	case "wchp":
		return append(appendWatchesByPath(b, w.src.Watches(ListMax), st.Watches), '\n')
	case "hash":
		for _, d := range w.src.Digests() {
			b = fmt.Appendf(b, "%x: %d\n", uint64(d.Zxid), d.Value)
		}
	}
	return b
}

func appendReadOnly(b []byte, st *Status) []byte {
	switch {
	case !st.Serving:
		return append(b, "null"...)
	case st.Mode == ReadOnly:
		return append(b, "ro"...)
	}
	return append(b, "rw"...)
}

// appendCut ends a list that is longer than its bound.
func appendCut(b []byte, shown, total int) []byte {
	if shown >= total {
		return b
	}
	return fmt.Appendf(b, "... %d more are not shown (Holt lists at most %d)\n", total-shown, ListMax)
}
