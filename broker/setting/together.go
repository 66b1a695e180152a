package setting

import "fmt"

// Conflict is what is wrong between settings that are fine by themselves.
type Conflict struct {
	Name  string // of the setting to mend
	Cause string
}

// Conflicts says what is wrong between a broker's settings. (Kafka: KafkaConfig.validateValues)
func (l *Layers) Conflicts() []Conflict {
	var all []Conflict
	must := func(ok bool, name, format string, args ...any) {
		if !ok {
			all = append(all, Conflict{name, fmt.Sprintf(format, args...)})
		}
	}
	retention := l.Get(Topic("retention.ms"))
	must(l.TopicInt("retention.ms") != 0, retention.Name, "%s must be at least 1, or -1 for no limit", retention.Name)
	perThread := l.BrokerInt("log.cleaner.dedupe.buffer.size") / max(1, l.BrokerInt("log.cleaner.threads"))
	must(perThread > 1<<20, "log.cleaner.dedupe.buffer.size", "log.cleaner.dedupe.buffer.size must be more than 1 MiB for each of log.cleaner.threads")
	wait := l.BrokerInt("replica.fetch.wait.max.ms")
	for _, name := range []string{"replica.socket.timeout.ms", "replica.lag.time.max.ms"} {
		must(wait <= l.BrokerInt(name), name, "%s=%d must not be less than replica.fetch.wait.max.ms=%d", name, l.BrokerInt(name), wait)
	}
	queued, most := l.BrokerInt("queued.max.request.bytes"), l.BrokerInt("socket.request.max.bytes")
	must(queued <= 0 || queued >= most, "queued.max.request.bytes", "queued.max.request.bytes=%d must not be less than socket.request.max.bytes=%d", queued, most)
	must(l.BrokerInt("max.connections.per.ip") != 0 || l.BrokerText("max.connections.per.ip.overrides") != "", "max.connections.per.ip",
		"max.connections.per.ip must not be 0 without max.connections.per.ip.overrides")
	idle, delay := l.BrokerInt("connections.max.idle.ms"), l.BrokerInt("connection.failed.authentication.delay.ms")
	must(idle < 0 || delay < idle, "connection.failed.authentication.delay.ms",
		"connection.failed.authentication.delay.ms=%d must be less than connections.max.idle.ms=%d", delay, idle)
	acks, replicas := l.BrokerInt("offsets.commit.required.acks"), l.BrokerInt("offsets.topic.replication.factor")
	must(acks >= -1 && acks <= replicas, "offsets.commit.required.acks",
		"offsets.commit.required.acks=%d must be from -1 to offsets.topic.replication.factor=%d", acks, replicas)
	return all
}
