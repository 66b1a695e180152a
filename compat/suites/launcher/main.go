package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

func main() {
	// The kernel ties the death signals, ours and the server's, to threads.
	runtime.LockOSThread()
	code, err := launch(filepath.Base(os.Args[0]), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "launcher:", err)
		code = 1
	}
	os.Exit(code)
}

// launch runs the server that a command line asks for until it ends, and returns its exit code.
func launch(name string, args []string) (int, error) {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0); errno != 0 {
		return 0, fmt.Errorf("die with the suite: %w", errno)
	}
	line, err := parse(name, args)
	if err != nil {
		return 0, err
	}
	cfg, err := readConfig(line.config)
	if err != nil {
		return 0, err
	}
	if line.front {
		if err := putInFront(cfg); err != nil {
			return 0, err
		}
	}
	path, err := cfg.write()
	if err != nil {
		return 0, err
	}
	cmd, err := server(path, line.properties)
	if err != nil {
		return 0, err
	}
	return run(cmd)
}

// run starts cmd, hands the signals on that ask it to end, and waits.
func run(cmd *exec.Cmd) (int, error) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go func() {
		for s := range signals {
			// The only error is that the server has ended, which Wait tells.
			_ = cmd.Process.Signal(s)
		}
	}()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return max(cmd.ProcessState.ExitCode(), 0), nil
}
