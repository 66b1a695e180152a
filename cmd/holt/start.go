package main

import (
	"errors"

	"holt/server"
)

// startServer runs a member in this process.
func startServer(server.Config) (member, error) {
	return nil, errors.New("this build has no server")
}
