package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options of a Store. The zero value means the defaults.
type Options struct {
	// FS is where the directory lives; default the operating system's.
	FS vfs.FS
	// CacheBytes bounds the nodes in memory; default 48 MiB.
	CacheBytes int64
	// BlockCacheBytes bounds Pebble's cache of blocks, which holds indexes and
	// filters too; default 32 MiB.
	BlockCacheBytes int64
	// MemTableBytes is the size at which changes in memory are flushed; writes wait
	// while three times as much is in memory. Default 16 MiB.
	MemTableBytes int64
	// PageIndexMin is the number of children from which on a node has an index
	// of them by creation; default 4096.
	PageIndexMin int
	// Quiet keeps Pebble from compacting by itself, so that a simulation repeats
	// exactly.
	Quiet bool
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 48 << 20
	}
	if o.BlockCacheBytes == 0 {
		o.BlockCacheBytes = 32 << 20
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = 16 << 20
	}
	if o.PageIndexMin == 0 {
		o.PageIndexMin = 4096
	}
	return o
}

// pebbleOptions are those of the database. The block cache is the caller's to release.
func (s *Store) pebbleOptions(blocks *pebble.Cache) *pebble.Options {
	// Pebble's own limits, at which writes wait for as long as it takes, are out
	// of reach: makeRoom waits before, and knows of failures.
	o := &pebble.Options{
		FS:                          sealedFS{s.opts.FS, s.seal},
		Cache:                       blocks,
		DisableWAL:                  true,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                uint64(s.opts.MemTableBytes),
		MemTableStopWritesThreshold: 1000,
		// Children of a large parent come in the order of their clients, so that each flush overlaps all before
		// it: with Pebble's own 4, merging them took a quarter of the CPU of a burst of creations.
		L0CompactionThreshold: 10,
		L0StopWritesThreshold: 1000,
		Logger:                quiet{},
		EventListener: &pebble.EventListener{
			BackgroundError: s.seal.fail,
			DataCorruption:  func(info pebble.DataCorruptionInfo) { s.seal.fail(info.Details) },
			FlushEnd:        func(i pebble.FlushInfo) { s.metrics.flushed(i); s.signalRoom() },
			CompactionEnd:   func(i pebble.CompactionInfo) { s.metrics.compacted(i); s.signalRoom() },
		},
	}
	s.compactions = newCompactions(s.seal.failed)
	o.Experimental.CompactionScheduler = s.compactions
	o.Experimental.ReadCompactionRate = 0
	o.DisableAutomaticCompactions, o.DisableTableStats = s.opts.Quiet, s.opts.Quiet
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].IndexBlockSize = 256 << 10
	}
	return o
}

// quiet keeps Pebble from writing to standard error and from ending the process.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

// Fatalf is called where Pebble's memory makes no sense to it: what fails on the
// disk so that it would call this does not get that far, see seal.
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
