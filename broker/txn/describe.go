package txn

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
)

// describe fills in what a transactional id is. While markers are written, its topics are those that
// have none yet.
func (c *core) describe(id string, s *kmsg.DescribeTransactionsResponseTransactionState) kerror.Code {
	t := c.txns[id]
	if t == nil || t.epoch == noEpoch {
		return kerror.TransactionalIDNotFound
	}
	s.State, s.TimeoutMillis, s.StartTimestamp = t.state.String(), t.timeout, t.start
	s.ProducerID, s.ProducerEpoch = t.producerID, t.epoch
	ps := t.partitions
	if t.preparing() {
		ps = make(partitionSet)
		for p := range t.unmarked {
			ps[p] = struct{}{}
		}
	}
	for _, p := range sorted(ps) {
		if n := len(s.Topics); n == 0 || s.Topics[n-1].Topic != p.topic {
			r := kmsg.NewDescribeTransactionsResponseTransactionStateTopic()
			r.Topic = p.topic
			s.Topics = append(s.Topics, r)
		}
		r := &s.Topics[len(s.Topics)-1]
		r.Partitions = append(r.Partitions, p.partition)
	}
	return kerror.OK
}

// filter is what ListTransactions asks for.
type filter struct {
	states    map[State]bool // nil: all
	producers map[int64]bool // nil: all
	longer    int64          // milliseconds; negative: however long
}

// newFilter reads a request, and names the states that there are not in the response.
func newFilter(req *kmsg.ListTransactionsRequest, resp *kmsg.ListTransactionsResponse) filter {
	f := filter{longer: -1}
	if req.Version >= 1 {
		f.longer = req.DurationFilterMillis
	}
	if len(req.StateFilters) > 0 {
		f.states = make(map[State]bool)
	}
	for _, name := range req.StateFilters {
		if i := slices.Index(stateNames[:], name); i >= 0 {
			f.states[State(i)] = true
		} else {
			resp.UnknownStateFilters = append(resp.UnknownStateFilters, name)
		}
	}
	if len(req.ProducerIDFilters) > 0 {
		f.producers = make(map[int64]bool)
	}
	for _, id := range req.ProducerIDFilters {
		f.producers[id] = true
	}
	return f
}

// list adds the transactional ids that the filter lets through.
func (c *core) list(now journal.Instant, f filter, resp *kmsg.ListTransactionsResponse) {
	for _, t := range c.txns {
		switch {
		case t.epoch == noEpoch,
			f.states != nil && !f.states[t.state],
			f.producers != nil && !f.producers[t.producerID],
			f.longer >= 0 && now.Unix-t.start <= f.longer:
			continue
		}
		s := kmsg.NewListTransactionsResponseTransactionState()
		s.TransactionalID, s.ProducerID, s.TransactionState = t.id, t.producerID, t.state.String()
		resp.TransactionStates = append(resp.TransactionStates, s)
	}
}
