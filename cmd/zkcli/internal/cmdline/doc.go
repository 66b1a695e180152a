// Package cmdline takes command lines apart the way zkCli.sh does: a line into
// words, and words into options and arguments of a command.
//
//	"set -v 3 /a 'two words'" ──Split──▶ set, -v, 3, /a, two words
//	                                      │
//	                          Syntax.Parse ▼
//	                          Args: set, /a, two words   Value("v"): 3
//
// Words are split by the pattern of ZooKeeperMain and options read by the rules of
// Apache Commons CLI 1.5 (DefaultParser), which zkCli.sh uses; the texts of
// errors and of option tables are theirs too, since scripts look for them. An
// option has one dash and a name of one or more letters; single letters may be
// put together (-sw), and a value may follow as -v3, -v=3 or -v 3.
//
// Everything here is a pure function of its arguments and may be called from any
// goroutine. A Syntax must not change once it is in use.
//
// Left out: long options with two dashes and options with several values, which
// no command of zkCli.sh has.
package cmdline
