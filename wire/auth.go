package wire

// AuthPacket adds an identity to a connection. Answered by the header alone.
type AuthPacket struct {
	Type   int32 // unused, 0
	Scheme string
	Auth   []byte
}

// AppendTo implements Record.
func (r *AuthPacket) AppendTo(b []byte) []byte {
	return AppendBuffer(AppendString(AppendInt32(b, r.Type), r.Scheme), r.Auth)
}

// Decode implements Record.
func (r *AuthPacket) Decode(d *Decoder) {
	r.Type = d.Int32()
	r.Scheme = d.String()
	r.Auth = d.Buffer()
}

// GetSASLRequest is the client's next step of a SASL exchange.
type GetSASLRequest struct{ Token []byte }

// AppendTo implements Record.
func (r *GetSASLRequest) AppendTo(b []byte) []byte { return AppendBuffer(b, r.Token) }

// Decode implements Record.
func (r *GetSASLRequest) Decode(d *Decoder) { r.Token = d.Buffer() }

// SetSASLResponse is the server's; Token is nil if the exchange failed.
type SetSASLResponse struct{ Token []byte }

// AppendTo implements Record.
func (r *SetSASLResponse) AppendTo(b []byte) []byte { return AppendBuffer(b, r.Token) }

// Decode implements Record.
func (r *SetSASLResponse) Decode(d *Decoder) { r.Token = d.Buffer() }

// ClientInfo is one identity of a connection as whoAmI shows it, without secrets.
type ClientInfo struct{ AuthScheme, User string }

// WhoAmIResponse lists the identities of the connection. The request has no body.
type WhoAmIResponse struct{ ClientInfo []ClientInfo }

// AppendTo implements Record.
func (r *WhoAmIResponse) AppendTo(b []byte) []byte {
	b = AppendInt32(b, int32(len(r.ClientInfo)))
	for i := range r.ClientInfo {
		b = AppendString(b, r.ClientInfo[i].AuthScheme)
		b = AppendString(b, r.ClientInfo[i].User)
	}
	return b
}

// Decode implements Record.
func (r *WhoAmIResponse) Decode(d *Decoder) {
	const sizeMin = 8 // two empty strings
	r.ClientInfo = nil
	n := d.count(sizeMin)
	if n < 0 {
		return
	}
	infos := make([]ClientInfo, n)
	for i := range infos {
		infos[i].AuthScheme = d.String()
		infos[i].User = d.String()
	}
	if d.err == nil {
		r.ClientInfo = infos
	}
}
