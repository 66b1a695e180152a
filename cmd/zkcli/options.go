package main

import (
	"fmt"
	"strings"

	"holt/cmd/internal/clientcfg"
	"holt/cmd/zkcli/internal/render"
)

// options are what stands on the program's command line before the command.
type options struct {
	servers       string
	timeoutMillis string // checked when it is used, as in the original
	readOnly      bool
	wait          bool
	configuration string
	reach         clientcfg.Flags
	format        render.Format
	noColour      bool
	help          bool
	unknown       []string // looks like an option and is none
	missing       string   // the option whose value is missing; what follows it was not read
	command       []string // the first word is the command; empty: read lines
}

// parseOptions reads the words up to the command. What is wrong with them is for the
// caller to say: the original goes on. (ZooKeeperMain.MyCommandOptions.parseOptions)
func parseOptions(args []string) (options, error) {
	o := options{servers: "localhost:2181", timeoutMillis: "30000"}
	format := string(render.Text)
	values := map[string]*string{
		"-server": &o.servers, "-timeout": &o.timeoutMillis, "-client-configuration": &o.configuration,
		"-o": &format, "--output": &format,
		"--ca": &o.reach.CA, "--cert": &o.reach.Cert, "--key": &o.reach.Key,
		"--jaas": &o.reach.JAAS, "--mechanism": &o.reach.Mechanism,
	}
	flags := map[string]*bool{
		"-r": &o.readOnly, "-waitforconnection": &o.wait,
		"--no-color": &o.noColour, "-h": &o.help, "-help": &o.help, "--help": &o.help,
		"--tls": &o.reach.TLS,
	}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		name := args[0]
		args = args[1:]
		if value, ok := values[name]; ok {
			if len(args) == 0 {
				o.missing = name
				break
			}
			*value, args = args[0], args[1:]
		} else if flag, ok := flags[name]; ok {
			*flag = true
		} else {
			o.unknown = append(o.unknown, name)
		}
	}
	o.command = args
	f, err := render.ParseFormat(format)
	if err != nil {
		return o, fmt.Errorf("option -o: %w", err)
	}
	o.format = f
	return o, nil
}

const helpText = `zkcli [options] [command [arguments]]

Runs one command, or reads commands from a terminal or a pipe. Takes what zkCli.sh takes.

  -server host:port,...[/chroot]     servers, and a path in front of all paths; localhost:2181
  -timeout ms                        session timeout to ask for; 30000
  -r                                 be content with a server that has lost its quorum
  -waitforconnection                 wait for a server before anything else
  -client-configuration file         ZooKeeper's client properties
  --tls                              use TLS, by the authorities of the system
  --ca file                          use TLS, by the authorities in this file (PEM, JKS, PKCS12)
  --cert file --key file             this client's certificate and key (PEM; may be one file)
  --jaas file                        log in by SASL, by the section Client of this JAAS file
  --mechanism name                   DIGEST-MD5 or SCRAM-SHA-256, for a password
  -o text|json|yaml                  how results are written
  --no-color                         no colours (also: NO_COLOR)

  zkcli -server zk1:2181/app ls /
  zkcli -o json get -s /app/config
  zkcli -server zk1:2281 --ca ca.pem --cert me.pem --key me.key whoami
  zkcli completion bash|zsh|fish|powershell

`
