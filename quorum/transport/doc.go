// Package transport carries messages and snapshots between the members of an
// ensemble over connections in one direction each: who has something to say
// dials.
//
// # Lanes
//
// To each peer there are two long-lived connections, so that neither kind of
// traffic waits for the other:
//
//	raft   messages of Raft, several to a frame, several frames to a write
//	app    payloads of the application, likewise
//
// and a further one while a snapshot is sent (see snapshot.go) or a question asked (see ask.go).
//
//	Send ──▶ queue ──▶ sender ──TCP──▶ receiver ──▶ Handler
//	         bounded   one goroutine    one goroutine
//	                   per lane         per lane
//
// A queue that is full, or whose connection is down, refuses: Raft's messages
// are dropped and reported (Handler.Unreachable), payloads return an error. A Handler
// that blocks holds up its lane of its peer, in the end by TCP's window, and nothing
// else.
//
// # Login
//
// With Config.Login members prove to each other who they are, by SASL, on every connection: of all lanes, and
// those for a snapshot or a question. The login is the first thing on a connection, within TLS if there is TLS.
// Who dials is what ZooKeeper calls the learner; who accepts, the server.
//
//	dials                                    accepts
//	  "SASL" version(1)
//	  step: on, token            ─────▶
//	                             ◀─────        step: on, token         once or more
//	  step: on, token            ─────▶
//	                             ◀─────        step: done, last proof  or: refused, text
//	  hello ...                  ─────▶
//
//	step    0 on, 1 done, 2 refused; length(4) token
//
// A connection that begins with a hello is one without a login. Who accepts knows the one from the other by
// the first four bytes, so that an ensemble is switched over one member after the other:
//
//	Login                dials with  accepts
//	nil                  no login    no login
//	Accept               no login    both
//	Accept and Begin     login       both
//	... and Required     login       login
//
// A token is at most 64 KiB; login and hello have to come within the two seconds of a handshake. A login that fails ends
// the connection. Its peer is told that it did, and why goes to Login.Refused: the one has proved nothing yet. What
// a login proves is that the peer is one of those that may be members; that it is member N is what the hello says.
// Without TLS nothing protects the connection after that.
//
// # Format
//
//	hello   "HOLT" version(1) lane(1) from(8) to(8) store(16) crc32c(4)
//	answer  0, or 1 length(2) text, or 2 index(8): the peer was removed by that entry
//	frame   length(4) crc32c(4) items
//	item    length(uvarint) bytes
//
// Integers are big-endian, the length of a frame does not count its header. A
// frame of length 0 is a sign of life, sent each second in which nothing else
// was; the receiver sends a zero byte each second. A frame that is damaged, too long or malformed ends the connection: nothing in it
// is used. Memory for a frame grows with the bytes that have arrived.
//
// # Failure
//
// A sender reconnects with growing pauses. When a connection that worked breaks and
// the peer's address then refuses connections, its process has ended:
// Handler.PeerGone. A connection on which nothing arrives for five seconds, or nothing
// can be written, is given up.
//
// Not here: who the members are (SetPeers), and what messages mean.
package transport
