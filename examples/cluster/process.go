package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A process is a node or a Redis that the story has started.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer // a node ends with it
}

// startNode starts this program again, as a node, and returns its address.
func startNode(name, secret string, flags ...string) (*process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(context.Background(), self, append([]string{"-node", name}, flags...)...)
	cmd.Env = append(os.Environ(), secretVariable+"="+secret)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	p := &process{cmd: cmd, stdin: stdin}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.kill()
		return nil, "", fmt.Errorf("node %s did not start", name)
	}
	return p, strings.TrimSpace(address), nil
}

// kill ends a process as a power cut does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// stop asks a node to end, and waits until it has.
func (p *process) stop() {
	_ = p.stdin.Close()
	_ = p.cmd.Wait()
}

// A redisServer is a Redis of the story's own, with a directory that outlives
// the process. It is reached through a socket in that directory, where no other
// server can be.
type redisServer struct {
	*process
	dir string
}

func startRedis() (*redisServer, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, errors.New("there is no redis-server to start: install one, or name a running Redis with -redis")
	}
	dir, err := os.MkdirTemp("", "wardroom-cluster")
	if err != nil {
		return nil, err
	}
	r := &redisServer{dir: dir}
	if err := r.start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return r, nil
}

// start starts the server, at first and again after kill. It writes everything
// down before it answers: what it has acknowledged it has after a crash.
func (r *redisServer) start() error {
	cmd := exec.CommandContext(context.Background(), "redis-server", "--port", "0", "--unixsocket", r.socket(), "--dir", r.dir,
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction")
	r.process = &process{cmd: cmd}
	return cmd.Start()
}

func (r *redisServer) socket() string { return filepath.Join(r.dir, "redis.sock") }

func (r *redisServer) url() string { return "unix://" + r.socket() }

// remove ends the server for good.
func (r *redisServer) remove() {
	r.kill()
	_ = os.RemoveAll(r.dir)
}
