package broker

// writeReplicas shows how this broker's partitions are.
func (b *Broker) writeReplicas(p *metricsPage) {
	c, m := b.replicas.Counts(), b.replicas.Metrics()
	p.gauge("holt_broker_replicas", "Replicas of partitions on this broker.", float64(c.Replicas))
	p.gauge("holt_broker_offline_replicas", "Replicas on this broker whose log directory has failed.", float64(c.Offline))
	p.gauge("holt_broker_leaders", "Partitions that this broker leads.", float64(c.Leaders))
	p.gauge("holt_broker_underreplicated_partitions", "Partitions led here that lack an in-sync replica.", float64(c.UnderReplicated))
	p.gauge("holt_broker_undermin_isr_partitions", "Partitions led here that take no writes with acks of all.", float64(c.UnderMinISR))
	p.gauge("holt_broker_replica_lag_max", "Records by which the furthest follower here is behind its leader.", float64(c.LagMax))
	p.gauge("holt_broker_replica_lag_sum", "Records by which all followers here are behind their leaders.", float64(c.LagSum))
	p.gauge("holt_broker_log_bytes", "Bytes of all logs.", float64(c.Bytes))
	p.gauge("holt_broker_fetch_sessions", "Fetch sessions of consumers and followers.", float64(c.Sessions))
	p.counter("holt_broker_records_in_total", "Records appended as leader.", m.RecordsIn.Load())
	p.counter("holt_broker_records_bytes_in_total", "Bytes of records appended as leader.", m.BytesIn.Load())
	p.counter("holt_broker_records_bytes_out_total", "Bytes of records fetched by consumers.", m.BytesOut.Load())
	p.counter("holt_broker_records_bytes_out_as_follower_total", "Bytes of records fetched by consumers from followers here.", m.FollowedOut.Load())
	p.counter("holt_broker_consumers_sent_to_follower_total", "Answers of leaders here, by partition, that sent a consumer to a follower in its rack.", m.SentNear.Load())
	p.counter("holt_broker_replication_bytes_in_total", "Bytes of records copied from leaders.", m.ReplicatedIn.Load())
	p.counter("holt_broker_replication_bytes_out_total", "Bytes of records fetched by followers.", m.ReplicatedOut.Load())
	p.counter("holt_broker_isr_shrinks_total", "Changes by which in-sync replicas became fewer.", m.ISRShrinks.Load())
	p.counter("holt_broker_isr_expands_total", "Changes by which in-sync replicas became more.", m.ISRExpands.Load())
	p.counter("holt_broker_leader_elections_total", "Leaderships that this broker has begun.", m.Elected.Load())
	p.counter("holt_broker_truncations_total", "Times that a log here was cut to its leader's.", m.Truncations.Load())
	p.counter("holt_broker_replica_fetch_failures_total", "Fetches from leaders that failed.", m.FetchesFailed.Load())
}
