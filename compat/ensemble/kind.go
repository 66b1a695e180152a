package ensemble

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Kind names the server program that the members of an ensemble run.
type Kind string

const (
	// ZooKeeper is Apache ZooKeeper, in the version of OriginalVersion.
	ZooKeeper Kind = "zookeeper"
	// Holt is the server of this module, built from the working tree.
	Holt Kind = "holt"
)

// HoltAt is Holt as it was at a commit of this repository; see BuildHoltAt.
func HoltAt(commit string) Kind { return atCommit + Kind(commit) }

const atCommit = "holt@"

// ParseKind returns the kind called name, or an error that lists the names.
func ParseKind(name string) (Kind, error) {
	switch k := Kind(name); k {
	case ZooKeeper, Holt:
		return k, nil
	}
	return "", fmt.Errorf("unknown server %q: want %s or %s", name, ZooKeeper, Holt)
}

// program is how the members of one kind are started.
type program interface {
	// command returns the process of a member whose zoo.cfg is at cfgPath; heapMiB is the
	// limit of its heap, 0 for the program's default; properties are those of Config.
	command(cfgPath string, heapMiB int, properties []string) *exec.Cmd
	// settings returns lines of zoo.cfg that only this program wants.
	settings(properties []string) []string
}

// load obtains the program, downloading or building it if need be.
func (k Kind) load(ctx context.Context) (program, error) {
	switch k {
	case ZooKeeper:
		return LoadOriginal(ctx)
	case Holt:
		return loadHolt(ctx)
	}
	if commit, ok := strings.CutPrefix(string(k), atCommit); ok {
		path, err := BuildHoltAt(ctx, commit)
		return holtBinary{path}, err
	}
	return nil, fmt.Errorf("unknown server %q", k)
}
