package ensemble

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Process is one run of a program. It ends with the program that started it at the latest.
type Process struct {
	name   string // for errors
	log    string
	cmd    *exec.Cmd
	exited chan struct{} // closed once err is set
	err    error         // what Wait returned
}

// StartProcess starts cmd, which was not started yet, in the directory of the file at log, to
// which everything that it prints is appended. name stands in errors.
func StartProcess(name string, cmd *exec.Cmd, log string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the process has its own descriptor
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Dir = filepath.Dir(log)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{name: name, log: log, cmd: cmd, exited: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// Running tells whether the process has not ended. A nil Process does not run.
func (p *Process) Running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// PID returns the process's id, also after its end.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends sig and does not wait.
func (p *Process) Signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// End sends sig and returns when the process is gone; one that lives on after patience is
// killed, which is an error.
func (p *Process) End(sig syscall.Signal, patience time.Duration) error {
	if !p.Running() {
		return fmt.Errorf("end %s: not running", p.name)
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end %s: %w", p.name, err)
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(patience):
	}
	err := p.cmd.Process.Kill()
	<-p.exited
	return errors.Join(fmt.Errorf("%s outlived %s by %v", p.name, sig, patience), err)
}

// Wait returns the exit status of a process that ends by itself: its code, or −1 if a signal
// ended it.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s runs on: %w", p.name, context.Cause(ctx))
	}
}

// LogTail returns the last lines that the process printed.
func (p *Process) LogTail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const most = 2000
	if len(b) > most {
		b = b[len(b)-most:]
	}
	return string(b)
}
