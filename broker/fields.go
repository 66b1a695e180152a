package broker

import (
	"time"

	"go.uber.org/zap"

	"holt/broker/auth"
	"holt/broker/metadata"
)

// The facts of log lines. Their names are the same everywhere.

func errField(err error) zap.Field { return zap.Error(err) }

func topicField(name string) zap.Field { return zap.String("topic", name) }

func peerField(id int32) zap.Field { return zap.Int32("peer", id) }

func entityField(e metadata.Entity) zap.Field { return zap.String("entity", string(e)) }

func resourceField(p auth.Pattern) zap.Field {
	return zap.String("resource", p.Type.String()+":"+p.Name+" "+p.Kind.String())
}

// clientField is who asked.
func clientField(c *call) zap.Field {
	return zap.String("client", c.who.String()+"@"+c.host())
}

func partitionField(n int32) zap.Field { return zap.Int32("partition", n) }

func tookField(d time.Duration) zap.Field { return zap.Duration("took", d) }
