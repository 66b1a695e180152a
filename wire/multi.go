package wire

import "fmt"

// A multi and a multiRead are framed alike, request and response:
//
//	MultiHeader, record │ MultiHeader, record │ … │ MultiHeader{-1, true, -1}

// MultiHeader precedes each part of a multi and ends it.
type MultiHeader struct {
	Type OpCode
	Done bool
	Err  ErrCode // −1 in requests
}

// AppendTo implements Record.
func (h *MultiHeader) AppendTo(b []byte) []byte {
	return AppendInt32(AppendBool(AppendInt32(b, int32(h.Type)), h.Done), int32(h.Err))
}

// Decode implements Record.
func (h *MultiHeader) Decode(d *Decoder) {
	h.Type = OpCode(d.Int32())
	h.Done = d.Bool()
	h.Err = ErrCode(d.Int32())
}

// AppendMultiEnd appends the header that ends a multi, in requests and responses.
func AppendMultiEnd(b []byte) []byte {
	return (&MultiHeader{Type: OpError, Done: true, Err: -1}).AppendTo(b)
}

// MultiOp is one operation of a multi. Record is of the type that NewMultiRecord
// returns for Op.
type MultiOp struct {
	Op     OpCode
	Record Record
}

// Read reports whether the operation belongs into a multiRead.
func (o MultiOp) Read() bool { return o.Op == OpGetData || o.Op == OpGetChildren }

// NewMultiRecord returns a new request record for an operation that may be part of
// a multi or multiRead, nil for any other.
func NewMultiRecord(op OpCode) Record {
	switch op {
	case OpCreate, OpCreate2, OpCreateContainer:
		return new(CreateRequest)
	case OpCreateTTL:
		return new(CreateTTLRequest)
	case OpDelete:
		return new(DeleteRequest)
	case OpSetData:
		return new(SetDataRequest)
	case OpCheck:
		return new(CheckVersionRequest)
	case OpGetData:
		return new(GetDataRequest)
	case OpGetChildren:
		return new(GetChildrenRequest)
	}
	return nil
}

// MultiRequest is the request of multi and multiRead.
type MultiRequest struct{ Ops []MultiOp }

// AppendTo implements Record.
func (r *MultiRequest) AppendTo(b []byte) []byte {
	for _, op := range r.Ops {
		b = (&MultiHeader{Type: op.Op, Err: -1}).AppendTo(b)
		b = op.Record.AppendTo(b)
	}
	return AppendMultiEnd(b)
}

// Decode implements Record. An operation that is not for multis is an error, and so
// are reads and writes side by side; whether all are reads or all are writes is for
// the caller to compare with the op code of the request.
// ZooKeeper: MultiOperationRecord.
func (r *MultiRequest) Decode(d *Decoder) {
	r.Ops = nil
	// Grown by append: every operation takes some bytes of the input, so what is
	// allocated stays in proportion to them.
	var ops []MultiOp
	for {
		var h MultiHeader
		h.Decode(d)
		if h.Done || d.err != nil {
			break
		}
		op := MultiOp{Op: h.Type, Record: NewMultiRecord(h.Type)}
		if op.Record == nil {
			d.fail(fmt.Errorf("%v within a multi", h.Type))
			break
		}
		if len(ops) > 0 && op.Read() != ops[0].Read() {
			d.fail(decodeError("reads and writes in one multi"))
			break
		}
		op.Record.Decode(d)
		ops = append(ops, op)
	}
	if d.err == nil {
		r.Ops = ops
	}
}

// DecodeMulti reads the operations of a MultiRequest and returns the decoder's error.
func DecodeMulti(d *Decoder) ([]MultiOp, error) {
	var r MultiRequest
	r.Decode(d)
	return r.Ops, d.Err()
}

// MultiResult is the result of one operation of a multi: if Err is OK, what
// the operation has to tell.
//
// In a failed multi Type is OpError for every operation, and Err is OK for those
// before the failing one, the cause for that one, and ErrRuntimeInconsistency
// for those after it. In a multiRead the operations fail each for itself.
type MultiResult struct {
	Type     OpCode // OpError, OpCreate, OpCreate2 (for containers and TTLs too), OpDelete, OpSetData, OpCheck, OpGetData or OpGetChildren
	Err      ErrCode
	Path     string   // create, create2
	Stat     Stat     // create2, setData, getData
	Data     []byte   // getData
	Children []string // getChildren
}

// AppendTo implements Record.
func (r *MultiResult) AppendTo(b []byte) []byte {
	b = (&MultiHeader{Type: r.Type, Err: r.Err}).AppendTo(b)
	switch r.Type {
	case OpError:
		return AppendInt32(b, int32(r.Err))
	case OpCreate:
		return AppendString(b, r.Path)
	case OpCreate2:
		return r.Stat.AppendTo(AppendString(b, r.Path))
	case OpSetData:
		return r.Stat.AppendTo(b)
	case OpGetData:
		return r.Stat.AppendTo(AppendBuffer(b, r.Data))
	case OpGetChildren:
		return AppendStrings(b, r.Children)
	}
	return b
}

// Decode implements Record. The header that ends a response is an error here.
func (r *MultiResult) Decode(d *Decoder) {
	var h MultiHeader
	h.Decode(d)
	if h.Done {
		d.fail(decodeError("end of a multi instead of a result"))
	}
	r.decodeBody(h, d)
}

func (r *MultiResult) decodeBody(h MultiHeader, d *Decoder) {
	*r = MultiResult{Type: h.Type, Err: h.Err}
	switch h.Type {
	case OpError:
		d.Int32() // the code again
	case OpCreate:
		r.Path = d.String()
	case OpCreate2:
		r.Path = d.String()
		r.Stat.Decode(d)
	case OpSetData:
		r.Stat.Decode(d)
	case OpGetData:
		r.Data = d.Buffer()
		r.Stat.Decode(d)
	case OpGetChildren:
		r.Children = d.Strings()
	case OpDelete, OpCheck:
	default:
		d.fail(fmt.Errorf("result of %v within a multi", h.Type))
	}
}

// MultiResponse answers multi and multiRead. A server that does not want the
// slice appends each MultiResult and then AppendMultiEnd.
type MultiResponse struct{ Results []MultiResult }

// AppendTo implements Record.
func (r *MultiResponse) AppendTo(b []byte) []byte {
	for i := range r.Results {
		b = r.Results[i].AppendTo(b)
	}
	return AppendMultiEnd(b)
}

// Decode implements Record.
func (r *MultiResponse) Decode(d *Decoder) {
	r.Results = nil
	var results []MultiResult
	for {
		var h MultiHeader
		h.Decode(d)
		if h.Done || d.err != nil {
			break
		}
		results = append(results, MultiResult{})
		results[len(results)-1].decodeBody(h, d)
	}
	if d.err == nil {
		r.Results = results
	}
}
