package admin

import (
	"context"
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
	// Logger takes failures to serve; default: none are written.
	Logger *zap.Logger
}

// HTTP serves metrics and health on one listener. ServeHTTP starts it, Close
// ends it.
type HTTP struct {
	server http.Server
	done   chan struct{} // closed when the serving goroutine has ended
}

// ServeHTTP serves on l, which it takes over, in a goroutine of its own:
//
//	/metrics   everything measured, in Prometheus' text format
//	/livez     200 while the process answers
//	/readyz    200 while clients are served, else 503
func ServeHTTP(l net.Listener, cfg HTTPConfig) *HTTP {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	h := &HTTP{done: make(chan struct{})}
	h.server = http.Server{
		Handler:           newHandler(cfg),
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          zap.NewStdLog(cfg.Logger),
	}
	go func() {
		defer close(h.done)
		if err := h.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			cfg.Logger.Error("serve metrics", zap.Error(err))
		}
	}()
	return h
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
	page := &metricsPage{src: cfg.Source}
	mux.HandleFunc("GET /metrics", page.serve)
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
