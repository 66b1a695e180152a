// Package render turns results into what people and programs read: the text of
// zkCli.sh, or JSON and YAML.
//
// A command hands each Result to Output.Emit. A result is data first, of which JSON
// is one line and YAML one document; and it knows its text form. Data goes to the first writer and talk to the second, so that
// a pipe receives data alone; in text form the lines that zkCli.sh prints to the
// other of the two go there too.
//
//	command ──Result──▶ Output.Emit ──Text──▶ Result.Text ──▶ out, err
//	                         ├───────JSON──▶ encoding/json ──▶ out
//	                         └───────YAML──▶ the same, rewritten ──▶ out
//
// An Output may be used from several goroutines: events are printed while a
// command runs. Each call writes its text whole. The first error of a writer is
// kept (Err) and nothing more is written after it.
//
// Left out: reading of any of these forms.
package render
