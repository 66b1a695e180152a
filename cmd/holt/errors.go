package main

import (
	"errors"
	"net"
	"syscall"
)

// addressInUse says whether err is about a port that is taken, and which.
func addressInUse(err error) (string, bool) {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return "", false
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil {
		return op.Addr.String(), true
	}
	return "", true
}
