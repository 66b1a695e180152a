// Package client is one connection of one session to a server that speaks the
// ZooKeeper protocol, Holt or Apache ZooKeeper: for the command line, load generators and
// tests.
//
//	callers ──Go, Send, GetData…──▶ out buffer ──writer──▶ net.Conn
//	                                 pending calls, in order     │
//	callers ◀──Done, Wait, OnEvent───────────────reader──────────┘
//
// Requests are pipelined: any number may be outstanding, from any goroutine, and
// replies come in their order. Requests that pile up while one write is under way go
// out together by the next one.
//
// A Conn does not reconnect and never sends anything again. Its end (Done, Err)
// fails the outstanding calls with wire.ErrConnectionLoss; the caller takes the
// session up elsewhere by handing Session to the Options of another Conn.
//
// # Three ways to ask
//
//   - The methods named after operations (GetData, Create, …) wait for the reply.
//   - Send returns at once a Call to wait on.
//   - Go takes a Call that the caller owns and uses again; with Call.Done set
//     nothing is allocated for a request, and replies are not copied.
//
// An outcome other than wire.OK is the error of the first two, as a wire.ErrCode to be
// found by errors.Is or errors.As.
//
// # Concurrency
//
// All methods may be called from any goroutine. Callbacks (Options.OnEvent,
// Call.Done) run on the reader, one at a time and in the order of arrival: so a notification
// that precedes a reply is seen before it. They must not block, nor wait for a
// reply, nor close the connection. A Conn has two goroutines, reader and writer; Close
// and Abort wait for both.
//
// # Left out
//
// Choice of servers, reconnecting, chroots, TLS (hand New a *tls.Conn), SASL
// mechanisms (SASL carries tokens), and re-arming of watches (SetWatches2).
package client
