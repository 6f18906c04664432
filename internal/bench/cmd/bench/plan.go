//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// scenario is a load; docs/PERFORMANCE.md says what each is for.
type scenario struct {
	name    string
	about   string
	members int
	rooms   int
	window  int
	deflate bool
}

func scenarios() []scenario {
	return []scenario{
		{name: "A", about: "1 room × %d members, one publisher, 64 outstanding", members: 1000, rooms: 1, window: 64},
		{name: "B", about: "100 rooms, %d members, each a closed loop", members: 1000, rooms: 100},
		{name: "C", about: "1 room × %d members, 20 messages/s", members: 5000, rooms: 1},
		{name: "D", about: "%d idle members in 100 rooms", members: 10000, rooms: 100},
		{name: "E", about: "%d times: connect, join one of 100 rooms, leave", members: 4000, rooms: 100},
		{name: "F", about: "4 KiB JSON, permessage-deflate, 1 room × %d members, 1 outstanding", members: 500, rooms: 1, window: 1, deflate: true},
	}
}

// server is one way of serving rooms.
type server struct {
	name    string
	dialect string
	pkg     string   // the Go package that is built
	script  string   // or the file that node runs
	args    []string // further flags
	auth    string   // kind of the tokens
	scope   string   // the only scenarios it is for; empty for all
	profile bool     // it has -pprof
}

// servers lists them, those on Node.js only where it is and can install them.
func servers(dir string) ([]server, error) {
	list := []server{
		{name: "floor", dialect: "plain", pkg: "./peers/floor"},
		{name: "floor, one write", dialect: "plain", pkg: "./peers/floor", args: []string{"-coalesce"}, scope: "AB"},
		{name: "wardroom", dialect: "wardroom", pkg: "./server", auth: "hs256", profile: true},
		{name: "wardroom, no token", dialect: "wardroom", pkg: "./server", auth: "none", scope: "E", profile: true},
		{name: "wardroom, ES256", dialect: "wardroom", pkg: "./server", auth: "es256", scope: "E", profile: true},
		{name: "centrifuge", dialect: "centrifuge", pkg: "./peers/centrifuge", profile: true},
		{name: "gws", dialect: "plain", pkg: "./peers/gws", profile: true},
		{name: "melody", dialect: "plain", pkg: "./peers/melody", profile: true},
		{name: "gorilla", dialect: "plain", pkg: "./peers/gorilla", profile: true},
		{name: "coder", dialect: "plain", pkg: "./peers/coder", profile: true},
	}
	if err := installNode(dir); err != nil {
		fmt.Fprintln(os.Stderr, "peers on Node.js are left out:", err)
		return list, nil
	}
	return append(list,
		server{name: "ws", dialect: "plain", script: "ws.js"},
		server{name: "socket.io", dialect: "socketio", script: "socketio.js"},
	), nil
}

// installNode puts the peers on Node.js, with what they need, into dir.
func installNode(dir string) error {
	if _, err := exec.LookPath("node"); err != nil {
		return err
	}
	to := filepath.Join(dir, "node")
	if err := os.CopyFS(to, os.DirFS("peers/node")); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(to, "node_modules")); err == nil {
		return nil
	}
	npm := exec.CommandContext(context.Background(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	npm.Dir = to
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	return nil
}

// result is what cmd/load prints.
type result struct {
	Deliveries int64   `json:"deliveries"`
	Seconds    float64 `json:"seconds"`
	CPU        float64 `json:"cpu"`
	LoadCPU    float64 `json:"load_cpu"`
	PerMillion float64 `json:"per_million"`
	PerRead    float64 `json:"per_read"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	Max        float64 `json:"max_ms"`
	KiB        float64 `json:"kib"`
	Connect    float64 `json:"connect"`
	Lost       int     `json:"lost"`
}

type cell struct{ scenario, server string }

type plan struct {
	dir                string
	dur                time.Duration
	serverCPU, loadCPU int
	pprof              string
	scenarios          []scenario
	servers            []server
	public, private    string // of es256
	results            map[cell][]result
	failures           []string
}

// secret is the key of hs256: 32 bytes, as RFC 7518, section 3.2, asks for.
const secret = "0123456789abcdef0123456789abcdef"

func (p *plan) binary(pkg string) string { return filepath.Join(p.dir, filepath.Base(pkg)) }

func (p *plan) build() error {
	built := map[string]bool{}
	packages := []string{"./load"}
	for _, s := range p.servers {
		if s.pkg != "" {
			packages = append(packages, s.pkg)
		}
	}
	for _, pkg := range packages {
		if built[pkg] {
			continue
		}
		built[pkg] = true
		if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", p.binary(pkg), pkg).CombinedOutput(); err != nil {
			return fmt.Errorf("building %s (run this in internal/bench): %w: %s", pkg, err, out)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	p.private = string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))
	p.public = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	return nil
}

// round runs every scenario once against every server.
func (p *plan) round(rep int) {
	for _, sc := range p.scenarios {
		for _, sv := range p.servers {
			if sv.scope != "" && !strings.Contains(sv.scope, sc.name) {
				continue
			}
			r, err := p.once(sc, sv)
			if err != nil {
				fmt.Fprintf(os.Stderr, "%d %s %-20s %v\n", rep+1, sc.name, sv.name, err)
				p.failures = append(p.failures, fmt.Sprintf("%s, %s: %v", sc.name, sv.name, err))
				continue
			}
			fmt.Fprintf(os.Stderr, "%d %s %-20s %+v\n", rep+1, sc.name, sv.name, r)
			at := cell{sc.name, sv.name}
			p.results[at] = append(p.results[at], r)
		}
	}
}

// once starts a server, puts it under load and stops it.
func (p *plan) once(sc scenario, sv server) (r result, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second+4*p.dur)
	defer cancel()
	addr, pid, stop, err := p.start(ctx, sc, sv)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	args := []string{
		"-addr", addr, "-pid", strconv.Itoa(pid), "-dialect", sv.dialect, "-scenario", sc.name,
		"-members", strconv.Itoa(sc.members), "-rooms", strconv.Itoa(sc.rooms), "-window", strconv.Itoa(sc.window), "-for", p.dur.String(),
	}
	switch sv.auth {
	case "":
	case "es256":
		args = append(args, "-auth", sv.auth, "-key", p.private)
	default:
		args = append(args, "-auth", sv.auth, "-key", secret)
	}
	load := p.pinned(ctx, p.loadCPU, p.binary("./load"), args...)
	out, err := load.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return r, err
	}
	return r, json.Unmarshal(out, &r)
}

// pinned is a command that runs on one CPU.
func (p *plan) pinned(ctx context.Context, on int, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", strconv.Itoa(on), name}, args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "NODE_ENV=production")
	return cmd
}

// start returns when the server has said where it listens. taskset becomes
// the server, so that its process is the server's.
func (p *plan) start(ctx context.Context, sc scenario, sv server) (addr string, pid int, stop func() error, err error) {
	name, args := p.binary(sv.pkg), sv.args
	if sv.script != "" {
		name, args = "node", []string{filepath.Join(p.dir, "node", sv.script)}
	}
	if sc.deflate && sv.dialect != "wardroom" {
		args = append(args, "-deflate")
	}
	switch sv.auth {
	case "":
	case "es256":
		args = append(args, "-auth", sv.auth, "-key", p.public)
	default:
		args = append(args, "-auth", sv.auth, "-key", secret)
	}
	if p.pprof != "" && sv.profile {
		args = append(args, "-pprof", p.pprof)
	}
	cmd := p.pinned(ctx, p.serverCPU, name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // how it ends is of no interest
		return nil
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", 0, nil, errors.Join(fmt.Errorf("the server did not start: %w", err), stop())
	}
	return strings.TrimSpace(line), cmd.Process.Pid, stop, nil
}
