package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"holt/compat/ensemble"
	"holt/compat/kafka"
)

// site is a running cluster of one kind, with the member that coordinates it.
type site struct {
	kind    kafka.Kind
	member  *ensemble.Ensemble
	cluster *kafka.Cluster
	dir     string
}

// startSite starts a member and brokers on it.
func startSite(ctx context.Context, kind kafka.Kind, brokers int) (s *site, err error) {
	s = &site{kind: kind}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start %s: %w", kind, err), s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "benchbroker-"); err != nil {
		return s, err
	}
	if s.member, err = ensemble.Start(ctx, ensemble.Config{Kind: ensemble.Holt}); err != nil {
		return s, err
	}
	holt, err := kind.Command(ctx)
	if err != nil {
		return s, err
	}
	s.cluster, err = kafka.New(ctx, kafka.Config{
		Holt: holt, ZooKeeper: strings.Join(s.member.Addrs(), ",") + "/bench", Brokers: brokers, Dir: s.dir, HeapMiB: 1024,
		Settings: []string{
			"num.network.threads=3", "num.io.threads=8", // as Kafka ships
			"log.segment.delete.delay.ms=1000", // a run shall not pay for the files of the last
		},
	})
	if err != nil {
		return s, err
	}
	return s, s.cluster.StartAll(ctx)
}

func (s *site) close() error {
	var errs []error
	if s.cluster != nil {
		errs = append(errs, s.cluster.Close())
	}
	if s.member != nil {
		errs = append(errs, s.member.Close())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// cpu returns the user and system time that all brokers have used.
func (s *site) cpu() (time.Duration, error) {
	var sum time.Duration
	for _, b := range s.cluster.Brokers() {
		d, err := cpuOf(b.PID())
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

// cpuOf reads /proc/PID/stat, which counts in hundredths of a second.
func cpuOf(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name may have spaces
	fields := strings.Fields(rest)
	const user, system = 11, 12
	if len(fields) <= system {
		return 0, fmt.Errorf("read /proc/%d/stat: %q", pid, b)
	}
	u, uerr := strconv.ParseInt(fields[user], 10, 64)
	k, kerr := strconv.ParseInt(fields[system], 10, 64)
	return time.Duration(u+k) * (time.Second / 100), errors.Join(uerr, kerr)
}

// residentMiB returns a process's resident memory.
func residentMiB(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("no VmRSS of process %d", pid)
}
