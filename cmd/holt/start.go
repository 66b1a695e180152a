package main

import "holt/server"

// startServer runs a member in this process.
func (a *app) startServer(cfg server.Config) (member, error) { return server.Start(cfg) }
