package replica

import (
	"holt/broker/kerror"
	"holt/broker/partition"
	"holt/broker/protocol"
)

// reading is what one pass over the parts found.
type reading struct {
	parts  []protocol.FetchedPartition // one for each of fetch.parts
	slices []partition.Slice
	bytes  int
	urgent bool // there is something to tell at once

	followed int // of bytes, those of partitions that another broker leads
	sentNear int // partitions that are to be read from followers
}

func (g *reading) release() {
	for i := range g.slices {
		_ = g.slices[i].Release() // what is closed has been read
	}
	g.slices = nil
}

// read reads all parts as far as the limits allow.
func (f *fetch) read() *reading {
	g := &reading{parts: make([]protocol.FetchedPartition, len(f.parts)), urgent: len(f.parts) == 0}
	budget := min(int(f.req.MaxBytes), f.set.cfg.FetchBytesMax)
	for i, p := range f.parts {
		at := &g.parts[i]
		code := p.code
		if code == kerror.OK {
			code = f.readPart(p, at, g, budget-g.bytes)
		}
		if code != kerror.OK {
			*at = protocol.FailedFetch(p.want.Index, code)
			if f.follower && code == kerror.OffsetOutOfRange {
				at.LogStartOffset = p.r.log.StartOffset() // where it has to begin anew
			}
			g.urgent = true
		}
	}
	return g
}

// readPart reads one partition.
func (f *fetch) readPart(p *fetchPart, at *protocol.FetchedPartition, g *reading, budget int) kerror.Code {
	r := p.r
	r.as.RLock()
	defer r.as.RUnlock()
	if code := f.serves(r, p.want.CurrentLeaderEpoch); code != kerror.OK {
		return code
	}
	if f.mistaken(p, r) {
		return kerror.InconsistentTopicID
	}
	*at = protocol.FetchedPartition{Index: p.want.Index, LogStartOffset: r.log.StartOffset(), PreferredReadReplica: -1}
	at.HighWatermark, at.LastStableOffset = r.log.HighWatermark(), r.log.LastStableOffset()
	if at.PreferredReadReplica = f.nearer(p, r); at.PreferredReadReplica >= 0 {
		g.sentNear++
		g.urgent = true
		return kerror.OK
	}
	if at.Diverging = f.diverging(p); at.Diverging != nil {
		if at.Diverging.Epoch < 0 {
			return kerror.OffsetOutOfRange
		}
		g.urgent = true
		return kerror.OK
	}
	end := r.log.EndOffset()
	if p.want.Offset < at.LogStartOffset || p.want.Offset > end {
		return kerror.OffsetOutOfRange
	}
	limit := end
	switch {
	case f.follower:
	case f.req.Isolation == 1:
		limit = at.LastStableOffset
	default:
		limit = at.HighWatermark
	}
	if f.req.Isolation == 1 && !f.follower {
		at.Aborted = []protocol.AbortedTxn{}
	}
	if p.want.Offset >= limit {
		g.urgent = g.urgent || f.late(p, at.HighWatermark)
		return kerror.OK
	}
	if budget <= 0 && g.bytes > 0 || f.holdBack(r) {
		return kerror.OK
	}
	return f.readLog(p, at, g, limit, min(int(p.want.MaxBytes), budget))
}

// readLog reads records below a limit.
func (f *fetch) readLog(p *fetchPart, at *protocol.FetchedPartition, g *reading, limit int64, bytesMax int) kerror.Code {
	slice, err := p.r.log.Read(p.want.Offset, max(bytesMax, 0), limit, g.bytes == 0)
	if err != nil {
		return p.r.broken(err)
	}
	if slice.Len() == 0 {
		return kerror.OK
	}
	if p.r.role == following {
		if p.r.log.HighWatermark() < limit { // the log was cut meanwhile, and what was read need not be committed
			if err := slice.Release(); err != nil {
				return p.r.broken(err)
			}
			return kerror.OffsetNotAvailable
		}
		g.followed += slice.Len()
	}
	g.slices = append(g.slices, slice)
	g.bytes += slice.Len()
	if file, pos, n := slice.File(); file != nil {
		at.Records = []protocol.Range{{File: file, Offset: pos, Length: n}}
	} else {
		for _, b := range slice.Parts() {
			at.Records = append(at.Records, protocol.Range{Bytes: b})
		}
	}
	if at.Aborted == nil {
		return kerror.OK
	}
	aborted, err := p.r.log.AbortedIn(p.want.Offset, slice.Upper())
	if err != nil {
		return p.r.broken(err)
	}
	for _, t := range aborted {
		at.Aborted = append(at.Aborted, protocol.AbortedTxn{ProducerID: t.ProducerID, FirstOffset: t.FirstOffset})
	}
	return kerror.OK
}
