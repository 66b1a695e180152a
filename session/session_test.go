package session

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"holt/wire"
)

func TestTable(t *testing.T) {
	pass, wrong := [16]byte{1, 2}, [16]byte{1, 3}
	table := NewTable()
	f, ok := table.Create(Facts{ID: 7, Passwd: pass, TimeoutMillis: 4000, Owner: 1})
	if want := (Facts{ID: 7, Passwd: pass, TimeoutMillis: 4000, Owner: 1, Attached: 1}); !ok || f != want {
		t.Fatalf("Create: %+v, %v", f, ok)
	}
	if _, ok := table.Get(7); ok || table.Len() != 0 {
		t.Error("visible before Commit")
	}
	if _, ok := table.Peek(7); !ok {
		t.Error("the writer does not see it")
	}
	if _, ok := table.Create(Facts{ID: 7}); ok {
		t.Error("created twice")
	}
	if _, ok := table.Create(Facts{}); ok {
		t.Error("created with id 0")
	}
	if _, ok := table.Attach(7, wrong, 5000, 2); ok {
		t.Error("attached with a wrong password")
	}
	if _, ok := table.Attach(8, pass, 5000, 2); ok {
		t.Error("attached a session that is not there")
	}
	table.Commit()
	f, ok = table.Attach(7, pass, 5000, 2)
	want := Facts{ID: 7, Passwd: pass, TimeoutMillis: 5000, Owner: 2, Attached: 2}
	if !ok || f != want {
		t.Fatalf("Attach: %+v, %v", f, ok)
	}
	if f, _ := table.Get(7); f.Owner != 1 || f.Attached != 1 {
		t.Errorf("readers see %+v before Commit", f)
	}
	table.Commit()
	if f, _ := table.Get(7); f != want {
		t.Errorf("after Commit %+v", f)
	}
	if !table.Close(7) || table.Close(7) {
		t.Error("Close: want true, then false")
	}
	if _, ok := table.Attach(7, pass, 5000, 2); ok {
		t.Error("attached a closed session")
	}
	if got := changes(table); !slices.Equal(got, []string{"0x7 closed"}) {
		t.Errorf("changes %v", got)
	}
	if table.Len() != 1 || len(table.All()) != 1 {
		t.Error("gone for readers before Commit")
	}
	table.Commit()
	if table.Len() != 0 || len(table.All()) != 0 || len(changes(table)) != 0 {
		t.Error("something left")
	}
}

// TestTableOneEntry: what happens to a session within an entry is written once, as it ends.
func TestTableOneEntry(t *testing.T) {
	table := NewTable()
	for _, id := range []wire.SessionID{3, 1, 2} {
		table.Create(Facts{ID: id})
	}
	table.Close(1)
	table.Attach(2, [16]byte{}, 10, 5)
	if got, want := changes(table), []string{"0x3 1", "0x1 closed", "0x2 2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	table.Create(Facts{ID: 1})
	table.Commit()
	if table.Len() != 3 {
		t.Errorf("%d sessions", table.Len())
	}
}

func changes(table *Table) (list []string) {
	table.Changed(func(f *Facts, open bool) {
		s := "closed"
		if open {
			s = fmt.Sprint(f.Attached)
		}
		list = append(list, f.ID.String()+" "+s)
	})
	return list
}

func TestFactsRecord(t *testing.T) {
	f := Facts{ID: -5, Passwd: [16]byte{9, 8, 15: 7}, TimeoutMillis: 1 << 30, Attached: 3, Owner: 1 << 60}
	b := f.AppendTo(nil)
	got, err := DecodeFacts(f.ID, b)
	if err != nil || got != f {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range [][]byte{nil, b[:len(b)-1], append(b, 0)} {
		if _, err := DecodeFacts(f.ID, bad); err == nil {
			t.Errorf("no error for %d bytes", len(bad))
		}
	}
}

func TestIDs(t *testing.T) {
	for _, c := range []struct {
		got, want wire.SessionID
	}{
		{FirstID(1, 0x1234), 0x0100_0000_1234_0000},
		{FirstID(254, 0x0123_4567_89ab_cdef), -0x200000000000000 | 0x67_89ab_cdef_0000}, // the time's upper bits are cut
		{NextID(0x0100_0000_1234_0000), 0x0100_0000_1234_0001},
		{NextID(0x01ff_ffff_ffff_ffff), 0x0100_0000_0000_0001},
		{NextID(-1 << 57), -1<<57 + 1},
		{NextID(-0x7f00_0000_0000_0001), -0x8000_0000_0000_0000 + 1}, // not a container's owner
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestZooKeeperPasswd(t *testing.T) {
	for id, want := range map[wire.SessionID]string{
		0x100001cdd000003: "df90a54bf715ac1b2bc0d3ba65d4fc75",
		0x200001cdd2d0001: "dc51f51bc2d888f044b2bdd60f30591d",
		0x10000177152000f: "aee80e711943034ea44172b6c2ddbcfe",
	} {
		p := ZooKeeperPasswd(id)
		if got := hex.EncodeToString(p[:]); got != want {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
}
