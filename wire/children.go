package wire

// GetChildrenRequest asks for the names of a node's children.
type GetChildrenRequest struct {
	Path  string
	Watch bool
}

// AppendTo implements Record.
func (r *GetChildrenRequest) AppendTo(b []byte) []byte {
	return AppendBool(AppendString(b, r.Path), r.Watch)
}

// Decode implements Record.
func (r *GetChildrenRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Watch = d.Bool()
}

// GetChildrenResponse answers it, in no promised order.
type GetChildrenResponse struct{ Children []string }

// AppendTo implements Record.
func (r *GetChildrenResponse) AppendTo(b []byte) []byte { return AppendStrings(b, r.Children) }

// Decode implements Record.
func (r *GetChildrenResponse) Decode(d *Decoder) { r.Children = d.Strings() }

// GetChildren2Request asks for the names of a node's children and its Stat.
type GetChildren2Request struct {
	Path  string
	Watch bool
}

// AppendTo implements Record.
func (r *GetChildren2Request) AppendTo(b []byte) []byte {
	return AppendBool(AppendString(b, r.Path), r.Watch)
}

// Decode implements Record.
func (r *GetChildren2Request) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Watch = d.Bool()
}

// GetChildren2Response answers it, in no promised order. Stat is the parent's.
type GetChildren2Response struct {
	Children []string
	Stat     Stat
}

// AppendTo implements Record.
func (r *GetChildren2Response) AppendTo(b []byte) []byte {
	return r.Stat.AppendTo(AppendStrings(b, r.Children))
}

// Decode implements Record.
func (r *GetChildren2Response) Decode(d *Decoder) {
	r.Children = d.Strings()
	r.Stat.Decode(d)
}

// GetChildrenPageRequest asks for at most MaxReturned children in the order of
// their creation, from the child created by MinCzxid on, of which CzxidOffset
// (several children may be created by one transaction) are skipped.
type GetChildrenPageRequest struct {
	Path        string
	MaxReturned int32
	MinCzxid    Zxid
	CzxidOffset int32
	Watch       bool
}

// AppendTo implements Record.
func (r *GetChildrenPageRequest) AppendTo(b []byte) []byte {
	b = AppendString(b, r.Path)
	b = AppendInt32(b, r.MaxReturned)
	b = AppendInt64(b, int64(r.MinCzxid))
	b = AppendInt32(b, r.CzxidOffset)
	return AppendBool(b, r.Watch)
}

// Decode implements Record.
func (r *GetChildrenPageRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.MaxReturned = d.Int32()
	r.MinCzxid = Zxid(d.Int64())
	r.CzxidOffset = d.Int32()
	r.Watch = d.Bool()
}

// GetChildrenPageResponse answers it; the last two fields are the MinCzxid and
// CzxidOffset of the request for the next page.
type GetChildrenPageResponse struct {
	Children            []string
	Stat                Stat
	NextPageCzxid       Zxid
	NextPageCzxidOffset int32
}

// AppendTo implements Record.
func (r *GetChildrenPageResponse) AppendTo(b []byte) []byte {
	b = AppendStrings(b, r.Children)
	b = r.Stat.AppendTo(b)
	b = AppendInt64(b, int64(r.NextPageCzxid))
	return AppendInt32(b, r.NextPageCzxidOffset)
}

// Decode implements Record.
func (r *GetChildrenPageResponse) Decode(d *Decoder) {
	r.Children = d.Strings()
	r.Stat.Decode(d)
	r.NextPageCzxid = Zxid(d.Int64())
	r.NextPageCzxidOffset = d.Int32()
}

// GetEphemeralsRequest asks for the session's own ephemeral nodes whose paths
// begin with the string PrefixPath.
type GetEphemeralsRequest struct{ PrefixPath string }

// AppendTo implements Record.
func (r *GetEphemeralsRequest) AppendTo(b []byte) []byte { return AppendString(b, r.PrefixPath) }

// Decode implements Record.
func (r *GetEphemeralsRequest) Decode(d *Decoder) { r.PrefixPath = d.String() }

// GetEphemeralsResponse answers it, in no promised order.
type GetEphemeralsResponse struct{ Ephemerals []string }

// AppendTo implements Record.
func (r *GetEphemeralsResponse) AppendTo(b []byte) []byte { return AppendStrings(b, r.Ephemerals) }

// Decode implements Record.
func (r *GetEphemeralsResponse) Decode(d *Decoder) { r.Ephemerals = d.Strings() }

// GetAllChildrenNumberRequest asks how many nodes are below a node.
type GetAllChildrenNumberRequest struct{ Path string }

// AppendTo implements Record.
func (r *GetAllChildrenNumberRequest) AppendTo(b []byte) []byte { return AppendString(b, r.Path) }

// Decode implements Record.
func (r *GetAllChildrenNumberRequest) Decode(d *Decoder) { r.Path = d.Path() }

// GetAllChildrenNumberResponse answers it.
type GetAllChildrenNumberResponse struct{ TotalNumber int32 }

// AppendTo implements Record.
func (r *GetAllChildrenNumberResponse) AppendTo(b []byte) []byte {
	return AppendInt32(b, r.TotalNumber)
}

// Decode implements Record.
func (r *GetAllChildrenNumberResponse) Decode(d *Decoder) { r.TotalNumber = d.Int32() }
