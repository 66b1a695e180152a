package broker

import (
	"strconv"

	"holt/broker/auth"
	"holt/broker/metadata"
	"holt/broker/network"
	"holt/broker/setting"
)

// apply is told of each change of the tree, in order, by the follower. The order of its
// steps matters: settings and rules before what goes by them, coordinators' sizes before
// their partitions are gained, and the applied image last.
func (b *Broker) apply(d *metadata.Delta) {
	b.applyConfigs(d)
	b.applyACLs(d)
	b.applySizes(d.Image)
	b.replicas.Apply(d)
	for _, t := range d.Topics {
		if t.Was != nil && (t.Is == nil || t.Replaced()) {
			b.groups.TopicDeleted(t.Name)
		}
	}
	b.applied.set(d.Image)
}

// applySizes tells the coordinators how many partitions their topics have.
func (b *Broker) applySizes(image *metadata.Image) {
	if t := image.Topic(offsetsTopic); t != nil && len(t.Partitions) > 0 {
		b.groups.SetPartitions(int32(len(t.Partitions)))
	}
	if t := image.Topic(transactionsTopic); t != nil && len(t.Partitions) > 0 {
		b.txns.SetPartitions(int32(len(t.Partitions)))
	}
}

func (b *Broker) applyConfigs(d *metadata.Delta) {
	own, ips := false, false
	for _, e := range d.Configs {
		switch e.Kind() {
		case metadata.BrokerKind:
			own = own || e == metadata.BrokerEntity(b.id) || e == metadata.DefaultBrokerEntity()
		case metadata.UserKind, metadata.ClientKind:
			b.applyQuotas(e, d.Image.Config(e))
		case metadata.IPKind:
			ips = true
		}
	}
	if own {
		b.layers.Store(b.layersOf(d.Image, ""))
	}
	if own || ips {
		b.net.SetLimits(b.limits(d.Image))
	}
}

// applyQuotas takes what is set for a user or a client.
func (b *Broker) applyQuotas(e metadata.Entity, values map[string]string) {
	q, _ := quotaEntityOf(e)
	entity := auth.Entity{}
	if q.user != nil {
		entity.User = *q.user
	}
	if q.client != nil {
		entity.Client = *q.client
	}
	for _, kind := range []auth.QuotaKind{auth.ProduceBytes, auth.FetchBytes, auth.RequestPercent, auth.ControllerMutations} {
		rate, err := strconv.ParseFloat(values[kind.QuotaKey()], 64)
		if err != nil {
			rate = 0 // none is set
		}
		b.quotas.Set(entity, kind, rate)
	}
}

func (b *Broker) applyACLs(d *metadata.Delta) {
	if b.authorizer == nil {
		return
	}
	for _, r := range d.ACLs {
		pattern := auth.Pattern{Type: auth.ParseResourceType(r.Type), Name: r.Name, Kind: auth.ParsePatternType(string(r.Pattern))}
		var rules []auth.Rule
		for _, a := range d.Image.ACLs(r) {
			rules = append(rules, auth.Rule{Principal: a.Principal, Host: a.Host,
				Operation: auth.ParseOperation(a.Operation), Permission: auth.ParsePermission(a.Permission)})
		}
		b.authorizer.Set(pattern, rules)
	}
}

// limits are those on connections, by settings and quotas of addresses.
func (b *Broker) limits(image *metadata.Image) network.Limits {
	s := b.layersOf(image, "")
	overrides, _ := setting.ByAddress(s.BrokerText("max.connections.per.ip.overrides"))
	l := network.Limits{
		Connections:      unlimited(s.BrokerInt("max.connections")),
		ConnectionsPerIP: unlimited(s.BrokerInt("max.connections.per.ip")),
		CreationRate:     unlimited(s.BrokerInt("max.connection.creation.rate")),
		PerIPOverride:    overrides,
		ListenerMax:      map[string]int{},
		ListenerRate:     map[string]int{},
		CreationRateByIP: map[string]int{},
	}
	for _, listener := range b.cfg.Listeners {
		l.ListenerMax[listener.Name], l.ListenerRate[listener.Name] = listener.ConnectionsMax, listener.CreationRate
	}
	for e, values := range image.Configs() {
		rate, err := strconv.ParseFloat(values[ipQuota], 64)
		if e.Kind() != metadata.IPKind || err != nil {
			continue
		}
		if name := e.Name(); name == metadata.DefaultName {
			l.CreationRatePerIP = int(rate)
		} else {
			l.CreationRateByIP[name] = int(rate)
		}
	}
	return l
}

// unlimited turns Kafka's greatest number, which is no limit, into network's 0.
func unlimited(n int64) int {
	if n >= 1<<31-1 {
		return 0
	}
	return int(n)
}
