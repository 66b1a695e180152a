package server

import (
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/server/apply"
	"holt/wire"
)

// doctor is what a simulation does wrong on purpose.
type doctor struct {
	entryCut        bool // a member leaves out the commands of an entry now and then
	resultOfAnother bool // a client is told the zxid of the next command
	snapshotIgnored bool // a member goes on from its own state after a snapshot
	durableEarly    bool // the log is truncated as if all that was applied were on disk
	unsynced        bool // the tree's disk does nothing when told to sync
	barrierAtOnce   bool // a sync waits for nobody
	expiresEarly    bool // a leader closes sessions that are not silent
	sendsTwice      bool // a member gives commands new numbers and sends them again

	changeUntold     bool // Raft changes its members, and nobody writes it down
	conditionIgnored bool // a reconfig is carried out whatever version it asks for

	restorePassed   bool // a member keeps its tree where the others restore
	sessionsStayOut bool // a member does not bring back the sessions of a restored snapshot
	restoreUntold   bool // clients that set their watches again are not told that a restore has changed everything
}

// TestSimulationFinds has each mistake made alone: some seed must show it.
func TestSimulationFinds(t *testing.T) {
	abandons(t)
	for name, d := range map[string]doctor{
		"entry cut": {entryCut: true}, "result of another": {resultOfAnother: true}, "snapshot ignored": {snapshotIgnored: true},
		"durable early": {durableEarly: true}, "unsynced": {unsynced: true}, "barrier at once": {barrierAtOnce: true},
		"expires early": {expiresEarly: true}, "sends twice": {sendsTwice: true},
		"change untold": {changeUntold: true}, "condition ignored": {conditionIgnored: true},
		"restore passed": {restorePassed: true}, "sessions stay out": {sessionsStayOut: true}, "restore untold": {restoreUntold: true},
	} {
		t.Run(name, func(t *testing.T) {
			const seedsMax = 60
			for seed := uint64(1); seed <= seedsMax; seed++ {
				if _, err := trySimulation(t, seed, d); err != nil {
					t.Log(err)
					return
				}
			}
			t.Errorf("nothing was found in %d seeds", seedsMax)
		})
	}
}

// doctored does each half tick what is to be wrong.
func (m *simMember) doctored() {
	d := &m.s.doctor
	if all := m.machine.Sessions().All(); d.expiresEarly && len(all) > 0 && m.leadership.Load().self && m.s.chance(20) {
		f := &all[0]
		m.proposeInternal(&apply.Command{Session: f.ID, Op: wire.OpCloseSession, Flags: apply.Expired, Body: apply.AppendExpire(nil, f.Attached)})
	}
	if p := &m.pipeline; d.sendsTwice && m.s.chance(5) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, f := range p.inflight[p.head:] {
			f.encoded = slices.Clone(f.encoded)
			apply.SetSeq(f.encoded, p.first+uint64(len(p.inflight)-p.head))
			p.inflight = append(p.inflight, f)
		}
	}
}

// unsyncedFS loses in a power loss what it was told to sync.
type unsyncedFS struct{ vfs.FS }

func (fs unsyncedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, c)
	return unsyncedFile{f}, err
}

type unsyncedFile struct{ vfs.File }

func (unsyncedFile) Sync() error                { return nil }
func (unsyncedFile) SyncData() error            { return nil }
func (unsyncedFile) SyncTo(int64) (bool, error) { return true, nil }
