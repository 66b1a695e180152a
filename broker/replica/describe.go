package replica

import (
	"cmp"
	"slices"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/partition"
)

// LogDir is a directory with what is in it.
type LogDir struct {
	Path string
	Err  error // why it has failed
	Logs []LogSize
	// Total and Usable are the bytes of its file system, and those that may still be taken; -1: not known.
	Total, Usable int64
}

// LogSize is the size of one log.
type LogSize struct {
	TP   metadata.TopicPartition
	Size int64
	// Lag is by how much a follower's log ends before the leader's high watermark, as far as it knows.
	Lag int64
}

// LogDirs describes the directories, with the logs that want has, nil all.
func (s *Set) LogDirs(want func(metadata.TopicPartition) bool) []LogDir {
	dirs := make([]LogDir, len(s.cfg.Dirs))
	at := map[*partition.Dir]int{}
	for i, d := range s.cfg.Dirs {
		dirs[i] = LogDir{Path: d.Path(), Err: d.Err(), Total: -1, Usable: -1}
		if dirs[i].Err == nil {
			dirs[i].Total, dirs[i].Usable = d.Usage()
		}
		at[d] = i
	}
	for _, d := range s.cfg.FailedDirs {
		dirs = append(dirs, LogDir{Path: d.Path, Err: d.Err, Total: -1, Usable: -1})
	}
	for _, r := range s.all() {
		if want != nil && !want(r.tp) {
			continue
		}
		d := &dirs[at[r.dir]]
		d.Logs = append(d.Logs, LogSize{TP: r.tp, Size: r.log.Size(), Lag: max(0, r.lag.Load())})
	}
	for i := range dirs {
		slices.SortFunc(dirs[i].Logs, func(a, b LogSize) int {
			return cmp.Or(cmp.Compare(a.TP.Topic, b.TP.Topic), cmp.Compare(a.TP.Partition, b.TP.Partition))
		})
	}
	return dirs
}

// Producers describes the producers that a replica here knows, be it the leader's or not.
func (s *Set) Producers(tp metadata.TopicPartition) ([]partition.ProducerState, kerror.Code) {
	r, code := s.find(tp)
	if code != kerror.OK {
		return nil, code
	}
	r.as.RLock()
	defer r.as.RUnlock()
	switch code := r.check(-1); {
	case code != kerror.OK:
		return nil, code
	case r.log.Err() != nil:
		return nil, kerror.KafkaStorageError
	}
	return r.log.Producers(), kerror.OK
}
