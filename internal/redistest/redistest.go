// Package redistest starts real redis-server processes for tests, each on a
// free port and with a directory of its own, and does to them what happens to
// servers.
package redistest

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// Server is one redis-server. Its methods are for one goroutine at a time.
type Server struct {
	t    testing.TB
	port int
	args []string
	cmd  *exec.Cmd
	wait sync.WaitGroup
	out  strings.Builder
}

// patience is how long a server may take to start.
const patience = 10 * time.Second

// Start starts a server that ends with the test. args are those of
// redis-server, such as "--appendonly", "yes". Where there is no redis-server
// the test is skipped.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed: make test installs it")
	}
	s := &Server{t: t, port: freePort(t)}
	s.args = append([]string{
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", t.TempDir(),
		"--save", "", "--loglevel", "warning", "--daemonize", "no", "--enable-debug-command", "yes",
	}, args...)
	t.Cleanup(s.Kill)
	s.Restart()
	return s
}

// Addr is the server's address.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// URL is the server's address as a URL.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Client returns a client of the server that is closed with the test.
func (s *Server) Client() rueidis.Client {
	s.t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{s.Addr()}, DisableCache: true, ForceSingleClient: true,
		Dialer: net.Dialer{Timeout: time.Second},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// Restart starts the server again after Kill, and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	cmd := exec.CommandContext(context.Background(), "redis-server", s.args...)
	cmd.Stdout, cmd.Stderr = &s.out, &s.out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.cmd = cmd
	s.wait.Go(func() { _ = cmd.Wait() })
	for end := time.Now().Add(patience); ; {
		if s.answers() {
			return
		}
		if time.Now().After(end) {
			s.Kill()
			s.t.Fatalf("redis-server does not answer:\n%s", s.out.String())
		}
		time.Sleep(10 * time.Millisecond) // a process starts in no test's own time
	}
}

func (s *Server) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	var buf [7]byte
	n, _ := conn.Read(buf[:])
	return string(buf[:n]) == "+PONG\r\n"
}

// Kill ends the server at once (SIGKILL).
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	s.wait.Wait()
	s.cmd = nil
}

// Pause stops the server in its tracks (SIGSTOP) until Resume.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on (SIGCONT).
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// Do runs one command, such as Do("FLUSHALL"), and returns the answer's text.
func (s *Server) Do(args ...string) string {
	s.t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Addr()}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reply := c.Do(ctx, c.B().Arbitrary(args...).Build())
	if err := reply.Error(); err != nil && !rueidis.IsRedisNil(err) {
		s.t.Fatalf("%v: %v", args, err)
	}
	return reply.String()
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
