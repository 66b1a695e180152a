package metadatatest

import (
	"testing"

	"go.uber.org/goleak"

	"holt/broker/metadata"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuite(t *testing.T) {
	Suite(t, func(t *testing.T) Space {
		tree := NewTree()
		return Space{
			Open: func() metadata.Coordinator {
				s := tree.Open()
				t.Cleanup(func() { s.Close() })
				return s
			},
			Cut: func(c metadata.Coordinator) {
				c.(*Session).Disconnect()
				c.(*Session).Reconnect()
			},
			Expire: func(c metadata.Coordinator) { tree.Expire(c.(*Session)) },
		}
	})
}
