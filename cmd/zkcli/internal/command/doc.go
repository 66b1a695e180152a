// Package command holds the commands of the command line: those of zkCli.sh 3.9,
// and some beyond it.
//
// A Command is its name, its usage text, its options and a function. All finds a
// Command by name; Run takes the words of a line, parses them and calls it:
//
//	words ──▶ All.Find ──▶ Syntax.Parse ──▶ Command.run(Call) ──▶ results to Env.Out
//	                                              └──▶ *Failure: text and exit code
//
// What a command of the original prints and how it fails is the original's, word
// for word; each function names the Java class it follows. Where following it
// would mean to die with a stack trace, there is a sentence instead.
//
// Commands marked Extra do not exist in the original, and options marked so
// neither. They appear in Help and not in Usage.
//
// A Command never changes and may run several times at once. A Call belongs to one
// goroutine.
//
// Left out: the commands that are about the command line itself (history, redo,
// connect, quit, printwatches): package shell.
package command
