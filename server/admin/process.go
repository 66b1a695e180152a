package admin

import (
	"fmt"
	"math"
	"os"
	"os/user"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"syscall"
	"time"
)

// processFiles counts the open files of this process, at most once a second:
// with many connections the count is a long list. The zero value is ready.
type processFiles struct {
	mu   sync.Mutex
	at   time.Time
	open int
}

// count returns the open files and the most there may be, −1 where the system
// does not tell.
func (p *processFiles) count() (open, most int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.at) > time.Second {
		p.at, p.open = now, -1
		if dir, err := os.Open("/proc/self/fd"); err == nil {
			if names, err := dir.Readdirnames(-1); err == nil {
				p.open = len(names) - 1 // without dir itself
			}
			_ = dir.Close() // was only read
		}
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt64 {
		return int64(p.open), -1
	}
	return int64(p.open), int64(limit.Cur)
}

// appendEnvironment writes envi.
func appendEnvironment(b []byte, version string) []byte {
	b = append(b, "Environment:\n"...)
	for _, line := range environment(version) {
		b = fmt.Appendf(b, "%s=%s\n", line[0], line[1])
	}
	return b
}

// environment returns the keys of the original and their values: Go's answer where
// there is one and the original's word for none where there is not.
func environment(version string) [][2]string {
	const none = "<NA>"
	or := func(value string, err error) string {
		if err != nil || value == "" {
			return none
		}
		return value
	}
	name, home := none, none
	if u, err := user.Current(); err == nil {
		name, home = u.Username, u.HomeDir
	}
	free, most, total := memoryMiB()
	return [][2]string{
		{"zookeeper.version", version},
		{"host.name", or(os.Hostname())},
		{"java.version", runtime.Version()},
		{"java.vendor", "Go"},
		{"java.home", none},
		{"java.class.path", none},
		{"java.library.path", none},
		{"java.io.tmpdir", os.TempDir()},
		{"java.compiler", none},
		{"os.name", osName()},
		{"os.arch", runtime.GOARCH},
		{"os.version", or(osVersion())},
		{"user.name", name},
		{"user.home", home},
		{"user.dir", or(os.Getwd())},
		{"os.memory.free", free},
		{"os.memory.max", most},
		{"os.memory.total", total},
	}
}

func osName() string {
	if runtime.GOOS == "linux" {
		return "Linux"
	}
	return runtime.GOOS
}

func osVersion() (string, error) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", err
	}
	for len(release) > 0 && release[len(release)-1] == '\n' {
		release = release[:len(release)-1]
	}
	return string(release), nil
}

// memoryMiB is the heap as Java shows its own: free and total of what the
// process took from the system, and the limit.
func memoryMiB() (free, most, total string) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/total:bytes"},
	}
	metrics.Read(samples)
	mib := func(n uint64) string {
		if n >= math.MaxInt64 {
			return "<NA>" // no limit is set
		}
		return fmt.Sprintf("%dMB", n>>20)
	}
	return mib(samples[0].Value.Uint64() + samples[1].Value.Uint64()),
		mib(uint64(debug.SetMemoryLimit(-1))), mib(samples[2].Value.Uint64())
}

// memoryBytes are the address space and the memory of the process, −1 where the system does
// not tell.
func memoryBytes() (virtual, resident int64) {
	b, err := os.ReadFile("/proc/self/statm")
	var pages [2]int64
	if err == nil {
		_, err = fmt.Sscan(string(b), &pages[0], &pages[1])
	}
	if err != nil {
		return -1, -1
	}
	size := int64(os.Getpagesize())
	return pages[0] * size, pages[1] * size
}

// cpuSeconds is the CPU time of the process so far, in user and system mode.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
