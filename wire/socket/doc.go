// Package socket writes to a TCP connection without waiting for it, and reads much from
// one without being woken for each of its segments (ReadLarge).
//
// A reply or message that fits into the socket's buffer can be written by the goroutine that
// made it: that saves waking another one. What does not fit must not stop it; so TryWrite
// takes what the socket takes, and the caller leaves the rest to a goroutine that may wait.
// Package net has no such write: its deadline of now fails before anything is written.
//
// Clients' connections, members' and brokers' are written this way. Safe for concurrent use
// as far as the connection is. Left out: systems whose sockets are no file descriptors, where
// TryWrite writes nothing.
package socket
