package wire

// ExistsRequest asks for the Stat of a node.
type ExistsRequest struct {
	Path  string
	Watch bool
}

// AppendTo implements Record.
func (r *ExistsRequest) AppendTo(b []byte) []byte {
	return AppendBool(AppendString(b, r.Path), r.Watch)
}

// Decode implements Record.
func (r *ExistsRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Watch = d.Bool()
}

// ExistsResponse answers it.
type ExistsResponse struct{ Stat Stat }

// AppendTo implements Record.
func (r *ExistsResponse) AppendTo(b []byte) []byte { return r.Stat.AppendTo(b) }

// Decode implements Record.
func (r *ExistsResponse) Decode(d *Decoder) { r.Stat.Decode(d) }

// GetDataRequest asks for the data and Stat of a node.
type GetDataRequest struct {
	Path  string
	Watch bool
}

// AppendTo implements Record.
func (r *GetDataRequest) AppendTo(b []byte) []byte {
	return AppendBool(AppendString(b, r.Path), r.Watch)
}

// Decode implements Record.
func (r *GetDataRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Watch = d.Bool()
}

// GetDataResponse answers it, and reconfig too.
type GetDataResponse struct {
	Data []byte
	Stat Stat
}

// AppendTo implements Record.
func (r *GetDataResponse) AppendTo(b []byte) []byte { return r.Stat.AppendTo(AppendBuffer(b, r.Data)) }

// Decode implements Record.
func (r *GetDataResponse) Decode(d *Decoder) {
	r.Data = d.Buffer()
	r.Stat.Decode(d)
}

// SetDataRequest replaces the data of a node whose Version is Version, or any if −1.
type SetDataRequest struct {
	Path    string
	Data    []byte
	Version int32
}

// AppendTo implements Record.
func (r *SetDataRequest) AppendTo(b []byte) []byte {
	return AppendInt32(AppendBuffer(AppendString(b, r.Path), r.Data), r.Version)
}

// Decode implements Record.
func (r *SetDataRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Data = d.Buffer()
	r.Version = d.Int32()
}

// SetDataResponse answers it.
type SetDataResponse struct{ Stat Stat }

// AppendTo implements Record.
func (r *SetDataResponse) AppendTo(b []byte) []byte { return r.Stat.AppendTo(b) }

// Decode implements Record.
func (r *SetDataResponse) Decode(d *Decoder) { r.Stat.Decode(d) }

// SyncRequest asks that later reads of the session see all that was committed
// before. The path means nothing and is not checked.
type SyncRequest struct{ Path string }

// AppendTo implements Record.
func (r *SyncRequest) AppendTo(b []byte) []byte { return AppendString(b, r.Path) }

// Decode implements Record.
func (r *SyncRequest) Decode(d *Decoder) { r.Path = d.String() }

// SyncResponse answers it with the request's path.
type SyncResponse struct{ Path string }

// AppendTo implements Record.
func (r *SyncResponse) AppendTo(b []byte) []byte { return AppendString(b, r.Path) }

// Decode implements Record.
func (r *SyncResponse) Decode(d *Decoder) { r.Path = d.String() }

// CheckVersionRequest is the part of a multi that fails it unless the node
// exists and its Version is Version, or any if −1.
type CheckVersionRequest struct {
	Path    string
	Version int32
}

// AppendTo implements Record.
func (r *CheckVersionRequest) AppendTo(b []byte) []byte {
	return AppendInt32(AppendString(b, r.Path), r.Version)
}

// Decode implements Record.
func (r *CheckVersionRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Version = d.Int32()
}

// ReconfigRequest changes the ensemble: incrementally by the first two lists, or, if
// NewMembers is not nil, as a whole.
type ReconfigRequest struct {
	JoiningServers *string // comma separated, nil for null
	LeavingServers *string
	NewMembers     *string
	CurConfigID    int64 // version that the change builds on, −1 for any
}

// AppendTo implements Record.
func (r *ReconfigRequest) AppendTo(b []byte) []byte {
	b = appendNullString(b, r.JoiningServers)
	b = appendNullString(b, r.LeavingServers)
	b = appendNullString(b, r.NewMembers)
	return AppendInt64(b, r.CurConfigID)
}

// Decode implements Record.
func (r *ReconfigRequest) Decode(d *Decoder) {
	r.JoiningServers = d.nullString()
	r.LeavingServers = d.nullString()
	r.NewMembers = d.nullString()
	r.CurConfigID = d.Int64()
}
