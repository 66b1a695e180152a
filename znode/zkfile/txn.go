package zkfile

import (
	"errors"
	"fmt"

	"holt/wire"
)

// Txn is one record of a transaction log. Strings and slices in it alias the
// reader's buffer until the next one is read.
type Txn struct {
	Session    wire.SessionID
	Cxid       int32
	Zxid       wire.Zxid
	TimeMillis int64
	Op         Op
	// Digest is that of the tree after the transaction, nil if it was not written.
	Digest *Digest
}

// Op is what a transaction did. By Type, with the fields that it has:
//
//	createSession            TimeoutMillis
//	closeSession             Paths, if HasPaths
//	error                    Err
//	create, create2          Path Data ACL Ephemeral ParentCversion (−1: one more than it was)
//	createContainer          Path Data ACL ParentCversion
//	createTTL                Path Data ACL ParentCversion TTLMillis
//	delete, deleteContainer  Path
//	setData, reconfig        Path Data Version
//	setACL                   Path ACL Version
//	check (in a multi)       Path Version
//	multi                    Ops
//
// Versions are those after the operation.
type Op struct {
	Type           wire.OpCode
	Path           string
	Data           []byte
	ACL            []wire.ACL
	Ephemeral      bool
	ParentCversion int32
	TTLMillis      int64
	Version        int32
	TimeoutMillis  int32
	Err            wire.ErrCode
	Paths          []string
	HasPaths       bool
	Ops            []Op
}

// Failed reports whether a multi was refused: then none of its parts counts, also not
// those that look as if they had been done.
func (o *Op) Failed() bool {
	for i := range o.Ops {
		if o.Ops[i].Type == wire.OpError {
			return true
		}
	}
	return false
}

const (
	txnHeadSize   = 8 + 4 + 8 + 8 + 4
	txnDigestSize = 4 + 8
)

var errShortTxn = errors.New("the transaction is shorter than its kind")

// decodeTxn reads the bytes of a record, which t then aliases.
func decodeTxn(b []byte, t *Txn) error {
	if len(b) < txnHeadSize {
		return errShortTxn
	}
	d := wire.NewDecoder(b)
	*t = Txn{Session: wire.SessionID(d.Int64()), Cxid: d.Int32(), Zxid: wire.Zxid(d.Int64()), TimeMillis: d.Int64()}
	t.Op.Type = wire.OpCode(d.Int32())
	body := d.Rest()
	if err := t.Op.decode(d); err != nil {
		if t.Op.Type != wire.OpCreate {
			return err
		}
		// ZooKeeper before 3.4 did not write the parent's counter.
		d.Reset(body)
		t.Op = Op{Type: wire.OpCreate}
		if t.Op.decodeCreate(d); d.Err() != nil {
			return errShortTxn
		}
		t.Op.ParentCversion = -1
	}
	if d.Len() >= txnDigestSize {
		t.Digest = &Digest{Zxid: t.Zxid, Version: d.Int32(), Value: uint64(d.Int64())}
	}
	return nil
}

// decode reads what follows the type.
func (o *Op) decode(d *wire.Decoder) error {
	switch o.Type {
	case wire.OpCreateSession:
		o.TimeoutMillis = d.Int32()
	case wire.OpCloseSession:
		o.decodeClose(d)
	case wire.OpError:
		o.Err = wire.ErrCode(d.Int32())
	case wire.OpCreate, wire.OpCreate2:
		o.decodeCreate(d)
		o.ParentCversion = d.Int32()
	case wire.OpCreateContainer, wire.OpCreateTTL:
		o.Path, o.Data, o.ACL = d.String(), d.Buffer(), d.ACLs()
		o.ParentCversion = d.Int32()
		if o.Type == wire.OpCreateTTL {
			o.TTLMillis = d.Int64()
		}
	case wire.OpDelete, wire.OpDeleteContainer:
		o.Path = d.String()
	case wire.OpSetData, wire.OpReconfig:
		o.Path, o.Data, o.Version = d.String(), d.Buffer(), d.Int32()
	case wire.OpSetACL:
		o.Path, o.ACL, o.Version = d.String(), d.ACLs(), d.Int32()
	case wire.OpCheck:
		o.Path, o.Version = d.String(), d.Int32()
	case wire.OpMulti:
		return o.decodeMulti(d)
	default:
		return fmt.Errorf("transactions of type %d are unknown", int32(o.Type))
	}
	if d.Err() != nil {
		return errShortTxn
	}
	return nil
}

func (o *Op) decodeCreate(d *wire.Decoder) {
	o.Path, o.Data, o.ACL, o.Ephemeral = d.String(), d.Buffer(), d.ACLs(), d.Bool()
}

// decodeClose reads the paths, which versions before 3.6 do not write, nor later ones
// with closeSessionTxn.enabled off; a digest may follow in either case. It is the paths
// if they fill what there is, with or without a digest.
func (o *Op) decodeClose(d *wire.Decoder) {
	all := d.Rest()
	paths := d.Strings()
	if rest := d.Len(); d.Err() == nil && (rest == 0 || rest == txnDigestSize) && len(all) > 0 {
		o.Paths, o.HasPaths = paths, true
		return
	}
	d.Reset(all)
}

func (o *Op) decodeMulti(d *wire.Decoder) error {
	n := int(d.Int32())
	if n > d.Len()/8 { // type and length
		return errShortTxn
	}
	for ; n > 0; n-- {
		sub := Op{Type: wire.OpCode(d.Int32())}
		body := d.Buffer()
		switch sub.Type {
		case wire.OpMulti, wire.OpCreateSession, wire.OpCloseSession, wire.OpReconfig, wire.OpSetACL:
			return fmt.Errorf("a multi with a part of type %d", int32(sub.Type))
		}
		if d.Err() != nil {
			return errShortTxn
		}
		if err := sub.decode(wire.NewDecoder(body)); err != nil {
			return err
		}
		o.Ops = append(o.Ops, sub)
	}
	if d.Err() != nil {
		return errShortTxn
	}
	return nil
}

// appendTxn appends the bytes of a record.
func appendTxn(b []byte, t *Txn) ([]byte, error) {
	b = wire.AppendInt64(b, int64(t.Session))
	b = wire.AppendInt32(b, t.Cxid)
	b = wire.AppendInt64(b, int64(t.Zxid))
	b = wire.AppendInt64(b, t.TimeMillis)
	b = wire.AppendInt32(b, int32(t.Op.Type))
	b, err := t.Op.append(b)
	if err == nil && t.Digest != nil {
		b = wire.AppendInt32(b, t.Digest.Version)
		b = wire.AppendInt64(b, int64(t.Digest.Value))
	}
	return b, err
}

func (o *Op) append(b []byte) ([]byte, error) {
	switch o.Type {
	case wire.OpCreateSession:
		b = wire.AppendInt32(b, o.TimeoutMillis)
	case wire.OpCloseSession:
		if o.HasPaths {
			b = wire.AppendStrings(b, nonNilStrings(o.Paths))
		}
	case wire.OpError:
		b = wire.AppendInt32(b, int32(o.Err))
	case wire.OpCreate, wire.OpCreate2:
		b = wire.AppendBool(o.appendContents(b), o.Ephemeral)
		b = wire.AppendInt32(b, o.ParentCversion)
	case wire.OpCreateContainer:
		b = wire.AppendInt32(o.appendContents(b), o.ParentCversion)
	case wire.OpCreateTTL:
		b = wire.AppendInt32(o.appendContents(b), o.ParentCversion)
		b = wire.AppendInt64(b, o.TTLMillis)
	case wire.OpDelete, wire.OpDeleteContainer:
		b = wire.AppendString(b, o.Path)
	case wire.OpSetData, wire.OpReconfig:
		b = wire.AppendBuffer(wire.AppendString(b, o.Path), o.Data)
		b = wire.AppendInt32(b, o.Version)
	case wire.OpSetACL:
		b = wire.AppendACLs(wire.AppendString(b, o.Path), o.ACL)
		b = wire.AppendInt32(b, o.Version)
	case wire.OpCheck:
		b = wire.AppendInt32(wire.AppendString(b, o.Path), o.Version)
	case wire.OpMulti:
		b = wire.AppendInt32(b, int32(len(o.Ops)))
		for i := range o.Ops {
			part, err := o.Ops[i].append(nil)
			if err != nil {
				return nil, err
			}
			b = wire.AppendInt32(b, int32(o.Ops[i].Type))
			b = wire.AppendBuffer(b, append([]byte{}, part...))
		}
	default:
		return nil, fmt.Errorf("transactions of type %d are unknown", int32(o.Type))
	}
	return b, nil
}

func (o *Op) appendContents(b []byte) []byte {
	b = wire.AppendString(b, o.Path)
	return wire.AppendACLs(wire.AppendBuffer(b, o.Data), o.ACL)
}

func nonNilStrings(v []string) []string {
	if v == nil {
		return []string{}
	}
	return v
}
