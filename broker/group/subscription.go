package group

import "encoding/binary"

// consumerProtocol is the protocol type whose metadata the coordinator understands a part of.
const consumerProtocol = "consumer"

// subscriptions returns the topics that the members read, or nil when that cannot be known.
func (g *group) subscriptions() map[string]struct{} {
	if g.protocolType != consumerProtocol {
		return nil
	}
	topics := make(map[string]struct{})
	for _, m := range g.members {
		if !addTopics(topics, m.metadata(g.protocol)) {
			return nil
		}
	}
	return topics
}

// addTopics adds the topics of a consumer's subscription, {version i16, topics [string], …} in all
// versions, and reports whether it is one.
func addTopics(topics map[string]struct{}, b []byte) bool {
	if len(b) < 6 || int16(binary.BigEndian.Uint16(b)) < 0 {
		return false
	}
	n := int32(binary.BigEndian.Uint32(b[2:]))
	b = b[6:]
	for ; n > 0; n-- {
		if len(b) < 2 {
			return false
		}
		size := int(int16(binary.BigEndian.Uint16(b)))
		if size < 0 || len(b) < 2+size {
			return false
		}
		topics[string(b[2:2+size])] = struct{}{}
		b = b[2+size:]
	}
	return n == 0
}
