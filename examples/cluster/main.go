// Command cluster tells what happens to a room on three nodes when things
// break. It starts three servers, each a process of its own, on one Redis, lets
// simulated users talk, kills a node and then Redis, and says in plain words
// what everyone sees.
//
//	go run ./examples/cluster                                  # starts a redis-server itself
//	go run ./examples/cluster -redis redis://127.0.0.1:6379    # leaves Redis alone
//
// node.go is what an application would have. The rest is the story: person.go a
// client that reconnects, process.go what is started and killed.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

const (
	lobby          = "lobby"
	secretVariable = "WARDROOM_CLUSTER_SECRET"
)

var errInterrupted = errors.New("interrupted")

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run() error {
	redis := flag.String("redis", "", "URL of the Redis to use (default: one is started, and killed in the story)")
	node := flag.String("node", "", "be the node of this name, as which the story starts this program again")
	prefix := flag.String("prefix", "", "what the node's keys in Redis begin with")
	verbose := flag.Bool("v", false, "show the nodes' logs on standard error")
	flag.Parse()
	if *node != "" {
		logger := slog.New(slog.DiscardHandler)
		if *verbose {
			logger = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("node", *node)
		}
		return serve(*node, *redis, *prefix, os.Getenv(secretVariable), logger)
	}

	// Who has seen enough is obeyed at once, and nothing is left behind. Who
	// insists, with a second Ctrl-C, need not wait for that.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	s := &story{ctx: ctx, secret: rand.Text() + rand.Text()}
	if *redis == "" {
		server, err := startRedis()
		if err != nil {
			return err
		}
		defer server.remove()
		s.redis, *redis = server, server.url()
	}
	defer s.end()
	// Keys of its own, so that it disturbs nothing in a Redis that is in use.
	keys := "wardroom-cluster-" + rand.Text()[:8] + ":"
	for _, name := range []string{"a", "b", "c"} {
		p, address, err := startNode(name, s.secret, "-redis", *redis, "-prefix", keys, fmt.Sprintf("-v=%t", *verbose))
		if ctx.Err() != nil {
			err = errInterrupted // whatever that has led to
		}
		if p != nil {
			s.nodes = append(s.nodes, &member{process: p, name: name, address: address})
		}
		if err != nil {
			return err
		}
	}
	for _, act := range []func() error{s.arrivals, s.talk, s.death, s.outage, s.summary} {
		err := act()
		if ctx.Err() != nil {
			err = errInterrupted
		}
		if err != nil {
			return err
		}
	}
	if !s.good {
		return errors.New("the story has not ended well")
	}
	return nil
}
