// Package wire is the ZooKeeper client protocol: frames, the handshake, every
// request, reply and notification record, op codes and error codes.
//
// # Format
//
// All integers are big-endian two's complement. Both directions carry frames:
//
//	      first frame of a connection             every later frame
//	┌────────┬───────────────────────┐   ┌────────┬──────────────────┬────────┐
//	│ int32  │ ConnectRequest        │   │ int32  │ RequestHeader    │ record │  client → server
//	│ length │ (no header)           │   │ length │ xid, op          │ by op  │
//	├────────┼───────────────────────┤   ├────────┼──────────────────┼────────┤
//	│ length │ ConnectResponse       │   │ length │ ReplyHeader      │ record │  server → client
//	└────────┴───────────────────────┘   │        │ xid, zxid, err   │ if OK  │
//	                                     └────────┴──────────────────┴────────┘
//
// Records are in the encoding of Apache's jute compiler: fields in order, without
// tags. A string or buffer is an int32 length and its bytes, a vector an int32
// count and its elements; −1 stands for null. The type names here are those of
// zookeeper.jute.
//
// # Null and empty
//
// Buffers keep the difference: nil is null (−1), a non-nil empty slice is empty
// (0). Strings do not: null is read as "", and "" is written as empty; the few
// fields where the difference has a meaning are pointers. Vectors: null is read as
// nil, and nil is written as empty, since no peer gives null a meaning of its own and
// several fail on it. A path that the original cannot work with when it is null is a
// decoding error (Decoder.Path).
//
// # Ownership
//
// Decoding copies no bytes: strings and buffers of a decoded record alias the
// input and hold while the input is unchanged. Whoever keeps one longer clones
// it (strings.Clone, slices.Clone). No decoder allocates more than a small
// multiple of the bytes it was given, whatever lengths and counts these claim.
// Encoding appends to a slice of the caller's and allocates only to grow it.
//
// # Concurrency
//
// Nothing here starts a goroutine or holds shared state. A Decoder, a FrameReader and a
// record each belong to one goroutine at a time.
//
// # Left out
//
// The meaning of the records (package znode, server/apply), connections
// (server, wire/client), transaction logs and the servers' own protocol. UTF-8
// is not checked: the original's Java writer emits surrogate pairs that are not
// valid UTF-8, so bytes pass through untouched.
package wire
