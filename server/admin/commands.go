package admin

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Access is what came of the credentials of an HTTP request.
type Access uint8

// The outcomes, in the order of the checks.
const (
	// NotAuthenticated: the scheme is unknown or refuses the credentials.
	NotAuthenticated Access = iota
	// NotAuthorized: the identities do not have every permission on "/".
	NotAuthorized
	// Granted: they do.
	Granted
)

// CommandsConfig says which commands are answered and to whom.
type CommandsConfig struct {
	// Words answers for the same member; the trace mask and the turn of making
	// a list are shared with it. Required.
	Words *Words
	// Authorize judges the credentials of a request that asks for a protected
	// command: scheme and credentials are the two words of its Authorization
	// header, credentials nil if there was one word. Default: nobody may.
	Authorize func(r *http.Request, scheme string, credentials []byte) Access
	// Refused is told of each request for a protected command that is refused for its credentials, with
	// the text of the refusal. Default: nobody is.
	Refused func(r *http.Request, command, text string)
	// Snapshots is about the commands snapshot and restore.
	Snapshots SnapshotConfig
}

// Commands answers the commands of ZooKeeper's AdminServer as JSON documents.
// Its methods may be called from any number of goroutines.
type Commands struct {
	words     *Words
	src       Source
	authorize func(r *http.Request, scheme string, credentials []byte) Access
	refused   func(r *http.Request, command, text string)
	byName    map[string]*command // by primary name and alias; read only
	primary   []string            // sorted

	snapshotConfig SnapshotConfig
	snapshots      SnapshotMetrics
	limit          limiter
	restores       RestoreMetrics
	restoreLimit   limiter
}

// command is one row of the table.
type command struct {
	names []string // the primary one first
	// always: it is answered also while clients are not served.
	always bool
	// protected: the request needs credentials with every permission on "/".
	protected bool
	// lists: it takes its turn with other answers that list things.
	lists bool
	// method is http.MethodGet unless set.
	method string
	run    func(c *Commands, q *question) (answer, error)
	// serve, if set, answers by itself.
	serve func(c *Commands, w http.ResponseWriter, r *http.Request, q *question)
}

// question is a request for a command.
type question struct {
	st   Status
	args url.Values
}

// answer is what a command says: fields of the document, in front of command and
// error, which every document ends in. status 0 is 200.
type answer struct {
	body   object
	status int
}

// problem is an error that the one who asks made; its text comes first in the
// document. ZooKeeper: commands that put an "error" into their answer themselves.
type problem string

func (p problem) Error() string { return string(p) }

// NewCommands returns the commands of the member that cfg.Words answers for.
func NewCommands(cfg CommandsConfig) *Commands {
	c := &Commands{words: cfg.Words, src: cfg.Words.src, authorize: cfg.Authorize, refused: cfg.Refused, byName: map[string]*command{},
		snapshotConfig: cfg.Snapshots, limit: limiter{interval: cfg.Snapshots.Interval}, restoreLimit: limiter{interval: cfg.Snapshots.Interval}}
	if c.authorize == nil {
		c.authorize = func(*http.Request, string, []byte) Access { return NotAuthenticated }
	}
	if c.refused == nil {
		c.refused = func(*http.Request, string, string) {}
	}
	for _, cmd := range commandTable() {
		for _, name := range cmd.names {
			c.byName[name] = &cmd
		}
		c.primary = append(c.primary, cmd.names[0])
	}
	slices.Sort(c.primary)
	return c
}

// commandTable is every command, with the names and aliases of ZooKeeper 3.9.
func commandTable() []command {
	return []command{
		{names: []string{"configuration", "conf", "config"}, run: (*Commands).configuration},
		{names: []string{"connections", "cons"}, lists: true, run: (*Commands).connections},
		{names: []string{"connection_stat_reset", "crst"}, run: (*Commands).resetConnections},
		{names: []string{"dirs"}, run: (*Commands).dirs},
		{names: []string{"dump"}, lists: true, run: (*Commands).dump},
		{names: []string{"environment", "env", "envi"}, always: true, run: (*Commands).environment},
		{names: []string{"get_trace_mask", "gtmk"}, always: true, run: (*Commands).traceMask},
		{names: []string{"hash"}, run: (*Commands).hash},
		{names: []string{"initial_configuration", "icfg"}, run: (*Commands).initialConfiguration},
		{names: []string{"is_read_only", "isro"}, run: (*Commands).readOnly},
		{names: []string{"last_snapshot", "lsnp"}, run: (*Commands).lastSnapshot},
		{names: []string{"leader", "lead"}, run: (*Commands).leader},
		{names: []string{"monitor", "mntr"}, run: (*Commands).monitor},
		{names: []string{"observer_connection_stat_reset", "orst"}, run: (*Commands).resetObservers},
		{names: []string{"observers", "obsr"}, run: (*Commands).observers},
		{names: []string{"restore", "rest"}, protected: true, method: http.MethodPost, serve: (*Commands).restore},
		{names: []string{"ruok"}, run: (*Commands).ruok},
		{names: []string{"server_stats", "srvr"}, run: (*Commands).serverStats},
		{names: []string{"set_trace_mask", "stmk"}, always: true, run: (*Commands).setTraceMask},
		{names: []string{"snapshot", "snap"}, protected: true, serve: (*Commands).snapshot},
		{names: []string{"stat_reset", "srst"}, run: (*Commands).resetStats},
		{names: []string{"stats", "stat"}, lists: true, run: (*Commands).stats},
		{names: []string{"system_properties", "sysp"}, always: true, run: (*Commands).systemProperties},
		{names: []string{"voting_view"}, run: (*Commands).votingView},
		{names: []string{"watches", "wchc"}, lists: true, run: (*Commands).watches},
		{names: []string{"watches_by_path", "wchp"}, lists: true, run: (*Commands).watchesByPath},
		{names: []string{"watch_summary", "wchs"}, run: (*Commands).watchSummary},
		{names: []string{"zabstate"}, always: true, run: (*Commands).zabState},
	}
}

// CommandNames returns the names of each command, the primary one first, sorted by it.
func CommandNames() [][]string {
	var names [][]string
	for _, cmd := range commandTable() {
		names = append(names, cmd.names)
	}
	slices.SortFunc(names, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return names
}

// Names returns the commands by their primary names, sorted.
func (c *Commands) Names() []string { return slices.Clone(c.primary) }

// lookup returns the command called name, nil if there is none.
func (c *Commands) lookup(name string) *command { return c.byName[name] }

// answer carries a command out and returns its document.
func (c *Commands) answer(cmd *command, q *question) (doc object, status int) {
	if cmd.lists {
		c.words.list <- struct{}{}
		defer func() { <-c.words.list }()
	}
	a, err := cmd.run(c, q)
	if a.status == 0 {
		a.status = http.StatusOK
	}
	var p problem
	if errors.As(err, &p) {
		return object{}.with("error", string(p)).with("command", cmd.names[0]), a.status
	}
	if err != nil {
		return failure(cmd.names[0], err.Error()), http.StatusInternalServerError
	}
	return a.body.with("command", cmd.names[0]).with("error", nil), a.status
}

// failure is the document of a request that reached no command.
func failure(name, text string) object {
	return object{}.with("command", name).with("error", text)
}

// permitted judges the Authorization header of a request for a protected command:
// it returns 0 and no text, or the status and text of the refusal.
func (c *Commands) permitted(r *http.Request) (status int, text string) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return http.StatusUnauthorized, "Auth info is missing for the command"
	}
	words := strings.Fields(header)
	if len(words) != 1 && len(words) != 2 {
		return http.StatusUnauthorized, "Not authenticated"
	}
	var credentials []byte
	if len(words) == 2 {
		credentials = []byte(words[1])
	}
	switch c.authorize(r, words[0], credentials) {
	case Granted:
		return 0, ""
	case NotAuthorized:
		return http.StatusForbidden, "Not authorized"
	}
	return http.StatusUnauthorized, "Not authenticated"
}
