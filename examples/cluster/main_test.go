//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wardroom/wardroom/internal/redistest"
)

// asCluster makes this test's own executable be the command, and its nodes.
const asCluster = "BE_THE_CLUSTER"

func TestMain(m *testing.M) {
	if os.Getenv(asCluster) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// tells runs the command and returns what it prints, and its complaints.
func tells(t *testing.T, env []string, flags ...string) (story, complaints string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], flags...)
	cmd.Env = append(append(os.Environ(), asCluster+"=1", "GORACE=atexit_sleep_ms=0"), env...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// has checks that the story tells some things, in this order.
func has(t *testing.T, story string, facts ...string) {
	t.Helper()
	rest := story
	for _, fact := range facts {
		at := regexp.MustCompile("(?m)" + fact).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("it does not tell %q, or not there:\n%s", fact, story)
		}
		rest = rest[at[1]:]
	}
}

var ending = []string{`exactly once: yes; all in one order: yes; that gus left, and nobody else, once: yes\.$`}

func TestStory(t *testing.T) {
	redistest.Start(t).Kill() // skips where there is no redis-server
	story, complaints, err := tells(t, nil)
	if err != nil || complaints != "" {
		t.Fatalf("%v\n%s\n%s", err, story, complaints)
	}
	has(t, story, append([]string{
		`^Three nodes`,
		`^  Node a at \S+ has ada, dan\.$`, `^  Node b at \S+ has bob, eve, gus\.$`, `^  Node c at \S+ has cyd, fay\.$`,
		`7 people are in the lobby`, `everyone hears all 7, in the same order`,
		`^Node b is killed`, `^  bob is back on node [ac], recovered:true\.$`, `^  eve is back on node [ac], recovered:true\.$`,
		`announces: user_left gus \(timeout\)`,
		`^Redis is killed`, `is not acknowledged`, `^Redis is started again`, `everyone has answered`,
		`^Summary: 14 messages`,
	}, ending...)...)
}

// A Redis that is not its own it leaves alone, and leaves little behind.
func TestGivenRedis(t *testing.T) {
	redis := redistest.Start(t)
	redis.Do("SET", "mine", "x")
	story, complaints, err := tells(t, nil, "-redis", redis.URL())
	if err != nil || complaints != "" {
		t.Fatalf("%v\n%s\n%s", err, story, complaints)
	}
	has(t, story, append([]string{`user_left gus \(timeout\)`, `not ours to kill`, `^Summary: 8 messages`}, ending...)...)
	if got := redis.Do("GET", "mine"); got != "x" {
		t.Errorf("the key that was there is %q", got)
	}
	if keys := redis.Do("KEYS", "wardroom:*"); strings.Contains(keys, "wardroom:") {
		t.Errorf("it has touched others' keys: %s", keys)
	}
	if keys := redis.Do("KEYS", "*:entries"); strings.Contains(keys, "entries") {
		t.Errorf("somebody is still there: %s", keys)
	}
}

// Whoever interrupts it, by Ctrl-C or otherwise, is obeyed, and finds nothing
// left behind.
func TestInterrupted(t *testing.T) {
	redistest.Start(t).Kill() // skips where there is no redis-server
	for _, sign := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		dir := t.TempDir()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), asCluster+"=1", "TMPDIR="+dir)
		var complaints strings.Builder
		cmd.Stderr = &complaints
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(out); lines.Scan() && !strings.HasPrefix(lines.Text(), "Node b is killed"); {
		}
		if err := cmd.Process.Signal(sign); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, out)
		err = cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || complaints.String() != "cluster: interrupted\n" {
			t.Errorf("%v: %v and %q", sign, err, complaints.String())
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v: left behind are %v, %v", sign, left, err)
		}
	}
}

func TestNoRedisServer(t *testing.T) {
	story, complaints, err := tells(t, []string{"PATH="})
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || story != "" || !strings.Contains(complaints, "no redis-server to start") {
		t.Errorf("%v: %q and %q", err, story, complaints)
	}
}
