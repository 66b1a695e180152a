package main

import "holt/server"

// startServer runs a member in this process.
func startServer(cfg server.Config) (member, error) {
	s, err := server.Start(cfg)
	if err != nil {
		return nil, err // and no interface around a nil pointer
	}
	return s, nil
}
