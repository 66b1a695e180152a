package admin

import (
	"net"
	"strconv"
)

// The commands about the ensemble.

func (c *Commands) leader(q *question) (answer, error) {
	if q.st.Mode == Standalone || q.st.Mode == ReadOnly {
		return answer{}, problem("server is not initialized")
	}
	host := ""
	for _, m := range c.src.Members() {
		if m.ID == q.st.LeaderID {
			host = m.Host
		}
	}
	return answer{body: object{}.
		with("is_leader", q.st.Mode == Leader).
		with("leader_id", q.st.LeaderID).
		with("leader_ip", host)}, nil
}

func (c *Commands) resetObservers(*question) (answer, error) {
	c.src.ResetObserverStats()
	return answer{}, nil
}

// observers lists the observers that are connected to this leader.
func (c *Commands) observers(q *question) (answer, error) {
	found, synced := list{}, 0
	if q.st.Lead != nil {
		synced = q.st.Lead.SyncedObservers
	}
	for _, o := range c.src.Observers() {
		found = append(found, object{}.
			with("remote_socket_address", "/"+javaAddr(o.Remote)).
			with("sid", o.ID).
			with("established", o.Established.UnixMilli()).
			with("queued_packets", o.Queued).
			with("queued_packets_size", o.QueuedBytes).
			with("packets_received", o.Received).
			with("packets_sent", o.Sent).
			with("requests", o.Requests).
			with("last_zxid", int64(o.Zxid)))
	}
	return answer{body: object{}.with("synced_observers", synced).with("observers", found)}, nil
}

func (c *Commands) votingView(*question) (answer, error) {
	var voters object
	for _, m := range c.src.Members() {
		if m.Observer {
			continue
		}
		voters = voters.with(strconv.FormatUint(m.ID, 10), object{}.
			with("server_addresses", list{address(m.Host, m.QuorumPort)}).
			with("election_addresses", list{address(m.Host, m.ElectionPort)}).
			with("client_address", m.ClientAddr).
			with("learner_type", "participant"))
	}
	return answer{body: object{}.with("current_config", voters)}, nil
}

// zabState is what the original calls the state of its protocol. A member of Holt
// that serves broadcasts; one without a leader is in an election.
func (c *Commands) zabState(q *question) (answer, error) {
	st := &q.st
	self, ok := c.self()
	if !ok || st.Mode == Standalone {
		return answer{body: object{}.with("voting", false).with("zabstate", "")}, nil
	}
	state := "election"
	switch {
	case st.Serving && st.Mode != ReadOnly:
		state = "broadcast"
	case st.LeaderID != 0:
		state = "synchronization"
	}
	return answer{body: object{}.
		with("myid", self.ID).
		with("is_leader", st.Mode == Leader).
		with("quorum_address", addresses(self.Host, self.QuorumPort)).
		with("election_address", addresses(self.Host, self.ElectionPort)).
		with("client_address", self.ClientAddr).
		with("voting", !self.Observer).
		with("last_zxid", "0x"+strconv.FormatUint(uint64(st.Zxid), 16)).
		with("zab_epoch", int64(st.Zxid)>>32).
		with("zab_counter", int64(st.Zxid)&0xffffffff).
		with("zabstate", state)}, nil
}

func (c *Commands) self() (Member, bool) {
	id := c.src.Config().ServerID
	for _, m := range c.src.Members() {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

func address(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// addresses is one address in the many forms that the original's class for a set
// of them has. Nothing is tried for whether it can be reached.
func addresses(host string, port int) object {
	one := address(host, port)
	return object{}.
		with("empty", false).
		with("all_addresses", list{one}).
		with("wildcard_addresses", list{address("0.0.0.0", port)}).
		with("all_ports", list{port}).
		with("all_host_strings", list{host}).
		with("reachable_address", one).
		with("all_reachable_addresses", list{one}).
		with("all_reachable_addresses_or_all", list{one}).
		with("reachable_or_one", one).
		with("one", one)
}
