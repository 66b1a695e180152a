package datadir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	"holt/server"
)

// checkpoint asks the member that runs in dataDir for one. It returns nil if none runs.
func checkpoint(dataDir string) (*Copy, error) {
	conn, err := server.DialControl(dataDir)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask the member in %s: %w", dataDir, err)
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}}
	resp, err := client.Post("http://member"+server.ControlCheckpoint, "", nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ask the member in %s for a checkpoint: %w", dataDir, err), conn.Close())
	}
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return nil, errors.Join(fmt.Errorf("the member in %s makes no checkpoint: %s", dataDir, text), err, conn.Close())
	}
	var answer server.CheckpointAnswer
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, errors.Join(fmt.Errorf("read the member's answer: %w", err), conn.Close())
	}
	// The member removes it when the connection ends, which closing the body before its end does.
	return &Copy{Dir: answer.Dir, Running: true, release: resp.Body.Close}, nil
}
