package zoocfg

import (
	"path/filepath"

	"holt/server"
)

// auditSettings are the lines of the audit log that matter together.
type auditSettings struct {
	dir, file property
}

// auditKeys are those of the audit log. The names of its file are variables of the
// original's logback.xml, which scripts set by -D.
func auditKeys() []key {
	return []key{
		{name: "audit.enable", check: boolean,
			help: "record who changed what; default false",
			set:  setBool(func(c *server.Config) *bool { return &c.Audit })},
		{name: "auditlog.file", check: given,
			help: "file of the audit log; default none: it goes into the member's log. At 10 MiB it is put aside as FILE.1, of which ten are kept",
			set:  func(r *reader, p property, _ value) { r.audit.file = p }},
		{name: "auditlog.dir", check: given,
			help: "directory of that file; default the working directory",
			set:  func(r *reader, p property, _ value) { r.audit.dir = p }},
		{name: "auditlog.threshold", check: text, note: "not used: everything is recorded"},
		{name: "audit.impl.class", check: auditClass, note: "not needed: the lines are those of Slf4jAuditLogger"},
	}
}

// auditClass refuses classes other than the original's own, which Holt cannot load.
func auditClass(s string) (value, error) {
	return oneOf("org.apache.zookeeper.audit.Slf4jAuditLogger", "org.apache.zookeeper.audit.Log4jAuditLogger")(s)
}

func (r *reader) finishAudit() {
	dir, file := r.audit.dir, r.audit.file
	if dir.value != "" && file.value == "" {
		file = property{value: "zookeeper_audit.log"} // the original's usual name
	}
	switch {
	case file.value == "":
		return
	case !r.cfg.Audit:
		p := r.audit.file
		if p.value == "" {
			p = dir
		}
		r.note(p, "without effect until audit.enable=true")
		return
	case dir.value != "" && !filepath.IsAbs(file.value):
		file.value = filepath.Join(dir.value, file.value)
	}
	r.cfg.AuditFile = clean(file.value)
}
