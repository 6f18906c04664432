// Package redistest starts real redis-server processes for tests, each with a
// directory of its own, and does to them what happens to servers: alone
// ([Start]), as a Redis Cluster ([StartCluster]) and watched over by Sentinels
// ([StartSentinel]). What a server has logged is shown when the test fails.
//
// The environment's REDIS_SERVER is what is started instead of redis-server,
// such as valkey-server: a command, or the path of one.
package redistest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
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
	t     testing.TB
	port  int
	args  []string
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process of cmd is gone
	log   journal
}

const (
	// patience is how long a server may take to start.
	patience = 20 * time.Second
	// attempts is how many ports are tried: a free one may be taken by the
	// time the server wants it.
	attempts = 5
)

// Start starts a server that ends with the test. args are those of
// redis-server, such as "--appendonly", "yes". Where there is no redis-server
// the test is skipped.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := start(t, func(port int) []string { return own(t, port, args) })
	s.ready()
	return s
}

// own are the arguments of a server that keeps to itself. Replicas get their
// first copy from a file: to one that got it through a socket a primary sends
// nothing more until it is asked to, up to a second after it says that the
// replica is online.
func own(t testing.TB, port int, args []string) []string {
	return append([]string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "",
		"--daemonize", "no", "--enable-debug-command", "yes", "--repl-diskless-sync", "no",
	}, args...)
}

// start starts a process without waiting until it answers.
func start(t testing.TB, args func(port int) []string) *Server {
	t.Helper()
	if _, err := exec.LookPath(command()); err != nil {
		if chosen() != "" {
			t.Fatalf("REDIS_SERVER: %v", err)
		}
		t.Skip("redis-server is not installed: make test installs it")
	}
	s := &Server{t: t, port: ownPort(t)}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("redis-server on port %d:\n%s", s.port, s.log.String())
		}
	})
	s.args = args(s.port)
	s.run()
	return s
}

// command is what is started.
func command() string { return cmp.Or(chosen(), "redis-server") }

func chosen() string { return os.Getenv("REDIS_SERVER") }

// ready waits until a server that was just made answers, on another port if
// its own was taken.
func (s *Server) ready() {
	s.t.Helper()
	for n := 1; !s.answer(); n++ {
		if n == attempts {
			s.t.Fatalf("redis-server does not start:\n%s", s.log.String())
		}
		taken := strconv.Itoa(s.port)
		s.port = ownPort(s.t)
		for i, arg := range s.args {
			if arg == taken {
				s.args[i] = strconv.Itoa(s.port)
			}
		}
		s.run()
	}
}

// Addr is the server's address.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// URL is the server's address as a URL.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Client returns a client of the server that is closed with the test.
func (s *Server) Client() rueidis.Client {
	s.t.Helper()
	return client(s.t, rueidis.ClientOption{InitAddress: []string{s.Addr()}, ForceSingleClient: true})
}

func client(t testing.TB, option rueidis.ClientOption) rueidis.Client {
	t.Helper()
	option.DisableCache = true
	option.Dialer = net.Dialer{Timeout: time.Second}
	c, err := rueidis.NewClient(option)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Restart starts the server again after Kill, and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.run()
	if !s.answer() {
		s.t.Fatalf("redis-server does not start again:\n%s", s.log.String())
	}
}

func (s *Server) run() {
	s.t.Helper()
	cmd := exec.CommandContext(context.Background(), command(), s.args...)
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.cmd, s.ended = cmd, make(chan struct{})
	go func(ended chan struct{}) { // ends with the process; Kill waits for it
		defer close(ended)
		_ = cmd.Wait()
	}(s.ended)
}

// answer waits until the server answers, and reports false when it has ended
// instead.
func (s *Server) answer() bool {
	s.t.Helper()
	for end := time.Now().Add(patience); ; {
		if s.answers() {
			return true
		}
		select {
		case <-s.ended:
			return false
		case <-time.After(10 * time.Millisecond): // a process starts in no test's own time
		}
		if time.Now().After(end) {
			s.Kill()
			s.t.Fatalf("redis-server does not answer:\n%s", s.log.String())
		}
	}
}

// answers reports whether it is this process that answers: another server may
// have come to the port first.
func (s *Server) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	// Only the first is refused while a server loads its data.
	if _, err := conn.Write([]byte("PING\r\nINFO server\r\n")); err != nil {
		return false
	}
	lines := bufio.NewScanner(conn)
	if !lines.Scan() || lines.Text() != "+PONG" {
		return false
	}
	for lines.Scan() {
		if pid, ok := strings.CutPrefix(lines.Text(), "process_id:"); ok {
			return pid == strconv.Itoa(s.cmd.Process.Pid)
		}
	}
	return false
}

// Kill ends the server at once (SIGKILL).
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
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

// Do runs one command, such as Do("FLUSHALL"), and returns the answer as
// fmt.Sprint prints it.
func (s *Server) Do(args ...string) string {
	s.t.Helper()
	text, err := s.Try(args...)
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return text
}

// Try is Do for what may fail.
func (s *Server) Try(args ...string) (string, error) {
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Addr()}, DisableCache: true, ForceSingleClient: true, DisableRetry: true})
	if err != nil {
		return "", err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reply := c.Do(ctx, c.B().Arbitrary(args...).Build())
	if err := reply.Error(); err != nil && !rueidis.IsRedisNil(err) {
		return "", err
	}
	value, _ := reply.ToAny()
	return strings.TrimPrefix(fmt.Sprint(value), "txt:"), nil // of a verbatim string
}

// ownPort is a port that is the test's until it ends, also while no server
// listens there: no other test that asks here gets it, in this process or
// another. Outgoing connections take higher ones.
func ownPort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		// Servers speak TCP: the same port of UDP is free to say whose it is.
		sign, err := net.ListenPacket("udp", addr)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			_ = sign.Close()
			continue
		}
		_ = l.Close()
		t.Cleanup(func() { _ = sign.Close() })
		return port
	}
	t.Fatal("no free port")
	return 0
}

// eventually polls until f says nothing is missing.
func eventually(t testing.TB, what string, f func() (missing string)) {
	t.Helper()
	missing := ""
	for end := time.Now().Add(2 * patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if missing = f(); missing == "" {
			return
		}
	}
	t.Fatalf("%s: %s", what, missing)
}

// journal is what a server has written.
type journal struct {
	mu  sync.Mutex // protects buf
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

// String returns the last lines.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	const most = 8 << 10
	text := j.buf.String()
	if len(text) > most {
		_, text, _ = strings.Cut(text[len(text)-most:], "\n")
	}
	return text
}
