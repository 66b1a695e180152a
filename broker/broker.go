package broker

import (
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"holt/broker/auth"
	"holt/broker/controller"
	"holt/broker/group"
	"holt/broker/metadata"
	"holt/broker/network"
	"holt/broker/partition"
	"holt/broker/protocol"
	"holt/broker/replica"
	"holt/broker/setting"
	"holt/broker/txn"
)

// Broker is a running broker. Its fields are set by Start and do not change, but for
// what is atomic.
type Broker struct {
	cfg       Config
	log       *zap.Logger
	id        int32
	clusterID string
	handlers  map[protocol.Key]handler

	tree       metadata.Coordinator
	client     *metadata.Client
	follower   *metadata.Follower
	applied    *applied
	fresh      shared
	registrar  atomic.Pointer[metadata.Registrar] // nil until the broker registers
	controller *controller.Controller
	peers      peers
	replicas   replicas
	set        atomic.Pointer[replica.Set] // what replicas is, for a directory that fails; nil in some tests
	dirs       []*partition.Dir            // the replicas'; none in some tests
	groups     *group.Coordinator
	txns       *txn.Coordinator
	verifier   verifier
	authorizer *auth.Authorizer // nil: everything is permitted
	quotas     *auth.Quotas
	net        *network.Server
	metrics    *metricsServer // nil: none is served

	layers atomic.Pointer[setting.Layers]
	ready  atomic.Bool // requests are taken

	unfollow  func()         // ends the calls of apply
	wg        sync.WaitGroup // goroutines that handlers began
	closeOnce sync.Once
	closeErr  error
}

// ID is the broker's number in its cluster.
func (b *Broker) ID() int32 { return b.id }

// ClusterID is the cluster's id.
func (b *Broker) ClusterID() string { return b.clusterID }
