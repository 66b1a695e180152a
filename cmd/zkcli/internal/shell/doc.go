// Package shell runs command lines: one given to the program, or many that somebody
// types or a script pipes in.
//
//	             ┌───────────── line ◀── Lines ◀── Terminal or Pipe
//	             ▼                                    ▲
//	history, redo, connect, quit, …              prompt │ completion, arrow keys
//	             │                                    │
//	             └──▶ command.Set ──▶ session ──▶ output, events
//
// The numbered history of a session, its prompt, and the commands about the command
// line itself are those of ZooKeeperMain. A Pipe writes prompt and line as if they
// had been typed, which is what the original's line editor does; a Terminal edits
// lines and completes commands, options and paths.
//
// A Shell belongs to one goroutine. Events of its session are printed from another as
// they come; a Terminal draws the line being edited again below them.
//
// Left out: the expansion of ! and ^ that the original's line editor does to a
// line. Values hold these characters, and are not meant to be replaced.
package shell
