//go:build !linux

package network

import (
	"net"
	"syscall"
)

// sendFile is not to be had here.
func sendFile(syscall.RawConn, uintptr, int64, int) (int, error) { return 0, syscall.ENOSYS }

func sendMore(_ syscall.RawConn, nc net.Conn, b []byte) error {
	_, err := nc.Write(b)
	return err
}

const haveSendfile = false
