package wire

// RequestHeader begins every request but the first.
type RequestHeader struct {
	Xid Xid
	Op  OpCode
}

// AppendTo implements Record.
func (h *RequestHeader) AppendTo(b []byte) []byte {
	return AppendInt32(AppendInt32(b, int32(h.Xid)), int32(h.Op))
}

// Decode implements Record.
func (h *RequestHeader) Decode(d *Decoder) {
	h.Xid = Xid(d.Int32())
	h.Op = OpCode(d.Int32())
}

// ReplyHeader begins every reply and notification. The record of the operation
// follows only if Err is OK, except for a failed SASL step (SetSASLResponse) and a
// multiRead that holds a write (an empty MultiResponse).
type ReplyHeader struct {
	Xid  Xid
	Zxid Zxid // a write's own; for reads the last one applied where it was answered
	Err  ErrCode
}

// AppendTo implements Record.
func (h *ReplyHeader) AppendTo(b []byte) []byte {
	b = AppendInt32(b, int32(h.Xid))
	b = AppendInt64(b, int64(h.Zxid))
	return AppendInt32(b, int32(h.Err))
}

// Decode implements Record.
func (h *ReplyHeader) Decode(d *Decoder) {
	h.Xid = Xid(d.Int32())
	h.Zxid = Zxid(d.Int64())
	h.Err = ErrCode(d.Int32())
}

// PasswdSize is the length of a session's password.
const PasswdSize = 16

// ConnectRequest is the first payload of a connection.
type ConnectRequest struct {
	ProtocolVersion int32 // ignored, 0
	LastZxidSeen    Zxid
	TimeoutMillis   int32     // wanted
	SessionID       SessionID // 0 for a new session
	Passwd          []byte    // PasswdSize bytes, zero for a new session
	ReadOnly        bool
	HasReadOnly     bool // false for clients before 3.4, which end after Passwd
}

// AppendTo implements Record.
func (r *ConnectRequest) AppendTo(b []byte) []byte {
	b = AppendInt32(b, r.ProtocolVersion)
	b = AppendInt64(b, int64(r.LastZxidSeen))
	b = AppendInt32(b, r.TimeoutMillis)
	b = AppendInt64(b, int64(r.SessionID))
	b = AppendBuffer(b, r.Passwd)
	if r.HasReadOnly {
		b = AppendBool(b, r.ReadOnly)
	}
	return b
}

// Decode implements Record. The record's end decides HasReadOnly, so d must hold
// this record only.
func (r *ConnectRequest) Decode(d *Decoder) {
	r.ProtocolVersion = d.Int32()
	r.LastZxidSeen = Zxid(d.Int64())
	r.TimeoutMillis = d.Int32()
	r.SessionID = SessionID(d.Int64())
	r.Passwd = d.Buffer()
	r.HasReadOnly = d.Len() > 0
	r.ReadOnly = r.HasReadOnly && d.Bool()
}

// ConnectResponse answers it. A session that is unknown, expired or claimed with a
// wrong password is refused by zeros in every field.
type ConnectResponse struct {
	ProtocolVersion int32 // 0
	TimeoutMillis   int32 // negotiated; 0 if the session was refused
	SessionID       SessionID
	Passwd          []byte
	ReadOnly        bool
	HasReadOnly     bool // as in the request: clients before 3.4 fail on the extra byte
}

// AppendTo implements Record.
func (r *ConnectResponse) AppendTo(b []byte) []byte {
	b = AppendInt32(b, r.ProtocolVersion)
	b = AppendInt32(b, r.TimeoutMillis)
	b = AppendInt64(b, int64(r.SessionID))
	b = AppendBuffer(b, r.Passwd)
	if r.HasReadOnly {
		b = AppendBool(b, r.ReadOnly)
	}
	return b
}

// Decode implements Record. The record's end decides HasReadOnly, so d must hold
// this record only.
func (r *ConnectResponse) Decode(d *Decoder) {
	r.ProtocolVersion = d.Int32()
	r.TimeoutMillis = d.Int32()
	r.SessionID = SessionID(d.Int64())
	r.Passwd = d.Buffer()
	r.HasReadOnly = d.Len() > 0
	r.ReadOnly = r.HasReadOnly && d.Bool()
}
