// Package protocol is Kafka's wire format as a broker needs it: request and
// response headers, the table of served APIs and its announcement, guarded
// decoding by kmsg, and codecs of its own for what is hot, Produce and Fetch.
//
//	request   int32 size │ key int16 │ version int16 │ correlation int32 │ client id │ [tags] │ body
//	response  int32 size │ correlation int32 │ [tags] │ body
//
// The client id is always the old nullable string with an int16 length. Tags are
// there from the API's first flexible version on; the response to ApiVersions
// never has them, for a client reads it before it knows what it talks to, and
// ControlledShutdown 0 has no client id.
//
// Vocabulary. A frame is what a size announces, without the size. A body is
// what follows a request's header. Parts are a response as a list of pieces, some
// of them bytes in memory and some of them ranges of files, so that records go
// from a log to a socket without being copied.
//
// Ownership. Nothing is copied on decoding: strings and byte slices of
// ProduceRequest, FetchRequest and FetchResponse lie in the frame and are valid
// as long as it is; what Decode returns copies strings, but its byte slices lie
// in the frame too. A decoder's struct may be used again for the next frame, which
// saves its allocations and invalidates what was taken from it.
//
// Bad input. Every count is checked against the bytes that are left before
// anything is allocated for it, nesting is as deep as the schema and no deeper,
// unknown tags are skipped by their size. What a frame makes a decoder allocate
// is bounded by a multiple of the frame (a struct in memory is larger than its least
// encoding): therefore frames without records are limited to ControlFrameMax.
//
// Concurrency: Table is immutable; everything else belongs to one goroutine at a
// time. Nothing here logs, blocks or keeps state.
//
// Left out: sockets and order of replies (broker/network), the contents of records
// (broker/record), what a request means.
package protocol
