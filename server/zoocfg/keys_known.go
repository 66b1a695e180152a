package zoocfg

import "errors"

var errSuperDigest = errors.New("not of the form super:<base64 of a hash>")

const (
	java     = "not used: it tunes the Java server"
	zabOnly  = "not used: it tunes ZooKeeper's replication, and Holt replicates by Raft"
	pipeline = "not used: Holt's request pipeline has no such part"
	purge    = "not needed: Holt removes log and snapshots by itself once the tree on disk contains them"
	throttle = "not used: a request that waits is dropped with its connection, and only then"
	connRate = "not used: Holt bounds connections by maxClientCnxns and maxCnxns"
	noAdmin  = "not used: Holt has no such setting"
	logs     = "not used: Holt logs to standard error"
	votes    = "not used: every participant has one vote, and a majority of them decides"
)

// storageKeys are those of section "storage and replication" that set nothing.
func storageKeys() []key {
	snapshots := "not used: the tree is on disk as it is, and a snapshot is a checkpoint of it"
	return []key{
		{name: "autopurge.snapRetainCount", check: anyNumber, note: purge},
		{name: "autopurge.purgeInterval", check: text, note: purge},
		{name: "snapSizeLimitInKb", check: longCount, note: snapshots},
		{name: "snapshot.compression.method", check: text, note: snapshots},
		{name: "snapshot.trust.empty", check: boolean, note: snapshots},
		{name: "snapshotSizeFactor", check: fraction, note: snapshots},
		{name: "serializeLastProcessedZxid.enabled", check: boolean, note: snapshots},
		{name: "digest.enabled", check: boolean, note: "always on: members compare digests, and it costs nothing that shows"},
		{name: "preAllocSize", check: longCount, note: "not used: the log reuses its files"},
		{name: "txnLogSizeLimitInKb", check: longCount, note: "not used: the log rolls by itself"},
		{name: "flushDelay", check: anyNumber, note: "not used: writes that arrive during an fsync share the next, and none waits for company"},
		{name: "maxWriteQueuePollTime", check: anyNumber, note: pipeline},
		{name: "maxBatchSize", check: anyNumber, note: pipeline},
		{name: "commitLogCount", check: anyNumber, note: zabOnly},
		{name: "db.autocreate", check: boolean, note: "not used: what a member voted is in its log"},
		{name: "leaderServes", check: yesNo, note: "not used: a leader serves clients too"},
		{name: "syncEnabled", check: boolean, note: "not used: observers keep their log on disk"},
		{name: "observer.syncEnabled", check: boolean, note: "not used: observers keep their log on disk"},
		{name: "observer.", check: anyNumber, note: zabOnly},
		{name: "observerMasterPort", check: anyNumber, note: "not used: observers follow the leader"},
		{name: "observerMaster.sizeLimit", check: longCount, note: "not used: observers follow the leader"},
		{name: "electionAlg", check: oneOf("3"), note: "not used: Raft elects"},
		{name: "electionPort", check: anyNumber, note: "not used: Raft elects over the quorum port"},
		{name: "electionPortBindRetry", check: anyNumber, note: "not used: Raft elects over the quorum port"},
		{name: "connectToLearnerMasterLimit", check: anyNumber, note: zabOnly},
		{name: "group.", check: given, note: votes},
		{name: "weight.", check: given, note: votes},
		{name: "version", check: given, note: "not used: Holt keeps the version of the configuration in its log"},
		{name: "leader.", check: text, note: zabOnly},
		{name: "learner.", check: text, note: zabOnly},
		{name: "follower.", check: text, note: zabOnly},
		{name: "fastleader.", check: text, note: zabOnly},
		{name: "forceSnapshotSync", check: boolean, note: zabOnly},
		{name: "forward_learner_requests_to_commit_processor_disabled", check: boolean, note: zabOnly},
		{name: "leaderConnectDelayDuringRetryMs", check: anyNumber, note: zabOnly},
		{name: "cnxTimeout", check: anyNumber, note: zabOnly},
		{name: "quorumCnxnTimeoutMs", check: anyNumber, note: zabOnly},
		{name: "tcpKeepAlive", check: boolean, note: zabOnly},
		{name: "oraclePath", check: text, note: "not used: two members need both, as Raft decides by majority"},
		{name: "multiAddress.", check: text, note: "not used: of several addresses of a member Holt takes the first"},
	}
}

// otherKeys are the rest that set nothing.
func otherKeys() []key {
	return []key{
		{name: "clientPortListenBacklog", check: anyNumber, note: "not used: the system's limit holds"},
		{name: "serverCnxnFactory", check: text, note: java},
		{name: "nio.", check: anyNumber, note: java},
		{name: "netty.", check: text, note: java},
		{name: "jute.maxbuffer.extrasize", check: anyNumber, note: "not used: Holt's own records have no such limit"},
		{name: "intBufferStartingSizeBytes", check: anyNumber, note: java},
		{name: "jvm.pause.monitor", check: text, note: java},
		{name: "jvm.pause.", check: anyNumber, note: java},
		{name: "jmx.", check: text, note: java},
		{name: "commitProcessor.", check: anyNumber, note: pipeline},
		{name: "emulate353TTLNodes", check: boolean, note: "not used: Holt writes one form of TTL owner"},
		{name: "enableEagerACLCheck", check: boolean, note: pipeline},
		{name: "closeSessionTxn.enabled", check: boolean, note: pipeline},
		{name: "watchManagerName", check: text, note: "not used: Holt has one table of watches, made for many"},
		{name: "watcherCleanThreshold", check: anyNumber, note: pipeline},
		{name: "watcherCleanIntervalInSeconds", check: anyNumber, note: pipeline},
		{name: "watcherCleanThreadsNum", check: anyNumber, note: pipeline},
		{name: "maxInProcessingDeadWatchers", check: anyNumber, note: pipeline},
		{name: "bitHashCacheSize", check: anyNumber, note: pipeline},
		{name: "maxResponseCacheSize", check: anyNumber, note: "not used: the node cache serves reads"},
		{name: "maxGetChildrenResponseCacheSize", check: anyNumber, note: "not used: the node cache serves reads"},
		{name: "request_throttle_drop_stale", check: boolean, note: throttle},
		{name: "request_stale_latency_check", check: boolean, note: throttle},
		{name: "request_stale_connection_check", check: boolean, note: throttle},
		{name: "request_throttler.shutdownTimeout", check: anyNumber, note: throttle},
		{name: "connection_throttle_freeze_time", check: anyNumber, note: connRate},
		{name: "connection_throttle_drop_increase", check: fraction, note: connRate},
		{name: "connection_throttle_drop_decrease", check: fraction, note: connRate},
		{name: "connection_throttle_decrease_ratio", check: fraction, note: connRate},
		{name: "connection_throttle_weight_enabled", check: boolean, note: connRate},
		{name: "connection_throttle_global_session_weight", check: anyNumber, note: connRate},
		{name: "connection_throttle_local_session_weight", check: anyNumber, note: connRate},
		{name: "connection_throttle_renew_session_weight", check: anyNumber, note: connRate},
		{name: "messageTracker.Enabled", check: boolean, note: pipeline},
		{name: "messageTracker.BufferSize", check: anyNumber, note: pipeline},
		{name: "pathStats.", check: fractionOrBoolean, note: "not used: Holt keeps no statistics per path"},
		{name: "traceFile", check: text, note: "not used: ZooKeeper has none any more either"},
		{name: "controllerPort", check: text, note: "not used: it is for ZooKeeper's own tests"},
		{name: "testingonly.initialZxid", check: text, note: "not used: it is for ZooKeeper's own tests"},
		{name: "metricsProvider.", check: text, note: "not used: Holt's /metrics needs no such setting"},
		{name: "admin.", check: text, note: noAdmin},
		{name: "java.", check: text, note: "not used: it is about Java"},
		{name: "sun.", check: text, note: "not used: it is about Java"},
		{name: "com.sun.", check: text, note: "not used: it is about Java"},
		{name: "javax.", check: text, note: "not used: it is about Java"},
		{name: "jdk.", check: text, note: "not used: it is about Java"},
		{name: "file.encoding", check: text, note: "not used: Holt reads UTF-8"},
		{name: "user.", check: text, note: "not used: it is about Java"},
		{name: "log4j.", check: text, note: "not used: it is about Java"},
		{name: "logback.", check: text, note: "not used: it is about Java"},
		{name: "root.logger", check: text, note: "not used: it is about Java"},
		{name: "log.", check: text, note: logs},
		{name: "console.", check: text, note: logs},
		{name: "tracelog.", check: text, note: logs},
	}
}

// strayKeys are no settings of a server, and are met in its files and flags all
// the same: those of the Java client, what guides and operators hand on from file
// to file, and the names that the manual gives to connection throttling; no code
// reads them.
func strayKeys() []key {
	var keys []key
	for _, name := range []string{"clientCnxnSocket", "client.secure", "disableAutoWatchReset", "request.timeout",
		"sasl.client", "sasl.client.", "sasl.clientconfig"} {
		keys = append(keys, key{name: name, check: text, note: "not used: it is a setting of the Java client"})
	}
	keys = append(keys,
		key{name: "requireClientAuthScheme", check: text, note: "not used, in ZooKeeper neither: enforce.auth.enabled and enforce.auth.schemes are what it is meant for"},
		key{name: "timeTick", check: text, note: "not used, in ZooKeeper neither: the key is tickTime"},
	)
	for _, pair := range [][2]string{{"connectionMaxTokens", "tokens"}, {"connectionTokenFillTime", "fill_time"},
		{"connectionTokenFillCount", "fill_count"}, {"connectionFreezeTime", "freeze_time"}, {"connectionDropIncrease", "drop_increase"},
		{"connectionDropDecrease", "drop_decrease"}, {"connectionDecreaseRatio", "decrease_ratio"}} {
		keys = append(keys, key{name: pair[0], check: text,
			note: "not used, in ZooKeeper neither: the manual's name for connection_throttle_" + pair[1]})
	}
	return keys
}

func fractionOrBoolean(s string) (value, error) {
	if v, err := boolean(s); err == nil {
		return v, nil
	}
	return fraction(s)
}
