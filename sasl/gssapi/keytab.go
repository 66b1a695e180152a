package gssapi

import (
	"crypto/sha256"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
)

// keytabFile is a keytab that is read again when it has changed, so that keys can be rolled over
// without a restart.
type keytabFile struct {
	path string

	mu       sync.Mutex
	keys     *keytab.Keytab // guarded by mu, as what follows; never changed, but replaced
	modified time.Time
	size     int64
}

// openKeytab fails if the file cannot be read or has no key of principal.
func openKeytab(path, principal string) (*keytabFile, error) {
	k := &keytabFile{path: path}
	keys, err := k.current()
	if err != nil {
		return nil, err
	}
	for _, e := range keys.Entries {
		if e.Principal.String() == principal {
			return k, nil
		}
	}
	return nil, fmt.Errorf("keytab %s has no key of %s", path, principal)
}

// current returns the keys of the file as it is now, or, when it cannot be read any more, those read
// before.
func (k *keytabFile) current() (*keytab.Keytab, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	info, err := os.Stat(k.path)
	if err == nil && k.keys != nil && info.ModTime().Equal(k.modified) && info.Size() == k.size {
		return k.keys, nil
	}
	var keys *keytab.Keytab
	if err == nil {
		keys, err = loadKeytab(k.path)
	}
	if err != nil {
		if k.keys != nil {
			return k.keys, nil
		}
		return nil, fmt.Errorf("read keytab: %w", err)
	}
	k.keys, k.modified, k.size = keys, info.ModTime(), info.Size()
	return keys, nil
}

func loadKeytab(path string) (keys *keytab.Keytab, err error) {
	defer guard(&err)
	return keytab.Load(path)
}

// replaysMax bounds a replayCache, in authenticators: some 15 MB. When it is full the oldest goes,
// which whoever replays can only bring about by as many logins of a real user's.
const replaysMax = 1 << 17

// replayCache remembers authenticators for as long as they could be used again. The zero value is
// ready.
type replayCache struct {
	mu    sync.Mutex
	seen  map[[16]byte]struct{} // guarded by mu
	order []replay              // guarded by mu: oldest first
}

type replay struct {
	id    [16]byte
	until time.Time
}

// add reports whether the authenticator is a new one.
func (c *replayCache) add(authenticator []byte, now time.Time) bool {
	sum := sha256.Sum256(authenticator)
	id := [16]byte(sum[:16])
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.order) > 0 && (now.After(c.order[0].until) || len(c.order) >= replaysMax) {
		delete(c.seen, c.order[0].id)
		c.order = c.order[1:]
	}
	if _, again := c.seen[id]; again {
		return false
	}
	if c.seen == nil {
		c.seen = map[[16]byte]struct{}{}
	}
	c.seen[id] = struct{}{}
	c.order = append(c.order, replay{id, now.Add(2 * skewMax)})
	return true
}
