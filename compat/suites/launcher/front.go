package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strconv"
)

// putInFront takes the client port of cfg for itself and gives the server another one, to which
// it passes all connections on.
func putInFront(cfg *config) error {
	l, err := net.Listen("tcp4", "127.0.0.1:"+cfg.get("clientPort"))
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	cfg.set("clientPort", strconv.Itoa(port))
	cfg.set("clientPortAddress", "127.0.0.1")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the process ends
			}
			go pass(c.(*net.TCPConn), fmt.Sprintf("127.0.0.1:%d", port))
		}
	}()
	return nil
}

// freePort returns a port outside the ranges of the suites and of the kernel.
func freePort() (int, error) {
	for range 100 {
		port := 24000 + rand.IntN(8000)
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("no free port between 24000 and 32000")
}

// pass connects client with the server at addr until either of them ends. A client of a server
// that is not there sees its connection closed.
func pass(client *net.TCPConn, addr string) {
	defer client.Close()
	c, err := net.Dial("tcp4", addr)
	if err != nil {
		return
	}
	server := c.(*net.TCPConn)
	defer server.Close()
	first := make([]byte, 4)
	if _, err := io.ReadFull(client, first); err != nil {
		return
	}
	if _, err := server.Write(first); err != nil {
		return
	}
	if string(first) == "srvr" {
		answer, err := io.ReadAll(server)
		if err == nil {
			_, _ = client.Write(oldDate(answer)) // a client that is gone needs no answer
		}
		return
	}
	go func() {
		_, _ = io.Copy(server, client) // the end of either direction ends the connection
		server.Close()
	}()
	_, _ = io.Copy(client, server)
}

var newDate = regexp.MustCompile(`built on (\d{4})-(\d\d)-(\d\d) (\d\d:\d\d \w+)|built on unknown`)

// oldDate writes the date of the build as ZooKeeper 3.5 did.
func oldDate(answer []byte) []byte {
	return newDate.ReplaceAllFunc(answer, func(found []byte) []byte {
		m := newDate.FindSubmatch(found)
		if len(m[1]) == 0 { // built without version control
			return []byte("built on 01/01/1970 00:00 UTC")
		}
		return fmt.Appendf(nil, "built on %s/%s/%s %s", m[2], m[3], m[1], m[4])
	})
}
