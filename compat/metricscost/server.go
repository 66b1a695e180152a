package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"

	"holt/server"
)

// serveFlag makes this program be the server; the data directory follows.
const serveFlag = "-server"

// serve runs a server. It prints the address, then does what its standard input says: the name
// of a file begins a profile, an empty line ends it; each is answered with a line.
func serve(dir string) (err error) {
	s, err := server.Start(server.Config{DataDir: dir, ClientAddr: "127.0.0.1:0", MaxClientConns: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	<-s.Ready()
	fmt.Println(s.ClientAddr())
	var f *os.File
	for in := bufio.NewScanner(os.Stdin); in.Scan(); fmt.Println("done") {
		if name := in.Text(); name != "" {
			if f, err = os.Create(name); err == nil {
				err = pprof.StartCPUProfile(f)
			}
		} else {
			pprof.StopCPUProfile()
			err = f.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// process is a server that was started.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	addr string
}

func startServer(ctx context.Context, dir string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, self, serveFlag, dir)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if p.addr, err = p.line(); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (p *process) line() (string, error) {
	line, err := p.out.ReadString('\n')
	return strings.TrimSpace(line), err
}

// profile has the server write a profile of the time that do takes.
func (p *process) profile(file string, do func() error) error {
	if err := p.say(file); err != nil {
		return err
	}
	err := do()
	return errors.Join(err, p.say(""))
}

func (p *process) say(text string) error {
	_, err := fmt.Fprintln(p.in, text)
	if err == nil {
		_, err = p.line()
	}
	return err
}

// stop ends the server in order.
func (p *process) stop() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }
