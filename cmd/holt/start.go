package main

import (
	"runtime/debug"

	"holt/server"
)

// gcPercent makes the heap grow by half, not to twice, of what lives before it
// is collected. What lives are caches of bounded size, which hold little to scan,
// so that the memory saved is worth more than the time.
const gcPercent = 50

// startServer runs a member in this process. GOGC, if set, outweighs gcPercent.
func (a *app) startServer(cfg server.Config) (member, error) {
	if a.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	return server.Start(cfg)
}
