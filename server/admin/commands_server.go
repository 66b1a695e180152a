package admin

import (
	"strconv"
	"strings"

	"holt/wire/javaprops"
)

// The commands about the member as a server: settings, statistics, environment.

func (c *Commands) configuration(*question) (answer, error) {
	s := c.src.Config()
	o := object{}.with("client_port", s.ClientPort)
	if s.SecureClientPort > 0 {
		o = o.with("secure_client_port", s.SecureClientPort)
	}
	return answer{body: o.
		with("data_dir", s.DataDir+"/version-2").
		with("data_log_dir", s.LogDir+"/version-2").
		with("tick_time", s.TickMillis).
		with("max_client_cnxns", s.MaxClientConns).
		with("min_session_timeout", s.MinSessionMillis).
		with("max_session_timeout", s.MaxSessionMillis).
		with("server_id", s.ServerID).
		with("client_port_listen_backlog", s.ListenBacklog)}, nil
}

func (c *Commands) dirs(*question) (answer, error) {
	s := c.src.Config()
	return answer{body: object{}.with("datadir_size", s.DataDirBytes).with("logdir_size", s.LogDirBytes)}, nil
}

// initialConfiguration shows the file that configured the member. What is secret
// in it is not shown.
//
// Differs from ZooKeeper, which shows passwords, and null on an ensemble's member.
func (c *Commands) initialConfiguration(*question) (answer, error) {
	text := c.src.Config().InitialText
	if text == "" {
		return answer{body: object{}.with("initial_configuration", nil)}, nil
	}
	return answer{body: object{}.with("initial_configuration", withoutSecrets(text))}, nil
}

// withoutSecrets hides the values of secret settings, in whichever of its forms the text of a
// configuration has them: behind an equals sign, a colon or a blank, continued in the next
// line, or commented out.
func withoutSecrets(text string) string {
	props, _ := javaprops.Parse("", text) // no member runs by a text with lines that cannot be read
	var b strings.Builder
	end := 0
	for _, p := range props {
		hideComments(&b, text[end:p.Start])
		if end = p.End; secret(p.Key) {
			b.WriteString(p.Key + "=" + hidden + "\n")
		} else {
			b.WriteString(text[p.Start:p.End])
		}
	}
	hideComments(&b, text[end:])
	return b.String()
}

// hideComments writes what is between settings: a secret that was commented out may still be one.
func hideComments(b *strings.Builder, text string) {
	for line := range strings.Lines(text) {
		if at := strings.IndexAny(line, "=:"); at >= 0 && secret(line[:at]) {
			line = line[:at] + "=" + hidden + "\n"
		}
		b.WriteString(line)
	}
}

// hidden stands for a value that is not for everybody who reaches the port.
const hidden = "*****"

func secret(key string) bool {
	key = strings.ToLower(key)
	return strings.Contains(key, "passw") || strings.Contains(key, "superdigest") || strings.Contains(key, "secret")
}

// systemProperties shows the settings that are properties of the JVM in the
// original, by those names, and what of Java's own has a meaning here.
func (c *Commands) systemProperties(*question) (answer, error) {
	var o object
	for _, line := range environment(c.words.version) {
		switch line[0] {
		case "os.name", "os.arch", "os.version", "user.name", "user.home", "user.dir", "java.io.tmpdir":
			o = o.with(line[0], line[1])
		}
	}
	for _, p := range c.src.Config().Properties {
		if secret(p.Name) {
			p.Value = hidden
		}
		o = o.with(p.Name, p.Value)
	}
	o.sort()
	return answer{body: o}, nil
}

func (c *Commands) environment(*question) (answer, error) {
	var o object
	for _, line := range environment(c.words.version) {
		o = o.with(line[0], line[1])
	}
	return answer{body: o}, nil
}

func (c *Commands) readOnly(q *question) (answer, error) {
	return answer{body: object{}.with("read_only", q.st.Mode == ReadOnly)}, nil
}

func (c *Commands) ruok(*question) (answer, error) { return answer{}, nil }

func (c *Commands) resetStats(*question) (answer, error) {
	c.src.ResetStats()
	return answer{}, nil
}

func (c *Commands) resetConnections(*question) (answer, error) {
	c.src.ResetConnectionStats()
	return answer{}, nil
}

func (c *Commands) traceMask(*question) (answer, error) {
	return answer{body: object{}.with("tracemask", c.words.traceMask.Load())}, nil
}

func (c *Commands) setTraceMask(q *question) (answer, error) {
	text := q.args.Get("traceMask")
	mask, err := strconv.ParseInt(text, 10, 64)
	switch {
	case text == "":
		return answer{}, problem("setTraceMask requires long traceMask argument")
	case err != nil:
		return answer{}, problem("setTraceMask requires long traceMask argument, got " + text)
	}
	c.words.traceMask.Store(mask)
	return c.traceMask(q)
}

func (c *Commands) serverStats(q *question) (answer, error) {
	return answer{body: c.statistics(&q.st)}, nil
}

// stats is server_stats with a short list of connections.
func (c *Commands) stats(q *question) (answer, error) {
	return answer{body: c.appendConnections(c.statistics(&q.st), true)}, nil
}

// statistics has the response sizes twice, as the original.
func (c *Commands) statistics(st *Status) object {
	cfg := c.src.Config()
	responses := sizes(st.ResponseLast, st.ResponseMin, st.ResponseMax)
	o := object{}.with("version", c.words.version).with("read_only", st.Mode == ReadOnly)
	o = o.with("server_stats", object{}.
		with("packets_sent", st.Sent).
		with("packets_received", st.Received).
		with("fsync_threshold_exceed_count", st.SlowSyncs).
		with("client_response_stats", responses).
		with("provider_null", false).
		with("server_state", string(st.Mode)).
		with("uptime", st.uptimeMillis()).
		with("outstanding_requests", st.Outstanding).
		with("min_latency", st.LatencyMin).
		with("avg_latency", st.latencyAvg()).
		with("max_latency", st.LatencyMax).
		with("data_dir_size", cfg.DataDirBytes).
		with("log_dir_size", cfg.LogDirBytes).
		with("last_processed_zxid", int64(st.Zxid)).
		with("num_alive_client_connections", st.Connections).
		with("auth_failed_count", st.AuthFailed).
		with("non_mtlsremote_conn_count", st.PlainRemote).
		with("non_mtlslocal_conn_count", st.PlainLocal))
	o = o.with("client_response", responses)
	if l := st.Lead; l != nil {
		o = o.with("proposal_stats", sizes(l.ProposalLast, l.ProposalMin, l.ProposalMax))
	}
	return o.with("node_count", st.Nodes)
}

func sizes(last, least, most int64) object {
	return object{}.with("last_buffer_size", last).with("min_buffer_size", least).with("max_buffer_size", most)
}

func (c *Commands) connections(*question) (answer, error) {
	return answer{body: c.appendConnections(nil, false)}, nil
}

// appendConnections adds the lists of plain and of TLS connections, in the short
// form of stat or the long one of cons.
func (c *Commands) appendConnections(o object, short bool) object {
	plain, secure, left := list{}, list{}, 0
	c.src.Connections(func(conn *Connection) bool {
		switch {
		case len(plain)+len(secure) >= ListMax:
			left++ // counted, so that the answer tells how many
		case conn.Secure:
			secure = append(secure, conn.object(short))
		default:
			plain = append(plain, conn.object(short))
		}
		return true
	})
	return notShown(o.with("connections", plain).with("secure_connections", secure), left)
}

// notShown ends a list that was cut. The original has no such field, and no bound.
func notShown(o object, left int) object {
	if left <= 0 {
		return o
	}
	return o.with("not_shown", left)
}

func (conn *Connection) object(short bool) object {
	interest := 1
	if conn.Paused {
		interest = 0
	}
	o := object{}.
		with("remote_socket_address", javaAddr(conn.Remote)).
		with("interest_ops", interest).
		with("outstanding_requests", conn.Outstanding).
		with("packets_received", conn.Received).
		with("packets_sent", conn.Sent)
	if short {
		return o
	}
	op, avg := "NA", int64(0)
	if !conn.NoOp {
		op = conn.LastOp.ShortName()
	}
	if conn.LatencyCount > 0 {
		avg = conn.LatencySum / conn.LatencyCount
	}
	return o.
		with("session_id", int64(conn.Session)).
		with("last_operation", op).
		with("established", conn.Established.UnixMilli()).
		with("session_timeout", int64(conn.TimeoutMillis)).
		with("last_cxid", conn.LastCxid).
		with("last_zxid", int64(conn.LastZxid)).
		with("last_response_time", conn.LastResponseMillis).
		with("last_latency", conn.LatencyLast).
		with("min_latency", conn.LatencyMin).
		with("avg_latency", avg).
		with("max_latency", conn.LatencyMax)
}
