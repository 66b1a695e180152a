package admin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// HTTPConfig says what is served over HTTP.
type HTTPConfig struct {
	// Source is the member that is shown; required.
	Source Source
	// Metrics serves /metrics, without what is about the process in general if BareMetrics
	// is set too [metricsProvider.exportJvmInfo=false].
	Metrics, BareMetrics bool
	// Commands, if not nil, are served below CommandURL, default /commands
	// [admin.commandURL].
	Commands   *Commands
	CommandURL string
	// IdleTimeout closes a connection on which nothing moves; default 30 s
	// [admin.idleTimeout].
	IdleTimeout time.Duration
	// Logger takes failures to serve; default: none are written.
	Logger *zap.Logger
}

// The bounds of a client that is slow, or many. The member's own work must not
// depend on who asks it over HTTP.
const (
	headerBytesMax    = 16 << 10
	headerTimeout     = 10 * time.Second
	answerTimeout     = 30 * time.Second
	defaultIdle       = 30 * time.Second
	bodyGrace         = time.Second // for the rest of a body that nobody reads
	connectionsMax    = 100
	defaultCommandURL = "/commands"
)

// HTTP serves operators on one listener. ServeHTTP starts it, Close ends it.
type HTTP struct {
	server http.Server
	done   chan struct{} // closed when the serving goroutine has ended
}

// ServeHTTP serves on l, which it takes over, in a goroutine of its own:
//
//	/metrics        everything measured, in Prometheus' text format, if wanted
//	/commands/NAME  the commands of ZooKeeper's AdminServer, if there are any
//	/livez          200 while the process answers
//	/readyz         200 while clients are served, else 503
//
// Serving clients means that the member has caught up with a leader it can
// reach, or is one, or is in read-only mode.
func ServeHTTP(l net.Listener, cfg HTTPConfig) *HTTP {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = defaultIdle
	}
	if cfg.CommandURL == "" {
		cfg.CommandURL = defaultCommandURL
	}
	h := &HTTP{done: make(chan struct{})}
	limit := connLimit{most: connectionsMax}
	h.server = http.Server{
		Handler:           limit.during(newHandler(cfg)),
		ReadHeaderTimeout: min(headerTimeout, cfg.IdleTimeout),
		ReadTimeout:       answerTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    headerBytesMax,
		ErrorLog:          zap.NewStdLog(cfg.Logger),
		ConnState:         limit.changed,
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	go func() {
		defer close(h.done)
		if err := h.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			cfg.Logger.Error("serve HTTP", zap.Error(err))
		}
	}()
	return h
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// PeerCertificates returns those that the client of a request has shown, its own first; none on a
// connection without TLS.
func PeerCertificates(r *http.Request) []*x509.Certificate {
	if r.TLS != nil {
		return r.TLS.PeerCertificates
	}
	// A connection that may be either is not one of TLS to net/http.
	if c, ok := r.Context().Value(connKey{}).(interface {
		TLS() (tls.ConnectionState, bool)
	}); ok {
		if state, ok := c.TLS(); ok {
			return state.PeerCertificates
		}
	}
	return nil
}

// Close stops listening, lets answers under way finish for up to a second and
// returns when the goroutine has ended. It may be called twice.
func (h *HTTP) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := h.server.Shutdown(ctx)
	if err != nil {
		err = h.server.Close() // those that take longer are cut off
	}
	<-h.done
	return err
}

func newHandler(cfg HTTPConfig) http.Handler {
	mux := http.NewServeMux()
	if cfg.Metrics {
		page := &metricsPage{src: cfg.Source, bare: cfg.BareMetrics}
		mux.HandleFunc("GET /metrics", page.serve)
	}
	if cfg.Commands != nil {
		s := &commandServer{commands: cfg.Commands, url: cfg.CommandURL}
		mux.HandleFunc(cfg.CommandURL, s.serve)
		mux.HandleFunc(cfg.CommandURL+"/", s.serve)
	}
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if st := cfg.Source.Status(); st.Serving {
			say(w, http.StatusOK, fmt.Sprintf("ready: %s", st.Mode))
		} else {
			say(w, http.StatusServiceUnavailable, "not ready: "+notServing)
		}
	})
	return mux
}

// say answers with one line. The client may be gone: that is its own affair.
func say(w http.ResponseWriter, code int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, line)
}
