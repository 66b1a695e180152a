package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTicks is the unit of CPU times in /proc/<pid>/stat, per second. The kernel fixes it for
// user space on every architecture that Go runs on.
const clockTicks = 100

// usage is what processes used up so far and hold now.
type usage struct {
	cpu      time.Duration // user and system time, all threads
	resident int64         // bytes
	peak     int64         // bytes, highest resident so far
}

// usageOf adds up the usage of processes.
func usageOf(pids []int) (usage, error) {
	var sum usage
	for _, pid := range pids {
		u, err := processUsage(pid)
		if err != nil {
			return usage{}, err
		}
		sum.cpu += u.cpu
		sum.resident += u.resident
		sum.peak += u.peak
	}
	return sum, nil
}

func processUsage(pid int) (usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, fmt.Errorf("read usage of server: %w", err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}, fmt.Errorf("read usage of server: %w", err)
	}
	var u usage
	if u.cpu, err = parseStat(stat); err != nil {
		return usage{}, fmt.Errorf("process %d: %w", pid, err)
	}
	u.resident = statusBytes(status, "VmRSS:")
	u.peak = statusBytes(status, "VmHWM:")
	return u, nil
}

// parseStat returns utime+stime. The command's name, in parentheses, may hold anything, so
// fields count from the last parenthesis.
func parseStat(stat []byte) (time.Duration, error) {
	_, rest, ok := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(") "))
	fields := strings.Fields(string(rest))
	if !ok || len(fields) < 13 {
		return 0, fmt.Errorf("malformed stat %q", stat)
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("malformed stat %q: %w", stat, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / clockTicks, nil
}

// statusBytes returns a size from /proc/<pid>/status, 0 if it is not there.
func statusBytes(status []byte, key string) int64 {
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == key && f[2] == "kB" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err == nil {
				return n << 10
			}
		}
	}
	return 0
}

// ownCPU returns the CPU time that this process used so far.
func ownCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0 // cannot happen with these arguments
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// listeners returns the processes on this machine that listen on the ports of addrs, without
// duplicates, in the order of addrs.
func listeners(addrs []string) ([]int, error) {
	sockets, err := listeningSockets()
	if err != nil {
		return nil, err
	}
	owners, err := socketOwners()
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, addr := range addrs {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		pid, ok := owners[sockets[port]]
		if !ok {
			return nil, fmt.Errorf("no process of this machine listens on port %s", port)
		}
		if !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// listeningSockets maps ports to the inodes of the sockets that listen on them.
func listeningSockets() (map[string]string, error) {
	const stateListen = "0A"
	sockets := make(map[string]string)
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != stateListen {
				continue
			}
			_, hex, _ := strings.Cut(fields[1], ":")
			if port, err := strconv.ParseUint(hex, 16, 16); err == nil {
				sockets[strconv.FormatUint(port, 10)] = fields[9]
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return sockets, nil
}

// socketOwners maps inodes of sockets to a process that has them open. Processes of other users
// are left out.
func socketOwners() (map[string]int, error) {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return nil, err
	}
	owners := make(map[string]int)
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil {
			continue // closed since, or not ours to see
		}
		inode, ok := strings.CutPrefix(target, "socket:[")
		if !ok {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil {
			owners[strings.TrimSuffix(inode, "]")] = pid
		}
	}
	return owners, nil
}
