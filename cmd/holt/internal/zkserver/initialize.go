package zkserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// marker is the file that says that a data directory was made on purpose.
const marker = "initialize"

// holtData are the entries of a data or log directory that are Holt's, as
// patterns, with what an import, a backup or a restore that was cut short leaves:
// no member starts beside founding. version-2 is ZooKeeper's.
var holtData = [...]string{"tree*", "raft", "incarnation", "founding*", "checkpoints", "at-rest-*", "restore-*", "snapshot-tree", marker}

// Initialize runs zkServer-initialize.sh with its arguments and returns the exit
// code: it makes the directories of a new server and writes its id.
func (s *Script) Initialize(args []string) int {
	args, err := s.environment(args)
	if err != nil {
		s.warn("%v", err)
		return 1
	}
	id, force := "", false
	for len(args) > 0 && args[0] != "" {
		name, value, inline := strings.Cut(args[0], "=")
		args = args[1:]
		switch {
		case name == "--configfile" || name == "--myid":
			if !inline && len(args) > 0 {
				value, args = args[0], args[1:]
			}
			if name == "--myid" {
				id = value
			} else {
				s.cfg = value
			}
		case name == "--force" && !inline:
			force = true
		case (name == "-h" || name == "--help") && !inline:
			return s.initializeUsage()
		default:
			s.say("Unknown option: %s", name)
			return s.initializeUsage()
		}
	}
	return s.initialize(id, force)
}

func (s *Script) initializeUsage() int {
	s.say(`usage: %s <parameters>
  Optional parameters:
     -h                                                    Display this message
     --help                                                Display this message
     --configfile=%-40s ZooKeeper config file
     --myid=#                                              Set the myid to be used, if any (1-255)
     --force                                               Force creation of the data/txnlog dirs`, s.Name, s.cfg)
	return 1
}

func (s *Script) initialize(id string, force bool) int {
	settings, err := s.settings()
	if err != nil {
		s.say("Unable to find config file at %s", s.cfg)
		return 1
	}
	data, log := settings["dataDir"], settings["dataLogDir"]
	if data == "" {
		s.say("Unable to determine dataDir from %s", s.cfg)
		return 1
	}
	if force {
		s.say("Force enabled, data/txnlog directories will be re-initialized")
	} else {
		if used(data) {
			s.say("ZooKeeper data directory already exists at %s (or use --force to force re-initialization)", data)
			return 1
		}
		if log != "" && used(log) {
			s.say("ZooKeeper txnlog directory already exists at %s (or use --force to force re-initialization)", log)
			return 1
		}
	}
	for _, dir := range []string{data, log} {
		if dir == "" {
			continue
		}
		if err := s.makeEmpty(dir); err != nil {
			s.warn("%v", err)
			return 1
		}
	}
	if err := os.WriteFile(filepath.Join(data, marker), nil, 0o644); err != nil {
		s.warn("%v", err)
		return 1
	}
	if id == "" {
		s.say("No myid provided, be sure to specify it in %s/myid if using non-standalone", data)
		return 0
	}
	s.say("Using myid of %s", id)
	if err := os.WriteFile(filepath.Join(data, "myid"), []byte(id+"\n"), 0o644); err != nil {
		s.warn("%v", err)
		return 1
	}
	return 0
}

// used says whether a directory holds a server's data, Holt's or ZooKeeper's.
func used(dir string) bool {
	for _, pattern := range append([]string{"version-2"}, holtData[:]...) {
		if found, err := filepath.Glob(filepath.Join(dir, pattern)); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// makeEmpty makes a directory, or removes Holt's data from it.
func (s *Script) makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, pattern := range append([]string{"myid"}, holtData[:]...) {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return fmt.Errorf("look for %s in %s: %w", pattern, dir, err)
		}
		for _, path := range found {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	if exists(filepath.Join(dir, "version-2")) {
		s.warn("%s is left as it is: it is ZooKeeper's data, which Holt does not read", filepath.Join(dir, "version-2"))
	}
	return nil
}
