package quorum_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/quorum"
)

// notifyMachine tells when entries are applied and does nothing else.
type notifyMachine struct {
	applied uint64
	done    func(n int)
}

func (m *notifyMachine) Apply(ents []quorum.Entry) error {
	m.applied = ents[len(ents)-1].Index
	n := 0
	for i := range ents {
		if len(ents[i].Data) > 0 {
			n++
		}
	}
	m.done(n)
	return nil
}

func (m *notifyMachine) Applied() uint64                           { return 0 }
func (m *notifyMachine) Durable() uint64                           { return m.applied }
func (m *notifyMachine) Flush() error                              { return nil }
func (m *notifyMachine) Checkpoint(string) (uint64, uint64, error) { return 0, 0, errors.New("none") }
func (m *notifyMachine) Restore(string) error                      { return errors.New("none") }

// benchEnsemble starts n members on real disks and loopback TCP in this
// process and returns the leader; done is called on it.
func benchEnsemble(b *testing.B, n int, done func(n int)) *quorum.Member {
	var cfgs []quorum.MemberConfig
	var lns []net.Listener
	for id := range uint64(n) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		lns = append(lns, ln)
		cfgs = append(cfgs, quorum.MemberConfig{ID: id + 1, Addr: ln.Addr().String()})
	}
	var members []*quorum.Member
	for i := range cfgs {
		sm := &notifyMachine{done: func(int) {}}
		if i == 0 {
			sm.done = done
		}
		m, err := quorum.Open(quorum.Config{
			ID: cfgs[i].ID, Members: cfgs, Dir: b.TempDir(), FS: vfs.Default, StateMachine: sm,
			Listen: func() (net.Listener, error) { return lns[i], nil },
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { m.Close() })
		members = append(members, m)
	}
	for range 500 {
		for _, m := range members {
			if l := m.Leadership(); l.Self {
				if l.Leader == 1 {
					return m
				}
				m.TransferLeadership(1)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("no leader")
	return nil
}

// BenchmarkPropose is one entry after another: the latency of a lone write.
func BenchmarkPropose(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			applied := make(chan struct{}, 1<<20)
			m := benchEnsemble(b, n, func(k int) {
				for range k {
					applied <- struct{}{}
				}
			})
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Propose(make([]byte, 200)); err != nil {
					b.Fatal(err)
				}
				<-applied
			}
		})
	}
}

// BenchmarkProposeStream is entries of 20 commands' size, as fast as they are
// admitted.
func BenchmarkProposeStream(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			applied := make(chan struct{}, 1<<20)
			m := benchEnsemble(b, n, func(k int) {
				for range k {
					applied <- struct{}{}
				}
			})
			b.ReportAllocs()
			b.SetBytes(4000)
			sent := 0
			for b.Loop() {
				if err := m.Propose(make([]byte, 4000)); err != nil {
					b.Fatal(err)
				}
				sent++
			}
			for range sent {
				<-applied
			}
		})
	}
}

// BenchmarkReadBarrier is one barrier after another.
func BenchmarkReadBarrier(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			m := benchEnsemble(b, n, func(int) {})
			done := make(chan error, 1)
			b.ReportAllocs()
			for b.Loop() {
				m.ReadBarrier(func(err error) { done <- err })
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
