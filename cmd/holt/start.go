package main

import (
	"context"

	"holt/broker"
	"holt/server"
)

// startServer runs a member in this process.
func (a *app) startServer(cfg server.Config) (member, error) {
	a.tuneCollector()
	return server.Start(cfg)
}

// startBrokerHere runs a broker in this process.
func (a *app) startBrokerHere(ctx context.Context, cfg broker.Config) (runningBroker, error) {
	b, err := broker.Start(ctx, cfg)
	if err != nil {
		return nil, err // not a *Broker that is nil
	}
	return b, nil
}
