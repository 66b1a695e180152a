package zoocfg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"holt/sasl"
	"holt/server"
	"holt/wire/javaprops"
)

// Options are what a configuration is made of besides the file.
type Options struct {
	// Sources are settings that are in no file; each wins over the file and over
	// the sources before it.
	Sources []Source
	// Defines are the settings of -D, a last source.
	Defines []string
	// MyID, if not 0, stands for the myid file.
	MyID uint64
	// ReadFile reads zoo.cfg and the files it names; default os.ReadFile.
	ReadFile func(name string) ([]byte, error)
}

// Source is a list of settings from outside of files.
type Source struct {
	// Name is what errors, notes and origins call it, as JVMFLAGS.
	Name string
	// Defines are settings as name=value, with or without the prefix
	// zookeeper.; a name alone means true, as with Java.
	Defines []string
	// Shared says that the place holds settings of other programs too, as the
	// flags of a JVM do: a name that is not known and lacks the prefix is noted
	// and no error.
	Shared bool
}

// defaultTickMillis is that of server.Config.
const defaultTickMillis = 3000

// Result is a configuration that was understood.
type Result struct {
	// Config passed Validate; seams and Logger are left to the caller.
	Config server.Config
	// Notes are for the operator: the keys that do not do here what they do in
	// ZooKeeper, in the order of the file.
	Notes []Note
	// given are the settings that count, by key.
	given map[string]property
}

// Note says in one line what Holt does with a setting. Line 0 is a -D setting.
type Note = javaprops.Note

// Error is one thing that is wrong with a configuration.
type Error = javaprops.Error

// Errors are the parts of an error of Read, in order.
func Errors(err error) []*Error {
	var e *Error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Error
		for _, part := range joined.Unwrap() {
			all = append(all, Errors(part)...)
		}
		return all
	}
	switch wrapped := errors.Unwrap(err); {
	case errors.As(err, &e) && wrapped == nil:
		return []*Error{e}
	case wrapped != nil:
		return Errors(wrapped)
	}
	return nil
}

// Read reads the configuration file at path. The error joins an *Error for each
// thing that is wrong, or is that of reading the file.
func Read(path string, opts Options) (*Result, error) {
	if opts.ReadFile == nil {
		opts.ReadFile = os.ReadFile
	}
	text, err := opts.ReadFile(path)
	if err != nil {
		return nil, &Error{File: path, Cause: "cannot be read: " + javaprops.Reason(err),
			Remedy: "name an existing file, or start without one by: holt dev"}
	}
	props, err := parseProperties(path, string(text))
	r := &reader{opts: opts, path: path, server: map[uint64]serverLine{}}
	if err != nil {
		r.errs = append(r.errs, err)
	}
	r.cfg.InitialText = string(text)
	r.settings(props)
	for _, source := range append(opts.Sources, Source{Name: "-D", Defines: opts.Defines}) {
		r.settings(source.properties())
	}
	if err == nil { // else what is missing may stand in the lines that cannot be read
		r.finish()
	}
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	return &Result{Config: r.cfg, Notes: r.notes, given: r.seen}, nil
}

// reader is the state of one Read.
type reader struct {
	opts  Options
	path  string
	cfg   server.Config
	notes []Note
	errs  []error

	// What only makes sense once all is read.
	seen          map[string]property // by key, the one that counts
	server        map[uint64]serverLine
	clientPort    int
	clientHost    string
	securePort    int
	secureHost    string
	sslQuorum     *bool // nil if not given
	peerType      string
	dynamicFile   string
	metrics       metricsSettings
	admin         adminSettings
	audit         auditSettings
	enforceAuth   bool
	enforceScheme []string
	requireSASL   bool
	jaasFile      string
	jaasSection   string
	jaasRead      map[string][]sasl.LoginModule // the file's sections, once it was read
	peerLogin     peerLoginSettings
	krb5Conf      string
	krb5Realm     string
	superUsers    map[string]string // by key
	sasl          server.SASLConfig
}

func (r *reader) note(p property, text string) {
	r.notes = append(r.notes, Note{File: p.file, Line: p.line, Key: p.key, Text: text})
}

func (r *reader) fail(p property, cause, remedy string) {
	r.errs = append(r.errs, &Error{File: p.file, Line: p.line, Cause: cause, Remedy: remedy})
}

// settings takes the properties of one source. A later source wins.
func (r *reader) settings(props []property) {
	if r.seen == nil {
		r.seen = map[string]property{}
	}
	last := map[string]property{}
	for _, p := range props {
		last[p.key] = p
	}
	for _, p := range props {
		if other := last[p.key]; other != p {
			r.note(p, fmt.Sprintf("given again in line %d, which counts", other.line))
			continue
		}
		r.setting(p)
	}
}

func (r *reader) setting(p property) {
	if bare, ok := strings.CutPrefix(p.key, "zookeeper."); ok && p.line > 0 {
		p.key = bare
		r.note(p, "taken without the prefix zookeeper., which is for -D; ZooKeeper would ignore this line")
	}
	k, ok := lookup(p.key)
	if !ok && p.stray {
		r.note(p, "not used: it is no setting of ZooKeeper's")
		return
	}
	if !ok {
		r.fail(p, fmt.Sprintf("unknown key %q", p.key), suggestion(p.key))
		return
	}
	r.seen[p.key] = p
	r.keepProperty(p)
	v, err := k.check(p.value)
	if err != nil {
		r.fail(p, fmt.Sprintf("%s=%s: %v", p.key, shorten(p.value), err), k.remedy(p.key))
		return
	}
	if strings.Contains(p.value, "${") {
		r.note(p, "${...} in a value stands for itself: nothing is put in its place")
	}
	if k.set != nil {
		k.set(r, p, v)
	}
	if k.note != "" {
		r.note(p, k.note)
	}
}

func (s *Source) properties() []property {
	var props []property
	for _, d := range s.Defines {
		name, value, found := strings.Cut(d, "=")
		if !found {
			value = "true"
		}
		key, prefixed := strings.CutPrefix(strings.TrimSpace(name), "zookeeper.")
		props = append(props, property{file: s.Name, key: key, value: strings.TrimSpace(value), stray: s.Shared && !prefixed})
	}
	return props
}

// finish settles what depends on several settings and validates the whole.
func (r *reader) finish() {
	if r.cfg.DataDir == "" {
		r.errs = append(r.errs, &Error{File: r.path, Cause: "dataDir is not set",
			Remedy: "add a line like dataDir=/var/lib/holt"})
	}
	r.finishEnsemble()
	r.finishSecureAddr()
	r.noteRevocation()
	r.finishQuorumTLS()
	r.finishClientAddr()
	r.finishMetrics()
	r.finishSASL()
	r.finishPeerLogin()
	r.finishAdmin()
	r.finishAudit()
	r.finishAuth()
	r.finishTimeouts()
	if len(r.errs) > 0 {
		return // what follows would repeat them in other words
	}
	if err := r.cfg.Validate(); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			r.errs = append(r.errs, &Error{File: r.path, Cause: line})
		}
	}
}

// finishTimeouts compares the bounds of session timeouts, one of which may be
// the default.
func (r *reader) finishTimeouts() {
	least, most, tick := r.cfg.MinSessionTimeoutMillis, r.cfg.MaxSessionTimeoutMillis, r.cfg.TickMillis
	if tick == 0 {
		tick = defaultTickMillis
	}
	if least <= 0 {
		least = 2 * tick
	}
	if most <= 0 {
		most = 20 * tick
	}
	if least <= most {
		return
	}
	p, ok := r.seen["minSessionTimeout"]
	if !ok {
		p = r.seen["maxSessionTimeout"]
	}
	r.fail(p, fmt.Sprintf("the least session timeout is %d ms and the greatest %d ms", least, most),
		"mend minSessionTimeout or maxSessionTimeout, whose defaults are 2 and 20 ticks")
}

// relative is not resolved: like ZooKeeper, a path is relative to the working
// directory and not to the file that names it.
func clean(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Clean(path)
}

func shorten(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}
