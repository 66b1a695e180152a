// Package znodetest puts a znode tree, on its real store, under test: by
// scripts (Script), and by random commands compared with a naive model (Model,
// Generator). For tests only.
//
// # The script language
//
// A test file is a list of directives with their expected output (datadriven). The
// directives are the cases of Script.handle, the commands within an entry those of parseCommand.
//
// # The model
//
// Model does what ZooKeeper does in the plainest way: one map, everything
// recomputed by looking at all of it. It shares no code with package znode but the
// types that say what was asked. Where the two differ, one is wrong.
package znodetest
