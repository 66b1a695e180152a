package metadata

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Controller is who leads the cluster.
type Controller struct {
	ID    int32     // of its broker; -1: there is none
	Epoch int32     // of the last one elected
	Owner SessionID // of its node; 0: there is none

	// EpochVersion is the version of ControllerEpochPath: what a controller's writes
	// are fenced by. -1: there is no such node.
	EpochVersion int32
}

// EncodeController is the payload of /controller.
func EncodeController(broker int32, timestamp int64) []byte {
	return mustEncode(struct {
		Version   int32  `json:"version"`
		Broker    int32  `json:"brokerid"`
		Timestamp string `json:"timestamp"`
		KRaft     int32  `json:"kraftControllerEpoch"`
	}{2, broker, strconv.FormatInt(timestamp, 10), -1})
}

// DecodeController returns the broker that /controller names.
func DecodeController(data []byte) (broker int32, err error) {
	var p struct {
		Broker *int32 `json:"brokerid"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return -1, fmt.Errorf("controller: %w", err)
	}
	if p.Broker == nil {
		return -1, fmt.Errorf("controller: no brokerid in %q", data)
	}
	return *p.Broker, nil
}

// EncodeControllerEpoch is the payload of /controller_epoch.
func EncodeControllerEpoch(epoch int32) []byte { return strconv.AppendInt(nil, int64(epoch), 10) }

// DecodeControllerEpoch reads the payload of /controller_epoch.
func DecodeControllerEpoch(data []byte) (int32, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("controller epoch: %w", err)
	}
	return int32(n), nil
}

// encodeClusterID is the payload of /cluster/id, whose version is a string.
func encodeClusterID(id string) []byte {
	return mustEncode(struct {
		Version string `json:"version"`
		ID      string `json:"id"`
	}{"1", id})
}

func decodeClusterID(data []byte) (string, error) {
	var p struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return "", fmt.Errorf("cluster id: %w", err)
	}
	if p.ID == "" {
		return "", fmt.Errorf("cluster id: none in %q", data)
	}
	return p.ID, nil
}

// EncodeConfig is the payload of an entity's configuration.
func EncodeConfig(values map[string]string) []byte {
	if values == nil {
		values = map[string]string{}
	}
	return mustEncode(struct {
		Version int32             `json:"version"`
		Config  map[string]string `json:"config"`
	}{1, values})
}

// DecodeConfig reads the payload of an entity's configuration. No data is no
// values, as Kafka has it. Values that are not strings are taken as they are written.
func DecodeConfig(data []byte) (map[string]string, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var p struct {
		Config map[string]json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	values := make(map[string]string, len(p.Config))
	for k, raw := range p.Config {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			s = string(raw)
		}
		values[k] = s
	}
	return values, nil
}

// encodeConfigChange is the payload of a notification, version 2.
func encodeConfigChange(e Entity) []byte {
	return mustEncode(struct {
		Version int32  `json:"version"`
		Path    string `json:"entity_path"`
	}{2, string(e)})
}

// decodeConfigChange reads a notification of version 1 or 2.
func decodeConfigChange(data []byte) (Entity, error) {
	var p struct {
		Path string `json:"entity_path"`
		Type string `json:"entity_type"`
		Name string `json:"entity_name"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return "", fmt.Errorf("config change: %w", err)
	}
	e := Entity(p.Path)
	if p.Path == "" {
		e = Entity(p.Type + "/" + p.Name)
	}
	if !e.valid() {
		return "", fmt.Errorf("config change: %q names no entity", data)
	}
	return e, nil
}

// Reassignment is one wish of /admin/reassign_partitions.
type Reassignment struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Replicas  []int32 `json:"replicas"`
}

type partitionsJSON[T any] struct {
	Version    int32 `json:"version"`
	Partitions []T   `json:"partitions"`
}

// EncodeReassignments is the payload of /admin/reassign_partitions.
func EncodeReassignments(wishes []Reassignment) []byte {
	return mustEncode(partitionsJSON[Reassignment]{1, append([]Reassignment{}, wishes...)})
}

// DecodeReassignments reads the payload of /admin/reassign_partitions.
func DecodeReassignments(data []byte) ([]Reassignment, error) {
	var p partitionsJSON[Reassignment]
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("reassignments: %w", err)
	}
	return p.Partitions, nil
}

// EncodePartitions is the payload of /admin/preferred_replica_election and of
// notifications of changed ISRs.
func EncodePartitions(tps []TopicPartition) []byte {
	return mustEncode(partitionsJSON[TopicPartition]{1, append([]TopicPartition{}, tps...)})
}

// DecodePartitions reads what EncodePartitions wrote.
func DecodePartitions(data []byte) ([]TopicPartition, error) {
	var p partitionsJSON[TopicPartition]
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("partitions: %w", err)
	}
	return p.Partitions, nil
}

// encodeLogDirEvent is the payload of a notification of a failed log directory.
func encodeLogDirEvent(broker int32) []byte {
	return mustEncode(struct {
		Version int32 `json:"version"`
		Broker  int32 `json:"broker"`
		Event   int32 `json:"event"`
	}{1, broker, 1})
}

// DecodeLogDirEvent returns the broker that has lost a log directory.
func DecodeLogDirEvent(data []byte) (broker int32, err error) {
	var p struct {
		Broker *int32 `json:"broker"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return -1, fmt.Errorf("log dir event: %w", err)
	}
	if p.Broker == nil {
		return -1, fmt.Errorf("log dir event: no broker in %q", data)
	}
	return *p.Broker, nil
}

// ProducerIDBlock is a range of producer ids, both ends included.
type ProducerIDBlock struct {
	Broker      int32 // that took it
	First, Last int64
}

// Encode is the payload of /latest_producer_id_block.
func (b ProducerIDBlock) Encode() []byte {
	return mustEncode(struct {
		Version int32  `json:"version"`
		Broker  int32  `json:"broker"`
		First   string `json:"block_start"`
		Last    string `json:"block_end"`
	}{1, b.Broker, strconv.FormatInt(b.First, 10), strconv.FormatInt(b.Last, 10)})
}

// DecodeProducerIDBlock reads the payload of /latest_producer_id_block.
func DecodeProducerIDBlock(data []byte) (ProducerIDBlock, error) {
	var p struct {
		Broker int32  `json:"broker"`
		First  number `json:"block_start"`
		Last   number `json:"block_end"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return ProducerIDBlock{}, fmt.Errorf("producer id block: %w", err)
	}
	if p.First < 0 || p.Last < p.First {
		return ProducerIDBlock{}, fmt.Errorf("producer id block: from %d to %d", p.First, p.Last)
	}
	return ProducerIDBlock{Broker: p.Broker, First: int64(p.First), Last: int64(p.Last)}, nil
}
