package protocol

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ControlFrameMax bounds the frames of all requests but Produce, in bytes.
// Kafka has one limit for all (socket.request.max.bytes), but only records need
// megabytes: 8 MiB name a quarter of a million partitions. Decoded, an element of
// two bytes may take a hundred in memory, which makes the larger limit a weapon.
const ControlFrameMax = 8 << 20

// Decode reads the body of a request by kmsg. Byte slices of the result lie in
// body, strings are its own. Neither Produce nor Fetch should come here: see
// ProduceRequest and FetchRequest.
func Decode(key Key, version int16, body []byte) (kmsg.Request, error) {
	if key != Produce && len(body) > ControlFrameMax {
		return nil, fmt.Errorf("%s v%d of %d bytes: %w", key, version, len(body), ErrMalformed)
	}
	req := kmsg.RequestForKey(int16(key))
	if req == nil {
		return nil, fmt.Errorf("%s: %w", key, ErrMalformed)
	}
	req.SetVersion(version)
	if err := req.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("%s v%d: %w", key, version, ErrMalformed)
	}
	return req, nil
}

// AppendResponse writes a whole response, size included, in the response's version.
//
// Where the schema allows null and clients do not, null is what a nil slice becomes:
// records of a fetch, assignments of a group, metadata of a member. Whoever fills a
// response sets []byte{} there.
func AppendResponse(b []byte, correlationID int32, resp kmsg.Response) []byte {
	b, mark := BeginFrame(b)
	b = AppendResponseHeader(b, Key(resp.Key()), resp.GetVersion(), correlationID)
	return EndFrame(resp.AppendTo(b), mark, 0)
}

// AppendRequest writes a whole request, size included, in the request's version.
func AppendRequest(b []byte, correlationID int32, clientID string, req kmsg.Request) []byte {
	b, mark := BeginFrame(b)
	b = AppendHeader(b, Header{Key: Key(req.Key()), Version: req.GetVersion(), CorrelationID: correlationID, ClientID: clientID})
	return EndFrame(req.AppendTo(b), mark, 0)
}
