package secure

import (
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// watcher looks at the files of a Source. It looks instead of being told:
// stores are replaced by renaming, by symbolic links two directories up and on file
// systems that tell nothing, and a few stats a second cost nothing.
type watcher struct {
	stop chan struct{}
	once sync.Once
	wg   sync.WaitGroup
}

// fileState is by what a change of a file is recognised.
type fileState struct {
	modified time.Time
	size     int64
	there    bool
	info     os.FileInfo // for os.SameFile
}

func (f fileState) equal(g fileState) bool {
	return f.there == g.there && f.size == g.size && f.modified.Equal(g.modified) && (!f.there || os.SameFile(f.info, g.info))
}

func statFiles(names []string) []fileState {
	states := make([]fileState, len(names))
	for i, name := range names {
		if info, err := os.Stat(name); err == nil {
			states[i] = fileState{modified: info.ModTime(), size: info.Size(), there: true, info: info}
		}
	}
	return states
}

func startWatcher(s *Source, files []string, seen []fileState) *watcher {
	w := &watcher{stop: make(chan struct{})}
	w.wg.Go(func() { w.run(s, files, seen) })
	return w
}

func (w *watcher) close() {
	w.once.Do(func() { close(w.stop) })
	w.wg.Wait()
}

// run reloads when the files have changed and then stayed the same for one look:
// key and certificate may be two files that are written one after the other.
func (w *watcher) run(s *Source, files []string, used []fileState) {
	tick := time.NewTicker(s.opts.Every)
	defer tick.Stop()
	last := used
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
		}
		now := statFiles(files)
		settled := slices.EqualFunc(now, last, fileState.equal)
		last = now
		if settled && !slices.EqualFunc(now, used, fileState.equal) {
			used = now
			s.reload()
		}
	}
}

// reload takes the files as they are now, or keeps what it has.
func (s *Source) reload() {
	log := s.opts.Logger.With(zap.String("keyStore", s.settings.KeyStore.Location), zap.String("trustStore", s.settings.TrustStore.Location))
	g, err := s.load()
	if err != nil {
		log.Error("certificates not reloaded: the old ones stay in use until the files are mended", zap.Error(err))
		return
	}
	s.current.Store(g)
	if until, ok := s.Expires(); ok {
		log = log.With(zap.Time("until", until))
	}
	log.Info("certificates reloaded: new connections use them")
	s.warnUntimely(g)
}
