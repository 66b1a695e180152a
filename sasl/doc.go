// Package sasl is how two sides prove who they are before they talk: SASL mechanisms, both
// sides of each, and the files in which Java programs keep what is needed for it.
//
//	client                                    server
//	Client.Step(nil)      ──── token ────▶    Conversation.Step
//	Client.Step           ◀─── answer ────      │
//	   │                  ──── token ────▶    Conversation.Step, done: User
//	Client.Step, done     ◀─── answer ────
//
// Vocabulary, that of RFC 4422. A mechanism is a way to prove it: DIGEST-MD5 (RFC 2831),
// SCRAM-SHA-256 (RFC 5802 and 7677), and in package sasl/gssapi GSSAPI (RFC 4752), which is
// Kerberos. A token is what one side says; how it travels is the protocol's affair.
// The authentication id is who proved it, the authorization id who it wants to act as.
// A login module is an entry of a JAAS file: the class that Java would load, and options.
//
// The package does no IO, starts no goroutine, reads no clock and does not log. Tokens
// come from strangers: whatever they hold, Step returns an error, keeps no more than the bytes of one
// token, and after an error or the end takes none.
//
// Concurrency: a Client or Conversation belongs to one connection; what makes them may be
// used from any goroutine.
//
// Left out: security layers (integrity and confidentiality by the mechanism, which TLS gives),
// the quick second login of DIGEST-MD5, channel binding.
package sasl
