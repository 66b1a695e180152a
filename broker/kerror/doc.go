// Package kerror names the error codes of Kafka's protocol.
//
// A [Code] is an outcome: what a request came to, told to the client as two
// bytes. It is not a Go error and has no Error method, so that it is never
// returned where a failure of this process belongs, nor wrapped. A function
// that may both refuse and fail returns (…, Code, error), and its doc says
// that the code counts only when the error is nil.
//
// [OK] is success; Java calls it NONE. Names, numbers and [Code.Retriable]
// follow Kafka 3.9.2 (org.apache.kafka.common.protocol.Errors), listed by the
// original itself in testdata/errors.txt.
//
// Not here: messages. Where a response has room for one, whoever refuses knows
// best what to say, and Java clients have a text of their own for each code.
package kerror
