package compare

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"holt/wire"
)

// Text writes what the clients saw, a line for each frame. Two transcripts with
// the same text have the same frames, except for pings that ended turns, which
// are left out while they are answered.
func (t Transcript) Text() string {
	var b strings.Builder
	for i := range t {
		if t[i].Kind == Pong {
			continue
		}
		b.WriteString(t[i].text())
		b.WriteByte('\n')
	}
	return b.String()
}

func (f *Frame) text() string {
	if f == nil {
		return "nothing"
	}
	prefix := f.Client + ": "
	if f.Client == "" {
		prefix = ""
	}
	switch f.Kind {
	case Reply:
		return prefix + f.replyText()
	case Pong:
		return prefix + "pong " + headerText(f.Data)
	case Event:
		return prefix + f.eventText()
	case Connected:
		return prefix + f.connectText()
	case Text:
		return wordText(string(f.Data))
	case Stray:
		return fmt.Sprintf("%sstray %x", prefix, f.Data)
	case Missing, Silent:
		return fmt.Sprintf("%s%s, waiting for %v", prefix, f.Kind, f.Op)
	}
	return prefix + f.Kind.String()
}

// wordText writes the answer to a four-letter word so that blank lines and a missing newline at
// the end show.
func wordText(text string) string {
	lines := strings.SplitAfter(text, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	}
	for i, line := range lines {
		whole, ok := strings.CutSuffix(line, "\n")
		if lines[i] = "| " + whole; whole == "" {
			lines[i] = "|"
		}
		if !ok {
			lines[i] += " (no newline)"
		}
	}
	return strings.Join(lines, "\n")
}

// headerText writes xid, zxid and code of a reply.
func headerText(b []byte) string {
	if len(b) < replyHeaderSize {
		return fmt.Sprintf("%x", b)
	}
	text := fmt.Sprintf("#%d %s", int32(binary.BigEndian.Uint32(b)), zxidText(int64(binary.BigEndian.Uint64(b[4:]))))
	if code := wire.ErrCode(binary.BigEndian.Uint32(b[12:])); code != wire.OK {
		text += " " + code.String()
	}
	return text
}

func (f *Frame) replyText() string {
	text := headerText(f.Data)
	if f.Note != "" {
		text = f.Note + " " + text
	}
	text = f.Op.String() + " " + text
	if len(f.Data) <= replyHeaderSize {
		return text
	}
	body := f.Data[replyHeaderSize:]
	record := wire.NewResponse(f.Op)
	if f.Op == wire.OpCreateSession || record == nil {
		return fmt.Sprintf("%s bytes %x", text, body)
	}
	if said, ok := recordText(record, body); ok {
		return text + " " + said
	}
	return fmt.Sprintf("%s bytes %x", text, body)
}

// recordText decodes a record and writes it, if encoding it again gives the same bytes: only
// then does the text say all of it.
func recordText(record wire.Record, body []byte) (string, bool) {
	d := wire.NewDecoder(body)
	record.Decode(d)
	if d.Err() != nil || !bytes.Equal(record.AppendTo(nil), body) {
		return "", false
	}
	switch r := record.(type) {
	case *wire.CreateResponse:
		return quote(r.Path), true
	case *wire.Create2Response:
		return quote(r.Path) + " " + statText(&r.Stat), true
	case *wire.ExistsResponse:
		return statText(&r.Stat), true
	case *wire.SetDataResponse:
		return statText(&r.Stat), true
	case *wire.SetACLResponse:
		return statText(&r.Stat), true
	case *wire.GetDataResponse:
		return dataText(r.Data) + " " + statText(&r.Stat), true
	case *wire.GetACLResponse:
		return aclText(r.ACL) + " " + statText(&r.Stat), true
	case *wire.GetChildrenResponse:
		return listText(r.Children), true
	case *wire.GetChildren2Response:
		return listText(r.Children) + " " + statText(&r.Stat), true
	case *wire.GetChildrenPageResponse:
		return fmt.Sprintf("%s %s next=%s/%d", listText(r.Children), statText(&r.Stat), zxidText(int64(r.NextPageCzxid)), r.NextPageCzxidOffset), true
	case *wire.GetEphemeralsResponse:
		return listText(r.Ephemerals), true
	case *wire.GetAllChildrenNumberResponse:
		return strconv.Itoa(int(r.TotalNumber)), true
	case *wire.SyncResponse:
		return quote(r.Path), true
	case *wire.ErrorResponse:
		return fmt.Sprintf("err=%d", r.Err), true
	case *wire.SetSASLResponse:
		return dataText(r.Token), true
	case *wire.WhoAmIResponse:
		var names []string
		for _, c := range r.ClientInfo {
			names = append(names, c.AuthScheme+":"+c.User)
		}
		return listText(names), true
	case *wire.MultiResponse:
		return multiText(r), true
	}
	return "", false
}

func multiText(r *wire.MultiResponse) string {
	var parts []string
	for i := range r.Results {
		m := &r.Results[i]
		switch m.Type {
		case wire.OpError:
			parts = append(parts, "error "+m.Err.String())
		case wire.OpCreate:
			parts = append(parts, "create "+quote(m.Path))
		case wire.OpCreate2:
			parts = append(parts, "create2 "+quote(m.Path)+" "+statText(&m.Stat))
		case wire.OpSetData:
			parts = append(parts, "setData "+statText(&m.Stat))
		case wire.OpGetData:
			parts = append(parts, "getData "+dataText(m.Data)+" "+statText(&m.Stat))
		case wire.OpGetChildren:
			parts = append(parts, "getChildren "+listText(m.Children))
		default:
			parts = append(parts, m.Type.String())
		}
		if m.Type != wire.OpError && m.Err != 0 {
			parts[len(parts)-1] += " " + m.Err.String()
		}
	}
	return "[" + strings.Join(parts, " | ") + "]"
}

func dataText(b []byte) string {
	v := value{null: b == nil, s: string(b)}
	return v.text(typeBuffer)
}

func listText(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, " ") + "]"
}

// statText writes a canonical Stat. Times and owner are left out where they are what they
// mostly are: right, and nobody.
func statText(s *wire.Stat) string {
	text := fmt.Sprintf("{c%s m%s p%s v%d/%d/%d len=%d kids=%d", zxidText(int64(s.Czxid)), zxidText(int64(s.Mzxid)), zxidText(int64(s.Pzxid)),
		s.Version, s.Cversion, s.Aversion, s.DataLength, s.NumChildren)
	want := timeCreated
	if s.Mzxid != s.Czxid {
		want = timeChanged
	}
	if s.Ctime != timeCreated || s.Mtime != want {
		text += fmt.Sprintf(" times=%d/%d", s.Ctime, s.Mtime)
	}
	if s.EphemeralOwner != 0 {
		text += " owner=" + sessionText(s.EphemeralOwner)
	}
	return text + "}"
}

// sessionText writes a canonical session id.
func sessionText(id int64) string {
	if n := id - sessionBase; n >= 0 && n < 1<<32 {
		return fmt.Sprintf("session%d", n+1)
	}
	return fmt.Sprintf("0x%x", uint64(id))
}

func (f *Frame) eventText() string {
	var e wire.WatcherEvent
	d := wire.NewDecoder(f.Data[replyHeaderSize:])
	e.Decode(d)
	if d.Err() != nil || d.Len() != 0 || binary.BigEndian.Uint32(f.Data[12:]) != 0 {
		return fmt.Sprintf("event bytes %x", f.Data)
	}
	text := fmt.Sprintf("event %s %s %s", zxidText(int64(binary.BigEndian.Uint64(f.Data[4:]))), e.Type, quote(e.Path))
	if e.State != wire.StateSyncConnected {
		text += fmt.Sprintf(" state=%d", e.State)
	}
	return text
}

func (f *Frame) connectText() string {
	var c wire.ConnectResponse
	d := wire.NewDecoder(f.Data)
	c.Decode(d)
	if d.Err() != nil || d.Len() != 0 || c.ProtocolVersion != 0 {
		return fmt.Sprintf("connected bytes %x", f.Data)
	}
	text := fmt.Sprintf("connected %s timeout=%d", sessionText(int64(c.SessionID)), c.TimeoutMillis)
	if c.SessionID == 0 {
		text = fmt.Sprintf("refused timeout=%d", c.TimeoutMillis)
	}
	if string(c.Passwd) != passwdSet {
		text += fmt.Sprintf(" passwd=%x", c.Passwd)
	}
	if c.HasReadOnly {
		text += fmt.Sprintf(" readonly=%v", c.ReadOnly)
	}
	return text
}
