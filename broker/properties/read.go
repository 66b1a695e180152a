package properties

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"holt/broker"
	"holt/broker/setting"
	"holt/sasl"
	"holt/wire/javaprops"
)

// Options are what a configuration is made of besides the file.
type Options struct {
	// Overrides are settings as name=value that win over the file (--override).
	Overrides []string
	// JAASFile names a JAAS file with a section KafkaServer, "" for none
	// (-Djava.security.auth.login.config).
	JAASFile string
	// ReadFile reads server.properties and the JAAS file; default os.ReadFile.
	ReadFile func(name string) ([]byte, error)
}

// Result is a configuration that was understood.
type Result struct {
	// Config passed Validate; seams and Logger are left to the caller.
	Config broker.Config
	// Notes are for the operator: the keys that do not do here what they do in Kafka,
	// in the order of the file.
	Notes []Note

	path string
}

// Note says in one line what Holt does with a setting. Line 0 is one that overrides the file.
type Note = javaprops.Note

// Error is one thing that is wrong with a configuration.
type Error = javaprops.Error

// Read reads the file at path. The error joins an *Error for each thing that is wrong.
func Read(path string, opts Options) (*Result, error) {
	if opts.ReadFile == nil {
		opts.ReadFile = os.ReadFile
	}
	text, err := opts.ReadFile(path)
	if err != nil {
		return nil, &Error{File: path, Cause: "cannot be read: " + javaprops.Reason(err), Remedy: "name an existing file"}
	}
	props, err := parse(path, string(text))
	if err != nil {
		return nil, err
	}
	r := &reader{opts: opts, path: path, seen: map[string]property{}}
	r.take(props)
	r.take(r.overrides())
	r.jaas()
	r.finish()
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	return &Result{Config: r.cfg, Notes: r.notes, path: path}, nil
}

// reader is the state of one Read.
type reader struct {
	opts     Options
	path     string
	cfg      broker.Config
	notes    []Note
	errs     []error
	seen     map[string]property // by key, the one that counts
	sections map[string][]sasl.LoginModule
}

func (r *reader) note(p property, text string) {
	r.notes = append(r.notes, Note{File: p.file, Line: p.line, Key: p.key, Text: text})
}

func (r *reader) fail(p property, cause, remedy string) {
	r.errs = append(r.errs, &Error{File: p.file, Line: p.line, Cause: cause, Remedy: remedy})
}

// failKey is about the line of a key, or about the file if the key is not in it.
func (r *reader) failKey(key, cause, remedy string) {
	p, ok := r.seen[key]
	if !ok {
		p = property{file: r.path}
	}
	r.fail(p, cause, remedy)
}

// take takes the properties of one source. A later source wins.
func (r *reader) take(props []property) {
	last := map[string]property{}
	for _, p := range props {
		last[p.key] = p
	}
	for _, p := range props {
		if other := last[p.key]; other != p {
			r.note(p, fmt.Sprintf("given again in line %d, which counts", other.line))
			continue
		}
		if r.known(p) {
			r.seen[p.key] = p
		}
	}
}

// known judges a key and its value.
func (r *reader) known(p property) bool {
	bare := p.key
	if rest, ok := strings.CutPrefix(p.key, "listener.name."); ok {
		// The listener's name has no dot; what follows may begin with a mechanism.
		_, bare, ok = strings.Cut(rest, ".")
		if bare = withoutMechanism(bare); !ok || !byListener(bare) {
			r.fail(p, fmt.Sprintf("%s: no setting of one listener", p.key), "see docs/broker-configuration.md for those that are")
			return false
		}
	}
	if s := setting.Broker(bare); s != nil {
		return r.checked(p, s)
	}
	k, ok := lookup(bare)
	switch {
	case !ok:
		r.fail(p, fmt.Sprintf("unknown key %q", p.key), suggestion(p.key))
		return false
	case k.refuse != "" && k.on(p.value):
		r.fail(p, fmt.Sprintf("%s=%s: %s", p.key, shown(p.key, p.value), k.refuse), "remove the line")
		return false
	}
	r.note(p, k.text())
	return true
}

func (r *reader) checked(p property, s *setting.Setting) bool {
	if p.value == "" && s.Default == setting.None && s.Type != setting.Password {
		// As if it were not there: what templates leave behind.
		return false
	}
	if err := s.Check(p.value); err != nil {
		cause := err.Error()
		if s.Sensitive() {
			cause = p.key + ": the value is not valid"
		}
		r.fail(p, cause, "mend the value, or remove the line for the default")
		return false
	}
	if why := refusedValue(s.Name, p.value); why != "" {
		r.fail(p, fmt.Sprintf("%s=%s: %s", p.key, shown(p.key, p.value), why), "")
		return false
	}
	if p.value != "" && strings.Contains(s.Doc, "not heeded") {
		r.note(p, "shown to clients, without effect here")
	}
	return true
}

func (r *reader) overrides() []property {
	var props []property
	for _, o := range r.opts.Overrides {
		key, value, found := strings.Cut(o, "=")
		if !found {
			r.errs = append(r.errs, &Error{File: "--override", Cause: fmt.Sprintf("%q is not name=value", o)})
			continue
		}
		props = append(props, property{file: "--override", key: strings.TrimSpace(key), value: strings.TrimSpace(value)})
	}
	return props
}

// value returns what a key was set to; "" if it was not.
func (r *reader) value(key string) string { return r.seen[key].value }

// layers looks settings up.
func (r *reader) layers() *setting.Layers {
	file := map[string]string{}
	for key, p := range r.seen {
		if setting.Broker(key) != nil {
			file[key] = p.value
		}
	}
	return &setting.Layers{File: file}
}

// finish makes the configuration of what was read.
func (r *reader) finish() {
	l := r.layers()
	r.cfg.Settings = l.File
	r.identity(l)
	r.zookeeper(l)
	r.listeners(l)
	r.logDirs(l)
	r.cfg.MetricsAddr = l.BrokerText("metrics.listener")
	if _, _, err := net.SplitHostPort(r.cfg.MetricsAddr); r.cfg.MetricsAddr != "" && err != nil {
		r.failKey("metrics.listener", fmt.Sprintf("metrics.listener=%s is not host:port", r.cfg.MetricsAddr), "write for example metrics.listener=127.0.0.1:7070")
	}
	for _, c := range l.Conflicts() {
		r.failKey(c.Name, c.Cause, "mend one of the values")
	}
	if len(r.errs) > 0 {
		return // what follows would repeat them in other words
	}
	if err := r.cfg.Validate(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			r.errs = append(r.errs, &Error{File: r.path, Cause: line})
		}
	}
}

// logDirs reads where the data is. One directory under two names would be opened twice: locks of files
// do not keep a process from itself. Kafka: LogManager.createAndValidateLogDirs.
func (r *reader) logDirs(l *setting.Layers) {
	r.cfg.LogDirs = setting.Words(l.BrokerText("log.dirs"))
	if len(r.cfg.LogDirs) == 0 {
		r.cfg.LogDirs = setting.Words(l.BrokerText("log.dir"))
	}
	seen := map[string]string{}
	for _, dir := range r.cfg.LogDirs {
		at := dir
		if abs, err := filepath.Abs(dir); err == nil {
			at = abs
		}
		if real, err := filepath.EvalSymlinks(at); err == nil {
			at = real
		}
		if other, twice := seen[at]; twice {
			r.failKey("log.dirs", fmt.Sprintf("log.dirs: %s and %s are one directory", other, dir), "name each once")
		}
		seen[at] = dir
	}
}

func (r *reader) identity(l *setting.Layers) {
	id, node := l.BrokerInt("broker.id"), l.BrokerInt("node.id")
	_, broker := r.seen["broker.id"]
	if !broker {
		id = node
	} else if _, both := r.seen["node.id"]; both && id != node {
		r.failKey("node.id", fmt.Sprintf("node.id is %d and broker.id %d", node, id), "remove one of the two lines")
	}
	if id < -1 {
		r.failKey("broker.id", fmt.Sprintf("broker.id=%d is less than -1", id), "give every broker a number of its own, or none")
	}
	if id == -1 && !l.BrokerBool("broker.id.generation.enable") {
		r.failKey("broker.id.generation.enable", "no broker.id, and none is to be generated", "give every broker a number of its own")
	}
	if most := l.BrokerInt("reserved.broker.max.id"); id > most && l.BrokerBool("broker.id.generation.enable") {
		r.failKey("broker.id", fmt.Sprintf("broker.id=%d is more than reserved.broker.max.id=%d", id, most), "raise reserved.broker.max.id, or set broker.id.generation.enable=false")
	}
	r.cfg.ID = int32(id)
	r.cfg.Rack = l.BrokerText("broker.rack")
}
