//go:build linux

// Command load puts one server under the load of one scenario and prints what
// it measured as a line of JSON. It is started by cmd/bench.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "", "addresses of the server's nodes, separated by commas")
	pid := flag.String("pid", "", "their processes")
	name := flag.String("dialect", "plain", "how the server is spoken to: plain, wardroom, centrifuge, socketio")
	what := flag.String("scenario", "A", "A to F, rooms, huge, or one of the refusals: accepted, invalid, fast, stranger, token")
	auth := flag.String("auth", "none", "kind of the tokens: none, hs256, es256")
	key := flag.String("key", "", "key of the tokens")
	var s scenario
	flag.StringVar(&s.redis, "redis", "", "address of the Redis that the nodes share")
	flag.IntVar(&s.members, "members", 1000, "connections in all")
	flag.IntVar(&s.rooms, "rooms", 1, "rooms they are in")
	flag.IntVar(&s.window, "window", 64, "messages outstanding")
	flag.IntVar(&s.rate, "rate", 20, "messages a second")
	flag.DurationVar(&s.warm, "warm", 500*time.Millisecond, "time before measuring")
	flag.DurationVar(&s.dur, "for", 3*time.Second, "time of measuring")
	flag.Parse()

	var ok bool
	if s.dialect, ok = dialects[*name]; !ok {
		return fmt.Errorf("no such dialect: %s", *name)
	}
	for a := range strings.SplitSeq(*addr, ",") {
		at, err := netip.ParseAddrPort(a)
		if err != nil {
			return err
		}
		s.to = append(s.to, unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())})
	}
	for p := range strings.SplitSeq(*pid, ",") {
		n, err := strconv.Atoi(p)
		if err != nil {
			return err
		}
		s.pids = append(s.pids, n)
	}
	var err error
	if s.token, err = tokens(*auth, *key); err != nil {
		return err
	}
	if s.loop, err = newLoop(s.dialect); err != nil {
		return err
	}
	var r result
	switch *what {
	case "A":
		r, err = s.burst(payload(tag(0)), false)
	case "B":
		r, err = s.loops()
	case "C":
		r, err = s.paced()
	case "D":
		r, err = s.idle()
	case "E":
		r, err = s.connects()
	case "F":
		r, err = s.burst(document(), true)
	case "rooms":
		r, err = s.manyRooms()
	case "huge":
		r, err = s.hugeRoom()
	case "accepted", "invalid", "fast", "stranger":
		r, err = s.flood(*what)
	case "token":
		r, err = s.knock()
	default:
		err = fmt.Errorf("no such scenario: %s", *what)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}
