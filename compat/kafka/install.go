package kafka

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"

	"holt/compat/ensemble"
)

// Version is the release of Apache Kafka that this package runs: the last that has the ZooKeeper
// mode.
const Version = "3.9.2"

//go:embed files
var embedded embed.FS

// Installation is Apache Kafka's programs: broker and command-line tools.
type Installation struct {
	dir string // holds lib/*.jar, broker.log4j and tools.log4j
}

// Load returns Apache Kafka, which it fetches with Maven when the cache directory does not have
// it yet. The error says what to install when Java or Maven is absent.
func Load(ctx context.Context) (*Installation, error) {
	files, err := fs.Sub(embedded, "files")
	if err != nil {
		return nil, err
	}
	dir, err := ensemble.Jars(ctx, "kafka-"+Version, files)
	if err != nil {
		return nil, fmt.Errorf("install Apache Kafka %s: %w", Version, err)
	}
	return &Installation{dir: dir}, nil
}

// ClassPath returns the class path of the installation.
func (i *Installation) ClassPath() string { return filepath.Join(i.dir, "lib") + "/*" }

// tools are Kafka's shell scripts, without their .sh, and the classes that these start.
var tools = map[string]string{
	"kafka-acls":                   "kafka.admin.AclCommand",
	"kafka-broker-api-versions":    "kafka.admin.BrokerApiVersionsCommand",
	"kafka-cluster":                "org.apache.kafka.tools.ClusterTool",
	"kafka-configs":                "kafka.admin.ConfigCommand",
	"kafka-console-consumer":       "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"kafka-console-producer":       "kafka.tools.ConsoleProducer",
	"kafka-consumer-groups":        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"kafka-consumer-perf-test":     "org.apache.kafka.tools.ConsumerPerformance",
	"kafka-delete-records":         "org.apache.kafka.tools.DeleteRecordsCommand",
	"kafka-dump-log":               "kafka.tools.DumpLogSegments",
	"kafka-e2e-latency":            "org.apache.kafka.tools.EndToEndLatency",
	"kafka-get-offsets":            "org.apache.kafka.tools.GetOffsetShell",
	"kafka-leader-election":        "org.apache.kafka.tools.LeaderElectionCommand",
	"kafka-log-dirs":               "org.apache.kafka.tools.LogDirsCommand",
	"kafka-producer-perf-test":     "org.apache.kafka.tools.ProducerPerformance",
	"kafka-reassign-partitions":    "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
	"kafka-topics":                 "org.apache.kafka.tools.TopicCommand",
	"kafka-transactions":           "org.apache.kafka.tools.TransactionsCommand",
	"kafka-verifiable-consumer":    "org.apache.kafka.tools.VerifiableConsumer",
	"kafka-verifiable-producer":    "org.apache.kafka.tools.VerifiableProducer",
	"zookeeper-security-migration": "kafka.admin.ZkSecurityMigrator",
}

// Tool returns the program of one of Kafka's scripts, such as "kafka-topics", with its
// arguments; it is not started, and killed when ctx ends. It panics if there is no such script.
func (i *Installation) Tool(ctx context.Context, name string, args ...string) *exec.Cmd {
	class, ok := tools[name]
	if !ok {
		panic("kafka: no tool " + name)
	}
	return i.java(ctx, 256, "tools.log4j", class, args...)
}

// java returns a process of the installation. The flags make its start cheap on a small machine.
func (i *Installation) java(ctx context.Context, heapMiB int, log, class string, args ...string) *exec.Cmd {
	argv := []string{fmt.Sprintf("-Xmx%dm", heapMiB), "-Dlog4j.configuration=file:" + filepath.Join(i.dir, log)}
	if log == "tools.log4j" {
		argv = append(argv, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
	}
	argv = append(argv, "-cp", i.ClassPath(), class)
	return exec.CommandContext(ctx, "java", append(argv, args...)...)
}
