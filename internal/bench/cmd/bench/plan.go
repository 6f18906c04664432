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
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// scenario is a load; docs/PERFORMANCE.md says what each is for.
type scenario struct {
	name    string
	load    string // what cmd/load calls it
	about   string
	members int
	rooms   int
	window  int
	deflate bool
	own     bool     // of wardroom only
	floor   bool     // and of the floor
	nodes   int      // how many servers there are, all on one CPU; 0 for one
	redis   bool     // they share a Redis
	args    []string // further flags of the server
}

func scenarios() []scenario {
	return []scenario{
		{name: "A", load: "A", about: "1 room × %d members, one publisher, 64 outstanding", members: 1000, rooms: 1, window: 64},
		{name: "B", load: "B", about: "100 rooms, %d members, each a closed loop", members: 1000, rooms: 100},
		{name: "C", load: "C", about: "1 room × %d members, 20 messages/s", members: 5000, rooms: 1},
		{name: "D", load: "D", about: "%d idle members in 100 rooms", members: 10000, rooms: 100},
		{name: "E", load: "E", about: "%d times: connect, join one of 100 rooms, leave", members: 4000, rooms: 100},
		{name: "F", load: "F", about: "4 KiB JSON, permessage-deflate, 1 room × %d members, 1 outstanding", members: 500, rooms: 1, window: 1, deflate: true},

		{name: "10 members", load: "A", about: "1 room × %d members, 1 outstanding", members: 10, rooms: 1, window: 1, own: true, floor: true},
		{name: "100 members", load: "A", about: "the same with %d", members: 100, rooms: 1, window: 1, own: true, floor: true},
		{name: "1,000 members", load: "A", about: "the same with %d", members: 1000, rooms: 1, window: 1, own: true, floor: true},
		{name: "10,000 members", load: "A", about: "the same with %d", members: 10000, rooms: 1, window: 1, own: true, floor: true},
		{name: "500 rooms", load: "rooms", about: "%d members, each pair in one room of its own, each a closed loop over its rooms", members: 1000, rooms: 500, own: true},
		{name: "10,000 rooms", load: "rooms", about: "%d members, each pair in 20 rooms of its own", members: 1000, rooms: 10_000, own: true},
		{name: "100,000 rooms", load: "rooms", about: "%d members, each pair in 200 rooms of its own", members: 1000, rooms: 100_000, own: true},
		{name: "huge", load: "huge", about: "a room of 10 with 100 messages/s next to one of %d with 5/s", members: 10000, own: true},

		{name: "accepted", load: "accepted", about: "%d members in 10 rooms, each with 16 messages outstanding, which are delivered to 10", members: 100, rooms: 10, window: 16, own: true},
		{name: "too fast", load: "fast", about: "%d members, each with 16 messages outstanding that are over its limit", members: 100, rooms: 10, window: 16, own: true, args: []string{"-mute"}},
		{name: "invalid", load: "invalid", about: "%d members, each with 16 messages outstanding that have a duplicate key", members: 100, rooms: 10, window: 16, own: true},
		{name: "not a member", load: "stranger", about: "%d members, each with 16 messages outstanding to a room they are not in", members: 100, rooms: 10, window: 16, own: true},
		{name: "no token", load: "token", about: "%d clients that ask for an upgrade with a bad token, over connections that stay", members: 100, own: true},

		{name: "A on one node, memory", load: "A", about: "A with %d members, again", members: 1000, rooms: 1, window: 64, own: true},
		{name: "A on one node, Redis", load: "A", about: "A with %d members; room, presence, sessions and limits in Redis", members: 1000, rooms: 1, window: 64, own: true, redis: true},
		{name: "A on two nodes, Redis", load: "A", about: "A with %d members, half of them on each node", members: 1000, rooms: 1, window: 64, own: true, redis: true, nodes: 2},
		{name: "B on one node, Redis", load: "B", about: "B with %d members", members: 1000, rooms: 100, own: true, redis: true},
		{name: "B on two nodes, Redis", load: "B", about: "B with %d members, half of each room on each node", members: 1000, rooms: 100, own: true, redis: true, nodes: 2},
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
		{name: "wardroom without token", dialect: "wardroom", pkg: "./server", auth: "none", scope: "E", profile: true},
		{name: "wardroom with ES256", dialect: "wardroom", pkg: "./server", auth: "es256", scope: "E", profile: true},
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
	Alone      float64 `json:"alone_p99_ms"`
	Join       float64 `json:"join_p99_ms"`
	RoundTrip  float64 `json:"round_trips"`
}

type cell struct{ scenario, server string }

type plan struct {
	dir                string
	dur                time.Duration
	serverCPU, loadCPU int
	pprof              string
	before             string // load average
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
			if sv.scope != "" && !strings.Contains(sv.scope, sc.name) || sc.own && sv.name != "wardroom" && (!sc.floor || sv.name != "floor") {
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

// once starts a server, or the nodes of one, puts it under load and stops it.
func (p *plan) once(sc scenario, sv server) (r result, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute+4*p.dur)
	defer cancel()
	redis, sv := "", sv
	sv.args = append(slices.Clone(sv.args), sc.args...)
	if sc.redis {
		var stop func()
		if redis, stop, err = p.startRedis(ctx); err != nil {
			return r, err
		}
		defer stop()
		sv.args = append(sv.args, "-redis", redis)
	}
	var addrs, pids []string
	for range max(1, sc.nodes) {
		addr, pid, stop, err := p.start(ctx, sc, sv)
		if err != nil {
			return r, err
		}
		defer stop()
		addrs, pids = append(addrs, addr), append(pids, strconv.Itoa(pid))
	}
	args := []string{
		"-addr", strings.Join(addrs, ","), "-pid", strings.Join(pids, ","), "-redis", redis, "-dialect", sv.dialect, "-scenario", sc.load,
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
func (p *plan) start(ctx context.Context, sc scenario, sv server) (addr string, pid int, stop func(), err error) {
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
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // how it ends is of no interest
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", 0, nil, fmt.Errorf("the server did not start: %w", err)
	}
	return strings.TrimSpace(line), cmd.Process.Pid, stop, nil
}

// startRedis starts one that keeps nothing, on the CPU of the load.
func (p *plan) startRedis(ctx context.Context) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := p.pinned(ctx, p.loadCPU, "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", p.dir)
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	var dialer net.Dialer
	for range 100 {
		if c, err := dialer.DialContext(ctx, "tcp", addr); err == nil {
			_ = c.Close()
			return addr, stop, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return "", nil, errors.New("redis-server does not answer")
}
