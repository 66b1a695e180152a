package metadata

import (
	"net/url"
	"strconv"
	"strings"
)

// Paths of the nodes of a cluster. (Kafka: ZkData.scala)
const (
	ControllerPath        = "/controller"
	ControllerEpochPath   = "/controller_epoch"
	BrokerIDsPath         = "/brokers/ids"
	TopicsPath            = "/brokers/topics"
	BrokerSeqIDPath       = "/brokers/seqid"
	ClusterIDPath         = "/cluster/id"
	ConfigPath            = "/config"
	ConfigChangesPath     = "/config/changes"
	DeleteTopicsPath      = "/admin/delete_topics"
	ReassignPath          = "/admin/reassign_partitions"
	PreferredElectionPath = "/admin/preferred_replica_election"
	ISRChangesPath        = "/isr_change_notification"
	LogDirEventsPath      = "/log_dir_event_notification"
	ProducerIDBlockPath   = "/latest_producer_id_block"
	ConsumersPath         = "/consumers"

	configChangePrefix = "config_change_"
	isrChangePrefix    = "isr_change_"
	logDirEventPrefix  = "log_dir_event_"
)

// topLevelPaths are there in every cluster, in the order in which Kafka makes them.
var topLevelPaths = [...]string{
	ConsumersPath, BrokerIDsPath, TopicsPath, ConfigChangesPath, DeleteTopicsPath, BrokerSeqIDPath,
	ISRChangesPath, ProducerIDBlockPath, LogDirEventsPath,
	"/config/topics", "/config/clients", "/config/users", "/config/brokers", "/config/ips",
}

// BrokerPath is a broker's registration.
func BrokerPath(id int32) string { return BrokerIDsPath + "/" + strconv.Itoa(int(id)) }

// TopicPath is the node with a topic's assignment.
func TopicPath(topic string) string { return TopicsPath + "/" + topic }

// PartitionsPath is the parent of a topic's partitions.
func PartitionsPath(topic string) string { return TopicsPath + "/" + topic + "/partitions" }

// PartitionPath is the parent of a partition's state.
func PartitionPath(topic string, partition int32) string {
	return PartitionsPath(topic) + "/" + strconv.Itoa(int(partition))
}

// StatePath is the node with a partition's leader and ISR.
func StatePath(topic string, partition int32) string {
	return PartitionPath(topic, partition) + "/state"
}

// DeleteTopicPath is the request to delete a topic.
func DeleteTopicPath(topic string) string { return DeleteTopicsPath + "/" + topic }

// parent returns the path above, "/" for the topmost.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

// base is the last name of a path.
func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// ParseTopicPath takes a path below TopicsPath apart, that of a topic's node
// (whose partition is -1) or of a state's. ok is false for anything else, such as the nodes in between.
func ParseTopicPath(path string) (topic string, partition int32, ok bool) {
	rest, found := strings.CutPrefix(path, TopicsPath+"/")
	if !found {
		return "", 0, false
	}
	topic, rest, found = strings.Cut(rest, "/")
	if !found {
		return topic, -1, true
	}
	rest, found = strings.CutPrefix(rest, "partitions/")
	if !found {
		return "", 0, false
	}
	digits, found := strings.CutSuffix(rest, "/state")
	if !found {
		return "", 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 0 {
		return "", 0, false
	}
	return topic, int32(n), true
}

// sequence is the number at the end of a sequential node's name, -1 if there is none.
func sequence(name, prefix string) int64 {
	digits, found := strings.CutPrefix(name, prefix)
	if !found {
		return -1
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// Entity is what a configuration belongs to, written as its path below /config.
// The functions of this file make them; [Entity.Kind] and the others take them
// apart.
type Entity string

// EntityKind is the first part of an Entity.
type EntityKind string

// The kinds of entities.
const (
	TopicKind  EntityKind = "topics"
	BrokerKind EntityKind = "brokers"
	UserKind   EntityKind = "users"
	ClientKind EntityKind = "clients"
	IPKind     EntityKind = "ips"
)

var entityKinds = [...]EntityKind{TopicKind, BrokerKind, UserKind, ClientKind, IPKind}

// DefaultName names the entity whose configuration counts where there is none of its own.
const DefaultName = "<default>"

// TopicEntity is a topic.
func TopicEntity(topic string) Entity { return Entity("topics/" + topic) }

// BrokerEntity is a broker.
func BrokerEntity(id int32) Entity { return Entity("brokers/" + strconv.Itoa(int(id))) }

// DefaultBrokerEntity is all brokers.
func DefaultBrokerEntity() Entity { return "brokers/" + DefaultName }

// UserEntity is a user; the name may be DefaultName.
func UserEntity(user string) Entity { return Entity("users/" + sanitize(user)) }

// ClientEntity is a client id; it may be DefaultName.
func ClientEntity(client string) Entity { return Entity("clients/" + sanitize(client)) }

// UserClientEntity is a client id of a user; both may be DefaultName.
func UserClientEntity(user, client string) Entity {
	return Entity("users/" + sanitize(user) + "/clients/" + sanitize(client))
}

// IPEntity is an address; it may be DefaultName.
func IPEntity(ip string) Entity { return Entity("ips/" + ip) }

// Kind is the kind of the entity; of a client of a user it is UserKind.
func (e Entity) Kind() EntityKind {
	kind, _, _ := strings.Cut(string(e), "/")
	return EntityKind(kind)
}

// Name is the entity's name as it is, without the encoding that paths need.
func (e Entity) Name() string {
	_, rest, _ := strings.Cut(string(e), "/")
	name, _, _ := strings.Cut(rest, "/")
	if k := e.Kind(); k == UserKind || k == ClientKind {
		return desanitize(name)
	}
	return name
}

// ClientOfUser is the client id of a UserClientEntity; false for every other.
func (e Entity) ClientOfUser() (string, bool) {
	parts := strings.Split(string(e), "/")
	if len(parts) == 4 && parts[0] == string(UserKind) && parts[2] == string(ClientKind) {
		return desanitize(parts[3]), true
	}
	return "", false
}

// Path is the entity's node.
func (e Entity) Path() string { return ConfigPath + "/" + string(e) }

// valid tells entities from whatever else a change notification may name.
func (e Entity) valid() bool {
	parts := strings.Split(string(e), "/")
	for _, p := range parts {
		if p == "" || p == "." || p == ".." {
			return false
		}
	}
	switch {
	case len(parts) == 2:
		switch EntityKind(parts[0]) {
		case TopicKind, BrokerKind, UserKind, ClientKind, IPKind:
			return true
		}
	case len(parts) == 4:
		return parts[0] == string(UserKind) && parts[2] == string(ClientKind)
	}
	return false
}

// sanitize encodes a name for a path. (Kafka: Sanitizer.java)
func sanitize(name string) string {
	if name == DefaultName {
		return name
	}
	return strings.NewReplacer("+", "%20", "*", "%2A", "~", "%7E").Replace(url.QueryEscape(name))
}

// desanitize is the inverse of sanitize; a name that was not encoded stays as it is.
func desanitize(name string) string {
	if plain, err := url.QueryUnescape(name); err == nil {
		return plain
	}
	return name
}
