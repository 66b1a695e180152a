package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// line is what a command line asks for.
type line struct {
	config     string   // path of a zoo.cfg
	properties []string // name=value, as -D of the JVM has them
	front      bool     // clients connect to a front of the server
}

// parse reads the arguments of the program name.
func parse(name string, args []string) (line, error) {
	switch name {
	case "java":
		return parseJava(args)
	case "zkServer.sh":
		if len(args) != 2 || args[0] != "start-foreground" {
			return line{}, fmt.Errorf("want zkServer.sh start-foreground <zoo.cfg>, have %q", args)
		}
		return line{config: args[1], properties: properties(strings.Fields(os.Getenv("SERVER_JVMFLAGS"))), front: true}, nil
	}
	return line{}, fmt.Errorf("run as %q: want java or zkServer.sh", name)
}

func parseJava(args []string) (line, error) {
	const class = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
	for i, arg := range args {
		if arg == class && i == len(args)-2 {
			return line{config: args[i+1], properties: properties(args[:i])}, nil
		}
	}
	return line{}, fmt.Errorf("no %s <zoo.cfg> at the end of %q", class, args)
}

// properties returns the settings among the options of a JVM.
func properties(options []string) []string {
	var set []string
	for _, o := range options {
		if property, ok := strings.CutPrefix(o, "-D"); ok {
			set = append(set, property)
		}
	}
	return set
}

// server is the command that serves by the zoo.cfg at path.
func server(path string, properties []string) (*exec.Cmd, error) {
	program := os.Getenv("SUITE_PROGRAM")
	var args []string
	switch kind := os.Getenv("SUITE_SERVER"); kind {
	case "holt":
		args = []string{"serve", path}
		for _, p := range properties {
			args = append(args, "-D", p)
		}
	case "zookeeper":
		args = []string{"-cp", os.Getenv("SUITE_CLASSPATH"), "-Xmx256m"}
		for _, p := range properties {
			args = append(args, "-D"+p)
		}
		args = append(args, "org.apache.zookeeper.server.quorum.QuorumPeerMain", path)
	default:
		return nil, fmt.Errorf("SUITE_SERVER is %q: want holt or zookeeper", kind)
	}
	return exec.Command(program, args...), nil
}
