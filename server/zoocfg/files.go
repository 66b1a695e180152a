package zoocfg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holt/server/membership"
	"holt/wire/javaprops"
)

// Files keeps a member's configuration in step with changes of the ensemble, so that the member and
// whoever reads its files find the members of the last one:
//
//	zoo.cfg                       without server lines; dynamicConfigFile=/conf/zoo.cfg.dynamic.<version>
//	zoo.cfg.bak                   zoo.cfg as it was before the first change
//	zoo.cfg.dynamic.<version>     the server lines, sorted; each version a file of its own
//
// Each file is replaced as a whole, zoo.cfg last: after a crash it names a file that is
// complete. ZooKeeper: QuorumPeer.setQuorumVerifier, QuorumPeerConfig.editStaticConfig.
// Differs from ZooKeeper: comments and the order of lines stay, and there is no
// zoo.cfg.dynamic.next, which there holds a change that is under way: the Raft log does.
type Files struct{ path string }

// NewFiles returns the files of the configuration at path.
func NewFiles(path string) (*Files, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	return &Files{path}, nil
}

// Backup copies a configuration that has its own server lines to zoo.cfg.bak. At the start of a
// member.
func (f *Files) Backup() error {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("back up the configuration: %w", err)
	}
	props, err := parseProperties(f.path, string(text))
	if err != nil || slices.ContainsFunc(props, func(p property) bool { return p.key == "dynamicConfigFile" }) {
		return nil // Read says what is wrong with it
	}
	if err := f.write(f.path+".bak", string(text)); err != nil {
		return fmt.Errorf("back up the configuration: %w", err)
	}
	return nil
}

// Update writes the members down, for the member self, which must be one of them.
func (f *Files) Update(e *membership.Ensemble, self uint64) error {
	dynamic := fmt.Sprintf("%s.dynamic.%x", f.path, e.Version)
	lines := slices.Clone(e.Lines())
	slices.Sort(lines)
	text := strings.Join(lines, "\n")
	if old, err := os.ReadFile(dynamic); err != nil || string(old) != text {
		if err := f.write(dynamic, text); err != nil {
			return fmt.Errorf("write down the members: %w", err)
		}
	}
	old, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	me, _ := e.Find(self)
	if text := pointTo(string(old), dynamic, me.ClientPort != 0); text != string(old) {
		if err := f.write(f.path, text); err != nil {
			return fmt.Errorf("change the configuration: %w", err)
		}
	}
	return nil
}

// pointTo returns a configuration that names the dynamic file, without what that file says:
// with clientPort, the address for clients, too.
func pointTo(text, dynamic string, clientPort bool) string {
	// Lines that cannot be read stay: Read complains about them.
	props, _ := javaprops.Parse("", text)
	var b strings.Builder
	end := 0
	for _, p := range props {
		if movesAway(strings.TrimSpace(p.Key), clientPort) {
			b.WriteString(text[end:p.Start])
			end = p.End
		}
	}
	b.WriteString(text[end:])
	kept := b.String()
	if kept != "" && !strings.HasSuffix(kept, "\n") {
		kept += "\n"
	}
	return kept + "dynamicConfigFile=" + filepath.ToSlash(dynamic) + "\n"
}

func movesAway(key string, clientPort bool) bool {
	for _, prefix := range []string{"server.", "group", "weight", "dynamicConfigFile", "peerType"} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return clientPort && (key == "clientPort" || key == "clientPortAddress")
}

// write replaces a file as a whole, with the permissions of the configuration, which may hold
// secrets.
func (f *Files) write(name, text string) (err error) {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(f.path); err == nil {
		mode = info.Mode().Perm()
	}
	tmp := name + ".tmp"
	file, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err == nil {
		err = file.Chmod(mode)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
