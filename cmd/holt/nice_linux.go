package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// beNice has all threads of this process, and those they start, give way to others, as a
// member on the same machine. Where that is not permitted they do not.
func beNice() {
	const niceness = 10
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, thread := range threads {
		if id, err := strconv.Atoi(thread.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, niceness)
		}
	}
}
