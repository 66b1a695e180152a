package wire_test

import (
	"bytes"
	"fmt"

	"holt/wire"
)

// A request is a frame with a header and a record; so is the reply.
func Example() {
	b, mark := wire.BeginFrame(nil)
	b = (&wire.RequestHeader{Xid: 1, Op: wire.OpGetData}).AppendTo(b)
	b = (&wire.GetDataRequest{Path: "/a"}).AppendTo(b)
	b = wire.EndFrame(b, mark)

	payload, err := wire.NewFrameReader(bytes.NewReader(b), wire.MaxFrameDefault).Next()
	if err != nil {
		fmt.Println(err)
		return
	}
	d := wire.NewDecoder(payload)
	var header wire.RequestHeader
	header.Decode(d)
	request := wire.NewRequest(header.Op)
	request.Decode(d)
	fmt.Printf("%v %+v %v\n", header.Op, request, d.Err())
	// Output: getData &{Path:/a Watch:false} <nil>
}
