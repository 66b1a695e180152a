// Package metadatatest is for tests of what works on a metadata.Coordinator: a
// tree in memory, with sessions that implement it, and a suite that every
// Coordinator passes.
//
//	tree := metadatatest.NewTree()
//	a, b := tree.Open(), tree.Open()      // two sessions
//	a.Disconnect(); a.Reconnect()          // reads wait, writes lose their outcome
//	tree.Expire(a)                         // ephemeral nodes go; a gets another session
//	a.LoseNext(metadatatest.BeforeEffect)  // one write's connection
//
// A Tree is one lock; every operation is done when its call returns, and events are
// delivered, under the lock, before the call of whoever caused them returns. No
// goroutine is started, no time passes.
//
// Left out: ACLs, quotas, sizes, sync that means anything (nobody lags here).
package metadatatest
