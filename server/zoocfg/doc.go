// Package zoocfg reads zoo.cfg, the files it names and -D settings into a
// server.Config, so that an existing ZooKeeper configuration starts Holt as it
// is.
//
//	zoo.cfg ──▶ properties ──▶ key table ──▶ server.Config ──▶ Validate
//	flags of the JVM, -D ──────▲    ▲ │
//	dynamicConfigFile, dataDir/myid ┘ └─▶ Notes, or Errors with file and line
//
// Vocabulary. A key is the name of a setting as ZooKeeper's documentation has
// it, without the prefix zookeeper. that the same setting has as a system
// property. Every key of ZooKeeper 3.9 is in the key table and is one of
//
//   - used: it sets a field of server.Config, or is refused with values by which it asks for
//     what Holt cannot do,
//   - noted: Holt has no use for it, and a Note says what happens instead.
//
// Settings given with -D win over the file, and those of the command line over
// those of the environment; within a file the last line of a key counts.
// Result.Settings tells the effective value of each key and what set it.
// testdata/keys-3.9.txt lists all keys there are.
//
// Differs from ZooKeeper: a key that is not known is an error and not a new
// system property, for it is nearly always a slip of the pen; keys without the
// zookeeper. prefix, as jute.maxbuffer, work in the file too; -D wins over the
// file; files are UTF-8, not Latin-1.
//
// The package has no state, reads files and does nothing else.
package zoocfg
