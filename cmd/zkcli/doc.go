// Command zkcli is a command line for ZooKeeper-protocol servers, Holt and Apache
// ZooKeeper alike. It takes every command line of zkCli.sh 3.9 and answers it with the same
// text and the same exit code; and it has more: other output formats, commands for whole
// subtrees, a stream of changes.
//
//	args ──▶ options ──▶ app: session, output ──▶ shell ──▶ exit code
//
// This package is glue: options, files, signals and exit codes. What it does is in the
// packages below internal:
//
//	cmdline    lines into words, options and arguments
//	command    the commands
//	shell      history, prompt, line editing, completion
//	session    one session over many connections
//	subtree    whole subtrees: walk, copy, move, export, import
//	render     text, JSON and YAML
//	clientcfg  TLS settings in ZooKeeper's client configuration
//	properties Java's .properties text
//
// One process has one shell and, at a time, one session; see those packages for their
// goroutines.
package main
