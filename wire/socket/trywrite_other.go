//go:build !unix

package socket

import "syscall"

// TryWrite leaves all writing to the goroutine where sockets are not file
// descriptors.
func TryWrite(syscall.RawConn, []byte) int { return 0 }
