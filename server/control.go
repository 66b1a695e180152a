package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
)

// A member answers programs on the same machine that may enter its data directory, by HTTP on
// a Unix socket there: the file's permissions are the authentication, and no port is open.
//
//	POST /checkpoint   a checkpoint of the tree below the data directory, as hard links; it is
//	                   removed when the connection ends. Answer: CheckpointAnswer
const (
	// ControlSocket is the name of the socket in the data directory.
	ControlSocket = "holt.sock"
	// ControlCheckpoint is the path to post to.
	ControlCheckpoint = "/checkpoint"

	checkpointsDir = "checkpoints"
	// checkpointsMax bounds the checkpoints that are held at the same time: each keeps files
	// on disk that the tree has replaced.
	checkpointsMax = 4
)

// CheckpointAnswer tells where a checkpoint is.
type CheckpointAnswer struct {
	Dir string `json:"dir"`
}

// control is the listener on the socket.
type control struct {
	s    *Server
	http *http.Server
	done chan struct{}

	mu      sync.Mutex // guards what follows
	made    int        // checkpoints so far
	held    int
	closing bool
	holders sync.WaitGroup // counts held; nobody joins once closing is set
}

// serveControl opens the socket and removes what an earlier run left. Where there can be no
// socket, as on some network file systems, clients are served all the same.
func (s *Server) serveControl() {
	dir := filepath.Join(s.cfg.DataDir, checkpointsDir)
	err := os.RemoveAll(dir)
	var l net.Listener
	if err == nil {
		l, err = listenControl(s.cfg.DataDir)
	}
	if err != nil {
		s.log.Warn("no control socket: this member has to be stopped for a backup or export", zap.Error(err))
		return
	}
	c := &control{s: s, done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+ControlCheckpoint, c.checkpoint)
	c.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	s.control = c
	go func() {
		defer close(c.done)
		if err := c.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("control socket", zap.Error(err))
		}
	}()
}

// close ends all connections, and with them the checkpoints.
func (c *control) close() error {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	err := c.http.Close()
	<-c.done
	c.holders.Wait()
	return err
}

func (c *control) checkpoint(w http.ResponseWriter, r *http.Request) {
	dir, err := c.take()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer c.release(dir)
	if err := c.s.Checkpoint(dir); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(CheckpointAnswer{Dir: dir}); err != nil {
		return // the one who asked is gone
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	<-r.Context().Done()
}

func (c *control) take() (string, error) {
	root, err := filepath.Abs(filepath.Join(c.s.cfg.DataDir, checkpointsDir))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return "", errNotServing
	}
	if c.held == checkpointsMax {
		return "", fmt.Errorf("%d checkpoints are in use; wait for a backup or export to end", c.held)
	}
	c.held++
	c.holders.Add(1)
	c.made++
	return filepath.Join(root, strconv.Itoa(c.made)), nil
}

func (c *control) release(dir string) {
	if err := os.RemoveAll(dir); err != nil {
		c.s.log.Warn("remove checkpoint", zap.String("path", dir), zap.Error(err))
	}
	c.mu.Lock()
	c.held--
	c.holders.Done()
	c.mu.Unlock()
}

// Checkpoint makes dir, which must not exist and lies on the file system of the data
// directory, a copy of the tree as of now, by hard links. It may be called at any time between Start and Close.
func (s *Server) Checkpoint(dir string) error {
	s.state.mu.RLock()
	defer s.state.mu.RUnlock()
	if s.state.store == nil {
		return errNotServing
	}
	return s.state.store.Checkpoint(dir)
}

// A socket's path is short by its nature (107 bytes), a data directory's need not be: the
// kernel is given a path through a descriptor of the directory.

func listenControl(dataDir string) (net.Listener, error) {
	path, dir, err := controlPath(dataDir)
	if err != nil {
		return nil, err
	}
	defer dir.Close() // read only
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// The path is through a descriptor that is closed by then: the next start removes it.
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// DialControl connects to the member that runs in a data directory. os.ErrNotExist or
// syscall.ECONNREFUSED if there is none.
func DialControl(dataDir string) (net.Conn, error) {
	path, dir, err := controlPath(dataDir)
	if err != nil {
		return nil, err
	}
	defer dir.Close() // read only
	return net.Dial("unix", path)
}

func controlPath(dataDir string) (path string, dir *os.File, err error) {
	dir, err = os.Open(dataDir)
	if err != nil {
		return "", nil, err
	}
	if runtime.GOOS != "linux" {
		return filepath.Join(dataDir, ControlSocket), dir, nil
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), ControlSocket), dir, nil
}
