// Package peer is a broker's client of the other brokers of its cluster.
//
//	caller ──Do, Fetch──▶ Client ──▶ lane (broker, purpose) ──▶ connection: one reader goroutine
//	                                   │ dials when it is needed,           requests leave in the
//	                                   │ backs off after a failure          caller's goroutine
//	                                   └── TCP ─▶ TLS ─▶ ApiVersions ─▶ SASL
//
// A lane is the connection to one broker for one purpose. A broker takes one request of a connection
// after the other, so that a fetch that waits for records would hold up whatever came after it:
// fetches have a lane of their own, and so have other requests. Within a lane requests are
// pipelined, and answers come in the order of the requests.
//
// A connection that fails fails all requests on it, with an error, for nobody knows whether they
// were served; whether to repeat one is the caller's business. The next request dials anew, but
// not before a pause that grows with each failure in a row; until then requests fail at once.
// When a broker is reached elsewhere than before its lanes are dialed anew.
//
// What a broker serves is asked first (ApiVersions); a request is sent in the lower of its own
// version and the highest that the broker knows.
//
// # Goroutines
//
// One reader per connection, owned by the Client, which Close waits for. Dialing is done by the
// caller that needs the connection; others that come meanwhile wait for it, each as long as its
// context lasts.
//
// Locks: Client.mu guards the table of lanes, lane.mu a lane's connection; a connection's write
// lock is held during a write to the socket, which a deadline bounds. The lock of frames is held alone.
//
// Left out: SASL mechanisms other than PLAIN and SCRAM, re-authentication (a broker that asks for it
// closes the connection, which is dialed anew).
package peer
