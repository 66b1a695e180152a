package txn

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
)

// initAnswer is what InitProducerId comes to.
type initAnswer struct {
	id    int64
	epoch int16
	code  kerror.Code
}

func initError(code kerror.Code) initAnswer { return initAnswer{id: noID, epoch: noEpoch, code: code} }

func (a initAnswer) response(req *kmsg.InitProducerIDRequest) *kmsg.InitProducerIDResponse {
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = a.id, a.epoch
	resp.ErrorCode = int16(forVersion(a.code, req.Version, 4))
	return resp
}

// expected is the producer id and epoch that a producer believes to have (KIP-360); ok is false if it
// says nothing.
type expected struct {
	id    int64
	epoch int16
	ok    bool
}

func expectedOf(req *kmsg.InitProducerIDRequest) expected {
	if req.Version < 3 || req.ProducerID == noID {
		return expected{}
	}
	return expected{req.ProducerID, req.ProducerEpoch, true}
}

// initProducer serves InitProducerId with a transactional id. fresh is a producer id at hand, or noID;
// it reports whether it needs one: then nothing has happened. (Kafka: prepareInitProducerIdTransit)
func (c *core) initProducer(now journal.Instant, req *kmsg.InitProducerIDRequest, fresh int64, answer func(initAnswer)) (wants bool) {
	t := c.txns[*req.TransactionalID]
	e := expectedOf(req)
	refuse := func(code kerror.Code) bool {
		c.out.Do(func() { answer(initError(code)) })
		return false
	}
	switch {
	case t == nil && len(c.txns) >= c.c.IDsMax:
		return refuse(kerror.CoordinatorNotAvailable)
	case t == nil && fresh == noID:
		return true
	case t == nil:
		t = newTransaction(*req.TransactionalID, fresh)
		c.txns[t.id] = t
	case t.pending:
		return refuse(kerror.ConcurrentTransactions)
	}
	switch {
	case e.ok && !t.knows(e):
		return refuse(kerror.ProducerFenced)
	case t.preparing():
		return refuse(kerror.ConcurrentTransactions)
	case t.state == Ongoing:
		// The epoch of the abort is nobody's: the producer comes again and gets the one after.
		c.fence(now, t, func(code kerror.Code) {
			if code == kerror.OK {
				code = kerror.ConcurrentTransactions
			}
			c.out.Do(func() { answer(initError(code)) })
		})
		return false
	}
	to, code := t.next(e, fresh)
	if code == wantsID {
		return true
	}
	if code != kerror.OK {
		return refuse(code)
	}
	to.timeout = req.TransactionTimeoutMillis
	c.change(now, t, to, func(_ journal.Instant, code kerror.Code) {
		a := initAnswer{id: to.producerID, epoch: to.epoch}
		if code != kerror.OK {
			a = initError(code)
			if t.epoch == noEpoch { // never was anything
				delete(c.txns, t.id)
			}
		}
		c.out.Do(func() { answer(a) })
	})
	return false
}

func newTransaction(id string, producerID int64) *transaction {
	return &transaction{id: strings.Clone(id), facts: facts{
		producerID: producerID, lastProducerID: noID, epoch: noEpoch, lastEpoch: noEpoch, start: -1,
	}}
}

// knows reports whether the expected producer id is the current one, or the one before whose epochs
// are used up: a retry whose answer got lost.
func (t *transaction) knows(e expected) bool {
	return t.epoch == noEpoch || e.id == t.producerID || e.id == t.lastProducerID && exhausted(e.epoch)
}

// wantsID says that next needs a fresh producer id. It is no code of the protocol.
const wantsID kerror.Code = -32768

// next returns what InitProducerId makes of an id that has no transaction.
// (Kafka: prepareIncrementProducerEpoch, prepareProducerIdRotation)
func (t *transaction) next(e expected, fresh int64) (facts, kerror.Code) {
	to := facts{state: Empty, producerID: t.producerID, lastProducerID: t.producerID, lastEpoch: noEpoch, start: -1}
	switch {
	case exhausted(t.epoch) && (!e.ok || e.epoch == t.epoch):
		if fresh == noID {
			return to, wantsID
		}
		to.producerID, to.epoch = fresh, 0
		if e.ok {
			to.lastEpoch = t.epoch
		}
	case !e.ok:
		to.epoch = t.epoch + 1
	case t.epoch == noEpoch || e.epoch == t.epoch:
		to.epoch, to.lastEpoch = t.epoch+1, t.epoch
	case e.epoch == t.lastEpoch:
		to.epoch, to.lastEpoch = t.epoch, t.lastEpoch
		to.lastProducerID = t.lastProducerID
	default:
		return to, kerror.ProducerFenced
	}
	return to, kerror.OK
}
