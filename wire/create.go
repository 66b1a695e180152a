package wire

// CreateMode is the kind of a new node, the flags of a create request.
type CreateMode int32

const (
	ModePersistent                  CreateMode = 0
	ModeEphemeral                   CreateMode = 1
	ModePersistentSequential        CreateMode = 2
	ModeEphemeralSequential         CreateMode = 3
	ModeContainer                   CreateMode = 4
	ModePersistentWithTTL           CreateMode = 5
	ModePersistentSequentialWithTTL CreateMode = 6
)

// Valid reports whether m is one of the modes above.
func (m CreateMode) Valid() bool { return m >= ModePersistent && m <= ModePersistentSequentialWithTTL }

// Ephemeral reports whether the node ends with the session.
func (m CreateMode) Ephemeral() bool { return m == ModeEphemeral || m == ModeEphemeralSequential }

// Sequential reports whether a number is appended to the path.
func (m CreateMode) Sequential() bool {
	return m == ModePersistentSequential || m == ModeEphemeralSequential || m == ModePersistentSequentialWithTTL
}

// Container reports whether the node goes when its last child has gone.
func (m CreateMode) Container() bool { return m == ModeContainer }

// TTL reports whether the node goes when it was not changed for a time.
func (m CreateMode) TTL() bool {
	return m == ModePersistentWithTTL || m == ModePersistentSequentialWithTTL
}

// CreateRequest is the request of create, create2 and createContainer.
type CreateRequest struct {
	Path  string
	Data  []byte
	ACL   []ACL
	Flags int32 // a CreateMode, unchecked
}

// AppendTo implements Record.
func (r *CreateRequest) AppendTo(b []byte) []byte {
	b = AppendString(b, r.Path)
	b = AppendBuffer(b, r.Data)
	b = AppendACLs(b, r.ACL)
	return AppendInt32(b, r.Flags)
}

// Decode implements Record.
func (r *CreateRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Data = d.Buffer()
	r.ACL = d.ACLs()
	r.Flags = d.Int32()
}

// CreateTTLRequest is the request of createTTL.
type CreateTTLRequest struct {
	Path      string
	Data      []byte
	ACL       []ACL
	Flags     int32 // a CreateMode, unchecked
	TTLMillis int64
}

// AppendTo implements Record.
func (r *CreateTTLRequest) AppendTo(b []byte) []byte {
	b = AppendString(b, r.Path)
	b = AppendBuffer(b, r.Data)
	b = AppendACLs(b, r.ACL)
	b = AppendInt32(b, r.Flags)
	return AppendInt64(b, r.TTLMillis)
}

// Decode implements Record.
func (r *CreateTTLRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Data = d.Buffer()
	r.ACL = d.ACLs()
	r.Flags = d.Int32()
	r.TTLMillis = d.Int64()
}

// CreateResponse answers create with the path including any number appended to it.
type CreateResponse struct{ Path string }

// AppendTo implements Record.
func (r *CreateResponse) AppendTo(b []byte) []byte { return AppendString(b, r.Path) }

// Decode implements Record.
func (r *CreateResponse) Decode(d *Decoder) { r.Path = d.String() }

// Create2Response answers create2, createContainer and createTTL.
type Create2Response struct {
	Path string
	Stat Stat
}

// AppendTo implements Record.
func (r *Create2Response) AppendTo(b []byte) []byte { return r.Stat.AppendTo(AppendString(b, r.Path)) }

// Decode implements Record.
func (r *Create2Response) Decode(d *Decoder) {
	r.Path = d.String()
	r.Stat.Decode(d)
}

// DeleteRequest deletes a node whose Version is Version, or any if −1.
type DeleteRequest struct {
	Path    string
	Version int32
}

// AppendTo implements Record.
func (r *DeleteRequest) AppendTo(b []byte) []byte {
	return AppendInt32(AppendString(b, r.Path), r.Version)
}

// Decode implements Record.
func (r *DeleteRequest) Decode(d *Decoder) {
	r.Path = d.Path()
	r.Version = d.Int32()
}

// DeleteContainerRequest is what the original's leader sends itself to reap a
// container. Clients may not send it.
type DeleteContainerRequest struct{ Path string }

// AppendTo implements Record.
func (r *DeleteContainerRequest) AppendTo(b []byte) []byte { return AppendString(b, r.Path) }

// Decode implements Record.
func (r *DeleteContainerRequest) Decode(d *Decoder) { r.Path = d.Path() }
