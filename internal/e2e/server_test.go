package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buildChat builds the example with the root's own go.mod and returns the
// path of the program.
func buildChat(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "chat")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	args := []string{"build", "-o", program}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, "./examples/chat")...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build ./examples/chat: %v\n%s", err, out)
	}
	return program
}

// server is the example running as a process of its own.
type server struct {
	program string
	addr    string // "127.0.0.1:PORT", the same after a restart
	origins []string
	log     record

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// serve starts the example on a free port; it ends with the test. Without
// origins it takes the pages that it serves itself.
func (h house) serve(t *testing.T, origins ...string) *server {
	t.Helper()
	s := &server{program: h.chat, addr: "127.0.0.1:0", origins: origins}
	s.start(t)
	t.Cleanup(func() {
		s.stop(t)
		s.audit(t)
	})
	return s
}

func (s *server) origin() string { return "http://" + s.addr }

// start returns when the example serves.
func (s *server) start(t *testing.T) {
	t.Helper()
	// With a secret of our own a token outlives a restart. The test's context
	// is done before its clean-ups run, which are to see a clean end.
	s.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), s.program,
		"-addr", s.addr, "-origins", strings.Join(s.origins, ","), "-secret", "0123456789abcdef0123456789abcdef", "-log", "json")
	s.cmd.Stderr = &s.log
	s.cmd.WaitDelay = 5 * time.Second
	dieWithParent(s.cmd)
	stdout, stdin := io.Pipe()
	s.cmd.Stdout = stdin
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait() // stop and the reader below look at ProcessState
		stdin.Close()
	}()
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("the example ended before it served: %v\n%s", s.cmd.ProcessState, s.log.String())
	}
	_, address, ok := strings.Cut(strings.TrimSpace(line), "http://")
	if !ok {
		t.Errorf("the example printed %q; want its address", line)
	}
	s.addr = address
	go func() { _, _ = io.Copy(io.Discard, lines) }() // ends with the process
}

// stop asks the process to end, and sees that it does so in order.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	select {
	case <-s.done:
	case <-time.After(15 * time.Second):
		t.Errorf("the example runs on 15 s after SIGTERM\n%s", s.log.String())
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the example ended with %v\n%s", s.cmd.ProcessState, s.log.String())
	}
}

// audit fails the test for what the server itself says went wrong: records
// of level ERROR, and lines that are no records, like those of a panic or of
// the race detector.
func (s *server) audit(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(s.log.String()) {
		var entry struct{ Level string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level == "ERROR" {
			t.Errorf("the server's log:\n%s", s.log.String())
			return
		}
	}
}

// record is output that may be read while it is written.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}
