package broker

import (
	"holt/broker/auth"
	"holt/broker/kerror"
)

// topicAccess remembers, over the partitions of a request, which topics the client may use.
// The zero value, with op and call set, is ready.
type topicAccess struct {
	*call
	op   auth.Operation
	seen map[string]kerror.Code
}

// code says what is wrong with a partition: the client may not use the topic, or there is
// no such partition; a look at what other brokers made just now included.
func (a *topicAccess) code(topic string, partition int32) kerror.Code {
	code, known := a.seen[topic]
	if !known {
		if code = a.topicCode(a.op, topic); code == kerror.OK && a.topicOf(&topic, [16]byte{}) == nil {
			if a.image = a.freshImage(a.ctx); a.topicOf(&topic, [16]byte{}) == nil {
				code = kerror.UnknownTopicOrPartition
			}
		}
		if a.seen == nil {
			a.seen = map[string]kerror.Code{}
		}
		a.seen[topic] = code
	}
	if code == kerror.OK && a.image.Partition(topic, partition) == nil {
		return kerror.UnknownTopicOrPartition
	}
	return code
}
