package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseOptions(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"", "localhost:2181 30000"},
		{"ls /", "localhost:2181 30000 > ls /"},
		{"-server a:1,b:2/c ls / -s", "a:1,b:2/c 30000 > ls / -s"},
		{"-timeout 5 -r -waitforconnection get /", "localhost:2181 5 r wait > get /"},
		{"-client-configuration f -o json", "localhost:2181 30000 f json"},
		{"-server", "localhost:2181 30000 missing -server"},
		{"-r -bogus -server a ls", "a 30000 r unknown -bogus > ls"},
		{"--tls --ca c --cert d --key e ls /", "localhost:2181 30000 tls {true c d e  } > ls /"},
		{"--jaas j --mechanism m ls /", "localhost:2181 30000 jaas j m > ls /"},
		{"--no-color -h", "localhost:2181 30000 nocolour help"},
		{"-o xml", "error option -o: unknown format \"xml\": want text, json or yaml"},
		{"- ls", "localhost:2181 30000 unknown - > ls"},
	} {
		if got := describe(parseOptions(strings.Fields(tt.args))); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.args, got, tt.want)
		}
	}
}

// describe writes options that are not the default.
func describe(o options, err error) string {
	if err != nil {
		return "error " + err.Error()
	}
	s := o.servers + " " + o.timeoutMillis
	add := func(is bool, text string) {
		if is {
			s += " " + text
		}
	}
	add(o.readOnly, "r")
	add(o.wait, "wait")
	add(o.configuration != "", o.configuration)
	add(o.reach.TLS, fmt.Sprint("tls ", o.reach))
	add(o.reach.JAAS != "", "jaas "+o.reach.JAAS+" "+o.reach.Mechanism)
	add(o.format != "text", string(o.format))
	add(o.noColour, "nocolour")
	add(o.help, "help")
	add(o.missing != "", "missing "+o.missing)
	add(len(o.unknown) > 0, "unknown "+strings.Join(o.unknown, " "))
	add(len(o.command) > 0, fmt.Sprint("> ", strings.Join(o.command, " ")))
	return s
}
