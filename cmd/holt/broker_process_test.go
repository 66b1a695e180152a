package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// command runs a holt command to its end, with what it reads, and returns what it says.
func command(t *testing.T, brokers []string, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), runAsHolt+"=1", "KAFKA_BROKERS="+strings.Join(brokers, ","))
	cmd.Stdin = strings.NewReader(stdin)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		t.Fatalf("holt %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), talk.String())
	}
	return out.String()
}

func wantOutput(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestDevBrokerProcess has a broker and its member stop in order and by force: records and
// committed offsets are there again.
func TestDevBrokerProcess(t *testing.T) {
	dir := t.TempDir()
	end := []func(*process){
		func(p *process) { p.stop(syscall.SIGTERM) },
		func(p *process) { p.kill() },
		func(p *process) { p.stop(syscall.SIGINT) },
	}
	all := ""
	for round, end := range end {
		p := startProcess(t, "dev", "--port", "0", "--data", dir, "-o", "json")
		r := p.ready()
		if len(r.Brokers) != 1 {
			t.Fatalf("ready: %+v", r)
		}
		if round == 0 {
			command(t, r.Brokers, "", "topic", "create", "orders", "-p", "1")
		} else {
			wantOutput(t, command(t, r.Brokers, "", "consume", "orders", "-n", fmt.Sprint(round)), all)
		}
		one := fmt.Sprintf("record %d\n", round)
		all += one
		command(t, r.Brokers, one, "produce", "orders")
		wantOutput(t, command(t, r.Brokers, "", "consume", "orders", "-g", "readers", "-n", "1"), one)
		if got := command(t, r.Brokers, "", "group", "describe", "readers"); !strings.Contains(got, "lag 0\n") {
			t.Errorf("group: %s", got)
		}
		end(p)
	}
}

// TestDevBrokersProcess has a record on three brokers.
func TestDevBrokersProcess(t *testing.T) {
	p := startProcess(t, "dev", "-n", "3", "--port", "0", "-o", "json")
	r := p.ready()
	if len(r.Brokers) != 3 {
		t.Fatalf("ready: %+v", r)
	}
	command(t, r.Brokers, "", "topic", "create", "orders", "-p", "3", "-r", "3", "-c", "min.insync.replicas=3")
	command(t, r.Brokers[:1], "hello\n", "produce", "orders")
	wantOutput(t, command(t, r.Brokers[2:], "", "consume", "orders", "-n", "1"), "hello\n")
	p.stop(syscall.SIGTERM)
}

// brokerFile writes server.properties for a broker beside the member at addr.
func brokerFile(t *testing.T, addr, logDir string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.properties")
	text := fmt.Sprintf("broker.id=1\nlisteners=PLAINTEXT://127.0.0.1:%d\nlog.dirs=%s\nzookeeper.connect=%s/kafka\nzookeeper.session.timeout.ms=4000\noffsets.topic.replication.factor=1\n",
		freePort(t), logDir, addr)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBrokerProcess(t *testing.T) {
	member := startProcess(t, "dev", "--port", "0", "--kafka-port", "0", "-o", "json")
	addr := member.ready().Clients[0]
	dir := t.TempDir()
	file := brokerFile(t, addr, filepath.Join(dir, "data"))
	kafka, metrics := fmt.Sprintf("127.0.0.1:%d", freePort(t)), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	for round, end := range []func(*process){
		func(p *process) { p.stop(syscall.SIGTERM) },
		func(p *process) { p.kill() },
		func(p *process) { p.stop(syscall.SIGINT) },
	} {
		p := startProcess(t, "broker", file, "--override", "listeners=PLAINTEXT://"+kafka, "--override", "metrics.listener="+metrics)
		p.waitLine("broker started")
		command(t, []string{kafka}, "x\n", "produce", "t")
		got := command(t, []string{kafka}, "", "consume", "t", "-n", fmt.Sprint(round+1))
		wantOutput(t, got, strings.Repeat("x\n", round+1))
		if page := getPage(t, "http://"+metrics+"/metrics"); !strings.Contains(page, "holt_broker_partitions ") {
			t.Errorf("metrics:\n%s", page)
		}
		end(p)
	}
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, "broker", file, "--override", "log.dirs="+blocked)
	if code, log := p.end(); code != 3 {
		t.Errorf("log.dirs is a file: exit code %d, want 3\n%s", code, log)
	}
	member.stop(syscall.SIGTERM)
	if _, err := os.Stat(filepath.Join(dir, "data", "t-0")); errors.Is(err, os.ErrNotExist) {
		t.Error("the topic has no directory")
	}
}
