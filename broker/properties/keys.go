package properties

import (
	"slices"
	"strings"

	"holt/broker/setting"
	"holt/wire/javaprops"
)

// key is one row of the keys that are no settings of Holt's.
type key struct {
	name string // or a prefix that ends in a dot, as remote.log.
	note string // what Holt does
	// refuse, if not empty, is why a value that is on cannot be had.
	refuse string
	off    []string // values that are off besides "", false and 0
}

func (k *key) on(value string) bool {
	return value != "" && !strings.EqualFold(value, "false") && value != "0" && !slices.Contains(k.off, value)
}

func (k *key) text() string {
	if k.note != "" {
		return k.note
	}
	return "off, as it must be here"
}

// lookup finds the row of a key: its own, or that of its longest prefix.
func lookup(name string) (*key, bool) {
	k := javaprops.Row(keyTable(), func(k *key) string { return k.name }, name)
	return k, k != nil
}

// keyTable is every key of a broker of Kafka 3.9 that package setting does not list. It
// is made anew on each call, a few hundred in a process's life, rather than kept in a
// package variable.
func keyTable() []key {
	return slices.Concat(kraftKeys(), securityKeys(), workKeys())
}

const (
	noKRaft    = "not used: the cluster's metadata is in the coordination service"
	noRemote   = "not used: there is no tiered storage"
	noShare    = "not used: there are no share groups"
	noNewGroup = "not used: groups use the classic protocol"
	noClasses  = "Holt loads no classes"
)

func kraftKeys() []key {
	return []key{
		{name: "alter.config.policy.kraft.compatibility.enable", note: noKRaft},
		{name: "broker.heartbeat.interval.ms", note: noKRaft},
		{name: "broker.session.timeout.ms", note: noKRaft + "; see zookeeper.session.timeout.ms"},
		{name: "controller.listener.names", note: noKRaft},
		{name: "controller.performance.", note: noKRaft},
		{name: "controller.quorum.", note: noKRaft},
		{name: "initial.broker.registration.timeout.ms", note: noKRaft},
		{name: "max.request.partition.size.limit", note: noKRaft},
		{name: "metadata.log.", note: noKRaft},
		{name: "metadata.max.", note: noKRaft},
		{name: "sasl.mechanism.controller.protocol", note: noKRaft},
		{name: "server.max.startup.time.ms", note: noKRaft},
		{name: "unclean.leader.election.interval.ms", note: noKRaft},
		{name: "early.start.listeners", note: noKRaft},
		{name: "eligible.leader.replicas.enable", note: noKRaft},
		{name: "unstable.api.versions.enable", refuse: "Holt has no unstable versions of APIs"},
		{name: "unstable.feature.versions.enable", refuse: "Holt has no unstable features"},
		{name: "zookeeper.metadata.migration.", note: "not used: Holt does not migrate to KRaft"},
		{name: "zookeeper.metadata.migration.enable", refuse: "Holt does not migrate to KRaft"},
	}
}

func securityKeys() []key {
	return []key{
		{name: "delegation.token.", note: "not used: there are no delegation tokens"},
		{name: "delegation.token.master.key", refuse: "Holt has no delegation tokens"},
		{name: "delegation.token.secret.key", refuse: "Holt has no delegation tokens"},
		{name: "password.encoder.", note: "not used: no passwords are kept in the tree but SCRAM credentials, which need no key"},
		{name: "sasl.client.callback.handler.class", refuse: noClasses},
		{name: "sasl.kerberos.", note: "not used: there is no Kerberos"},
		{name: "sasl.login.", note: "not used: it is for Kerberos and OAuth"},
		{name: "sasl.login.callback.handler.class", refuse: noClasses},
		{name: "sasl.login.class", refuse: noClasses},
		{name: "sasl.oauthbearer.", note: "not used: there is no OAuth"},
		{name: "sasl.server.callback.handler.class", refuse: noClasses},
		{name: "security.providers", refuse: noClasses},
		{name: "ssl.allow.dn.changes", note: "not used: new certificates are taken as they are"},
		{name: "ssl.allow.san.changes", note: "not used: new certificates are taken as they are"},
		{name: "ssl.cipher.suites", note: "for TLS 1.2; those of TLS 1.3 are fixed"},
		{name: "ssl.engine.factory.class", refuse: noClasses},
		{name: "ssl.keymanager.algorithm", note: "not used: a matter of Java"},
		{name: "ssl.protocol", note: "not used: see ssl.enabled.protocols"},
		{name: "ssl.provider", note: "not used: a matter of Java"},
		{name: "ssl.secure.random.implementation", note: "not used: a matter of Java"},
		{name: "ssl.trustmanager.algorithm", note: "not used: a matter of Java"},
		{name: "zookeeper.clientCnxnSocket", note: "not used: a matter of Java"},
		{name: "zookeeper.ssl.", note: "not used: the connection to the coordination service has no TLS"},
		{name: "zookeeper.ssl.client.enable", refuse: "Holt's broker does not speak TLS to the coordination service"},
		{name: "zookeeper.sync.time.ms", note: "not used, as in Kafka since 3.0"},
	}
}

func workKeys() []key {
	return []key{
		{name: "alter.log.dirs.replication.quota.", note: "not used: replicas do not move between directories"},
		{name: "auto.include.jmx.reporter", note: "not used: metrics are for Prometheus, see metrics.listener"},
		{name: "client.quota.callback.class", refuse: noClasses},
		{name: "confluent.", note: "not used: a setting of Confluent's"},
		{name: "controller.quota.window.num", note: "not used: eleven windows"},
		{name: "controller.quota.window.size.seconds", note: "not used: of one second"},
		{name: "delete.records.purgatory.purge.interval.requests", note: "not used: what has ended is forgotten at once"},
		{name: "fetch.purgatory.purge.interval.requests", note: "not used: what has ended is forgotten at once"},
		{name: "group.consumer.", note: noNewGroup},
		{name: "group.coordinator.", note: noNewGroup},
		{name: "group.share.", note: noShare},
		{name: "kafka.csv.metrics.", note: "not used: metrics are for Prometheus, see metrics.listener"},
		{name: "kafka.metrics.", note: "not used: metrics are for Prometheus, see metrics.listener"},
		{name: "log.dir.failure.timeout.ms", note: noKRaft},
		{name: "log.initial.task.delay.ms", note: "not used: the first task begins when it is due"},
		{name: "log.local.retention.", note: noRemote},
		{name: "metrics.num.samples", note: "not used: metrics are for Prometheus, see metrics.listener"},
		{name: "metrics.recording.level", note: "not used: all metrics are kept"},
		{name: "metrics.sample.window.ms", note: "not used: metrics are for Prometheus, see metrics.listener"},
		{name: "num.replica.alter.log.dirs.threads", note: "not used: replicas do not move between directories"},
		{name: "producer.purgatory.purge.interval.requests", note: "not used: what has ended is forgotten at once"},
		{name: "remote.log.", note: noRemote},
		{name: "remote.log.storage.system.enable", refuse: "Holt has no tiered storage"},
		{name: "remote.fetch.max.wait.ms", note: noRemote},
		{name: "replica.alter.log.dirs.io.max.bytes.per.second", note: "not used: replicas do not move between directories"},
		{name: "replication.quota.window.num", note: "not used: eleven windows"},
		{name: "replication.quota.window.size.seconds", note: "not used: of one second"},
		{name: "rlmm.config.", note: noRemote},
		{name: "rsm.config.", note: noRemote},
		{name: "share.coordinator.", note: noShare},
		{name: "telemetry.max.bytes", note: "not used: clients do not send metrics here"},
	}
}

// refusedValue says why a setting of Holt's cannot have a value that is right by its type.
func refusedValue(name, value string) string {
	switch {
	case value == "":
	case name == "process.roles":
		return "Holt's broker keeps its metadata in the coordination service; remove process.roles, and set zookeeper.connect"
	case name == "authorizer.class.name" && !oneOfClasses(value, "AclAuthorizer", "StandardAuthorizer"):
		return "Holt has one authorizer, and loads no classes: name kafka.security.authorizer.AclAuthorizer for it"
	case name == "replica.selector.class" && !oneOfClasses(value, "RackAwareReplicaSelector", "LeaderSelector"):
		return "Holt loads no classes: name org.apache.kafka.common.replica.RackAwareReplicaSelector, or nothing"
	case name == "principal.builder.class" && !oneOfClasses(value, "DefaultKafkaPrincipalBuilder"):
		return noClasses
	case name == "create.topic.policy.class.name", name == "alter.config.policy.class.name":
		return noClasses
	}
	return ""
}

func oneOfClasses(value string, names ...string) bool {
	return slices.Contains(names, value[strings.LastIndexAny(value, ".$")+1:])
}

// shown is a value as it may stand in a log.
func shown(name, value string) string {
	if secret(name) {
		return "[hidden]"
	}
	if len(value) > 60 {
		return value[:60] + "..."
	}
	return value
}

func secret(name string) bool {
	return strings.Contains(name, "password") || strings.Contains(name, "secret") || strings.Contains(name, "jaas") ||
		strings.HasSuffix(name, ".key")
}

// suggestion is the remedy for a key nobody knows.
func suggestion(name string) string {
	var known []string
	for _, s := range setting.BrokerSettings() {
		known = append(known, s.Name)
	}
	for _, k := range keyTable() {
		known = append(known, k.name)
	}
	best := javaprops.Nearest(name, known)
	switch {
	case setting.Topic(name) != nil:
		return "it is a setting of topics; for all of them the broker's is " + brokersName(name)
	case best == "":
		return "remove the line, or look the name up in docs/broker-configuration.md"
	}
	return "did you mean " + best + "?"
}

func brokersName(topic string) string {
	if s := setting.Topic(topic); len(s.Synonyms) > 0 {
		return s.Synonyms[0].Name
	}
	return "none"
}
