package wire

// Stat is what the protocol tells about a node besides its data. Times are in
// milliseconds since 1970 by the leader's clock.
type Stat struct {
	Czxid, Mzxid                Zxid  // of the creation and of the last change of the data
	Ctime, Mtime                int64 // of the same two
	Version, Cversion, Aversion int32 // changes of data, of children (both ways) and of the ACL
	EphemeralOwner              int64 // session of an ephemeral node; 0 for every other kind
	DataLength, NumChildren     int32
	Pzxid                       Zxid // of the last creation or deletion of a child
}

// AppendTo implements Record.
func (s *Stat) AppendTo(b []byte) []byte {
	b = AppendInt64(b, int64(s.Czxid))
	b = AppendInt64(b, int64(s.Mzxid))
	b = AppendInt64(b, s.Ctime)
	b = AppendInt64(b, s.Mtime)
	b = AppendInt32(b, s.Version)
	b = AppendInt32(b, s.Cversion)
	b = AppendInt32(b, s.Aversion)
	b = AppendInt64(b, s.EphemeralOwner)
	b = AppendInt32(b, s.DataLength)
	b = AppendInt32(b, s.NumChildren)
	return AppendInt64(b, int64(s.Pzxid))
}

// Decode implements Record.
func (s *Stat) Decode(d *Decoder) {
	s.Czxid = Zxid(d.Int64())
	s.Mzxid = Zxid(d.Int64())
	s.Ctime = d.Int64()
	s.Mtime = d.Int64()
	s.Version = d.Int32()
	s.Cversion = d.Int32()
	s.Aversion = d.Int32()
	s.EphemeralOwner = d.Int64()
	s.DataLength = d.Int32()
	s.NumChildren = d.Int32()
	s.Pzxid = Zxid(d.Int64())
}
