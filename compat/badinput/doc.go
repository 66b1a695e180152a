// Package badinput holds the suite of what no well-behaved client sends, on every port that a
// member opens:
//
//	clients      frames and records that lie about their length, are cut off or random, op codes
//	             that do not exist, clients that never read, stop half-way through the handshake,
//	             or come by the thousand
//	logins       tokens of SASL that are oversized, lie, or never end
//	TLS          no handshake, half of one, one by the thousand; plaintext there and TLS on the
//	             port for plaintext; bad records below a session and within it; renegotiation
//	operators    HTTP that is none, too large or too slow, on the AdminServer and the metrics
//	             page; commands that need credentials without them
//	members      bytes of others on the ports between members, and silence
//
// For each case of clients the answer of the original is written down, and the original is
// held to it when it is the target. A member of Holt must give the same answer or
// close that connection, in bounded time, and nothing else: a session beside it must go on being
// served, and the process must stay within its memory bound.
//
//	go test ./compat/badinput -target=holt
//
// Left out: the original with the bytes between members, where it believes whoever speaks its
// language; Kerberos' tokens with a right beginning (sasl/gssapi has these).
package badinput
