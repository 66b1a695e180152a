// Package server is one running Holt member: listeners, connections, the
// request pipeline and the duties of a leader.
//
// An embedding program fills a Config, calls Start and, at the end, Close. The
// zero Config is a complete one: a single member that serves on port 2181 with
// the defaults of ZooKeeper. Reading zoo.cfg into a Config is the business of
// server/zoocfg; flags, signals and exit codes are those of cmd/holt.
package server
