package partition

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Name is a partition of a topic.
type Name struct {
	Topic     string
	Partition int32
}

// String returns the name as its directory has it: topic-partition.
func (n Name) String() string { return n.Topic + "-" + strconv.Itoa(int(n.Partition)) }

// compare orders names by topic, then partition.
func (n Name) compare(o Name) int {
	return cmp.Or(cmp.Compare(n.Topic, o.Topic), cmp.Compare(n.Partition, o.Partition))
}

// parseName splits a directory's name at the last dash; topics may have dashes.
func parseName(s string) (Name, bool) {
	i := strings.LastIndexByte(s, '-')
	if i <= 0 {
		return Name{}, false
	}
	p, err := strconv.ParseInt(s[i+1:], 10, 32)
	if err != nil || p < 0 || s[i+1:] != strconv.FormatInt(p, 10) {
		return Name{}, false
	}
	return Name{Topic: s[:i], Partition: int32(p)}, true
}

// The files of a segment by their suffixes, and those that stand for a state
// of a file: about to be removed, being written, about to be put in place.
const (
	suffixLog       = ".log"
	suffixIndex     = ".index"
	suffixTimeIndex = ".timeindex"
	suffixTxnIndex  = ".txnindex"
	suffixSnapshot  = ".snapshot"
	suffixDeleted   = ".deleted"
	suffixCleaned   = ".cleaned"
	suffixSwap      = ".swap"
	suffixTemporary = ".tmp"
)

// segmentSuffixes are a segment's files; the snapshot is named like one but
// belongs to the log.
var segmentSuffixes = [...]string{suffixLog, suffixIndex, suffixTimeIndex, suffixTxnIndex}

// The other files of a log, and of a directory of logs.
const (
	fileEpochs        = "leader-epoch-checkpoint"
	filePartition     = "partition.metadata"
	fileRecovery      = "recovery-point-offset-checkpoint"
	fileLogStart      = "log-start-offset-checkpoint"
	fileHighWatermark = "replication-offset-checkpoint"
	fileCleaner       = "cleaner-offset-checkpoint"
	fileMeta          = "meta.properties"
	fileCleanShutdown = ".kafka_cleanshutdown"
	fileLock          = ".lock"
)

// offsetDigits is how files are named by an offset, so that names sort as
// offsets do.
const offsetDigits = 20

func offsetName(offset int64, suffix string) string {
	return fmt.Sprintf("%0*d%s", offsetDigits, offset, suffix)
}

// parseOffsetName takes a file's name apart: an offset and a suffix, which
// begins with a dot.
func parseOffsetName(name string) (offset int64, suffix string, ok bool) {
	i := strings.IndexByte(name, '.')
	if i < 1 {
		return 0, "", false
	}
	offset, err := strconv.ParseInt(name[:i], 10, 64)
	if err != nil || offset < 0 {
		return 0, "", false
	}
	return offset, name[i:], true
}

// Suffixes of directories that are not a partition's log any more or not yet.
const (
	dirDeleted = "-delete"
	dirFuture  = "-future"
	dirStray   = "-stray"
)

// fileNameMax is the longest name that file systems take.
const fileNameMax = 255

// deletedDirName is Kafka's name for a log that is to be removed: the topic is
// cut where the whole would be too long.
func deletedDirName(n Name) string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	suffix := fmt.Sprintf("-%d.%s%s", n.Partition, hex.EncodeToString(id[:]), dirDeleted)
	topic := n.Topic
	return topic[:min(len(topic), fileNameMax-len(suffix))] + suffix
}
