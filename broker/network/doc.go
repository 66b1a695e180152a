// Package network serves connections of Kafka's protocol: it cuts them into
// requests, authenticates them, calls the handler for each in order and sends the
// replies in that order.
//
//	accept ─▶ limits ─▶ TLS ─▶ frames ─▶ header ─▶ SASL ─▶ Handler.Handle(request)
//	                             ▲                             │ Reply, ReplyParts, NoReply, Close,
//	                             │ mute, bounds                │ at once or later, from any goroutine
//	          socket ◀── writev, sendfile ◀── replies in the order of requests ◀┘
//
// Vocabulary. A listener has a name, an address and a security protocol. A request
// is pending from its arrival until its reply is queued; a reply is queued when all
// earlier ones of its connection are. To mute a connection is not to read it for
// a while, which is how a client is made to slow down: the reply that says so
// leaves at once.
//
// The package answers three APIs by itself: ApiVersions, SaslHandshake and
// SaslAuthenticate. Requests that Table does not have end their connection, as in
// Kafka, and so does anything malformed.
//
// # Goroutines
//
//	accept   one per listening socket; waits while max.connections is reached
//	serve    one per connection: reads, authenticates, handles, writes
//	flush    one per connection at most and not for long: writes a late reply that the
//	         socket did not take at once
//	sweep    one: closes connections that were idle too long, looks whether certificates changed
//
// Close waits for all of them, but for those inside Handler.Handle it waits only as
// long as the handler takes to notice that its context is done.
//
// # Order and waiting
//
// Handle is called on the connection's goroutine, one request after the other. Until
// a request is answered the next one is not read, unless the handler called Later: then up to
// laterMax more are taken, and so a producer may have several batches on their way.
// A parked fetch holds up what its client sent behind it, as Kafka does.
//
// # Bounds
//
// Frames: RequestBytesMax for Produce, protocol.ControlFrameMax for the rest,
// SASLBytesMax before authentication; memory grows as bytes arrive. Large frames of
// all connections together: FrameBytesMax. Pending requests of a connection:
// laterMax and laterBytesMax. Replies to a client that does not read: nothing more is
// taken from a connection with more than outputHighWater bytes unsent, and after the idle time
// without progress it is closed. A reply is never sent partly on a connection
// that goes on.
//
// # Locks
//
// output.mu, limits.mu, Server.mu, in this order; none is held during IO except that
// output.mu is held over a write that does not wait.
//
// Left out: what requests mean; delegation tokens and Kerberos; the PROXY protocol.
package network
