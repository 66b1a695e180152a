package server

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// dirSizesFor is how long the sizes of the directories are taken as they were:
// walking them for every `conf` or scrape would cost more than the answer.
const dirSizesFor = 5 * time.Second

// dirSizes remembers the sizes of the data and log directories.
type dirSizes struct {
	mu        sync.Mutex
	at        time.Time
	data, log int64
}

func (d *dirSizes) sizes(files vfs.FS, dataDir, logDir string) (data, log int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); d.at.IsZero() || now.Sub(d.at) > dirSizesFor {
		d.at, d.data, d.log = now, dirSize(files, dataDir), dirSize(files, logDir)
	}
	return d.data, d.log
}

// dirSize adds up the files below dir. What vanishes while it looks counts
// nothing: files come and go all the time.
func dirSize(files vfs.FS, dir string) (total int64) {
	names, err := files.List(dir)
	if err != nil {
		return 0
	}
	for _, name := range names {
		path := files.PathJoin(dir, name)
		info, err := files.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, os.ErrNotExist), err != nil:
		case info.IsDir():
			total += dirSize(files, path)
		default:
			total += info.Size()
		}
	}
	return total
}
