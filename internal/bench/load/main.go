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
	addr := flag.String("addr", "", "address of the server")
	name := flag.String("dialect", "plain", "how the server is spoken to: plain, wardroom, centrifuge, socketio")
	what := flag.String("scenario", "A", "A to F")
	auth := flag.String("auth", "none", "kind of the tokens: none, hs256, es256")
	key := flag.String("key", "", "key of the tokens")
	var s scenario
	flag.IntVar(&s.pid, "pid", 0, "process of the server")
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
	at, err := netip.ParseAddrPort(*addr)
	if err != nil {
		return err
	}
	s.to = unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}
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
	default:
		err = fmt.Errorf("no such scenario: %s", *what)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}
