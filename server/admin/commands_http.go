package admin

import (
	"fmt"
	"net/http"
	"strings"
)

// commandServer answers commands over HTTP.
// ZooKeeper: JettyAdminServer.CommandServlet
//
//	GET  /commands        links to all commands
//	GET  /commands/NAME   its document, 200 also for most errors
//
// Differs from ZooKeeper: a method that a command does not take is answered 405,
// where the original fails with 500.
type commandServer struct {
	commands *Commands
	url      string
}

func (s *commandServer) serve(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, s.url), "/")
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	case http.MethodOptions:
		w.Header().Set("Allow", "GET, HEAD, POST, OPTIONS")
		w.WriteHeader(http.StatusOK)
		return
	case http.MethodTrace:
		w.WriteHeader(http.StatusForbidden)
		return
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if name == "" && r.Method != http.MethodPost {
		s.serveLinks(w)
		return
	}
	s.serveCommand(w, r, name)
}

func (s *commandServer) serveLinks(w http.ResponseWriter) {
	var b []byte
	for _, name := range s.commands.primary {
		b = fmt.Appendf(b, "<a href=\"%s/%s\">%s</a>\n<br/>\n", s.url, name, name)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b) // whoever is gone needs no answer
}

func (s *commandServer) serveCommand(w http.ResponseWriter, r *http.Request, name string) {
	c := s.commands
	cmd := c.lookup(name)
	if cmd == nil {
		send(w, http.StatusOK, failure(name, "Unknown command: "+name))
		return
	}
	q := question{st: c.src.Status(), args: r.URL.Query()}
	if !cmd.always && !q.st.Serving {
		send(w, http.StatusOK, failure(name, notServing))
		return
	}
	if cmd.protected {
		if status, text := c.permitted(r); status != 0 {
			c.refused(r, cmd.names[0], text)
			send(w, status, failure(name, text))
			return
		}
	}
	if (r.Method == http.MethodPost) != (cmd.method == http.MethodPost) {
		w.Header().Set("Allow", cmd.allow())
		send(w, http.StatusMethodNotAllowed, failure(name, "The command takes "+cmd.allow()))
		return
	}
	if cmd.serve != nil {
		cmd.serve(c, w, r, &q)
		return
	}
	doc, status := c.answer(cmd, &q)
	send(w, status, doc)
}

func (cmd *command) allow() string {
	if cmd.method == http.MethodPost {
		return http.MethodPost
	}
	return "GET, HEAD"
}

// send writes a document. The client may be gone: that is its own affair.
func send(w http.ResponseWriter, status int, doc object) {
	b := doc.appendTo(nil, 0)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
