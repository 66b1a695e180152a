package ratio

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// BackMemory touches n bytes of memory, at most half of what is free, and frees them again. It is called
// before a measurement with about what the servers will take for themselves and of the page cache.
//
// A virtual machine gives free memory back to its host (free page reporting, balloons). Who touches it
// next waits for the host, which counts as system time of his own: a copy to a new page takes ten times
// as long then, and a figure of a server that writes much is one of the host.
func BackMemory(n int) error {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return fmt.Errorf("sysinfo: %w", err)
	}
	n = min(n, int(uint64(info.Freeram)*uint64(info.Unit)/2))
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("map %d bytes: %w", n, err)
	}
	if err := unix.Munmap(b); err != nil {
		return fmt.Errorf("unmap %d bytes: %w", n, err)
	}
	return nil
}
