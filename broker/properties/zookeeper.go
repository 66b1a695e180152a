package properties

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"holt/broker/setting"
)

// zookeeper reads where the coordination service is: host:port, separated by commas,
// and the chroot behind the last one.
func (r *reader) zookeeper(l *setting.Layers) {
	connect := l.BrokerText("zookeeper.connect")
	if connect == "" {
		r.failKey("zookeeper.connect", "zookeeper.connect is not set", "name the coordination service, as zookeeper.connect=127.0.0.1:2181/kafka")
		return
	}
	zk := &r.cfg.ZooKeeper
	if at := strings.IndexByte(connect, '/'); at >= 0 {
		connect, zk.Chroot = connect[:at], strings.TrimRight(connect[at:], "/")
	}
	if strings.Contains(zk.Chroot, ",") {
		r.failKey("zookeeper.connect", "zookeeper.connect: the path comes once, behind the last server", "write host:port,host:port/path")
		return
	}
	for _, server := range setting.Words(connect) {
		_, port, err := net.SplitHostPort(server)
		if err != nil {
			port = "2181"
			server = net.JoinHostPort(strings.Trim(server, "[]"), port)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			r.failKey("zookeeper.connect", fmt.Sprintf("zookeeper.connect: port %q of %s is not a number from 1 to 65535", port, server), "write host:port,host:port/path")
		}
		zk.Servers = append(zk.Servers, server)
	}
	if len(zk.Servers) == 0 {
		r.failKey("zookeeper.connect", "zookeeper.connect names no server", "write host:port,host:port/path")
	}
	zk.SessionTimeout = time.Duration(l.BrokerInt("zookeeper.session.timeout.ms")) * time.Millisecond
	if n := l.BrokerInt("zookeeper.connection.timeout.ms"); n > 0 {
		zk.StartTimeout = time.Duration(n) * time.Millisecond
	}
	if n := l.BrokerInt("zookeeper.max.in.flight.requests"); n > 512 {
		zk.InFlight = int(n)
	}
	zk.SetACL = l.BrokerBool("zookeeper.set.acl")
}
