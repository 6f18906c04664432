// Package serve is what the Go peers have in common: flags, a listener, and a
// stop at SIGTERM. A peer prints the address it listens on, then serves.
package serve

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof" // served where -pprof says
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Options is what a peer is told.
type Options struct {
	// Deflate says that permessage-deflate is to be negotiated.
	Deflate bool
}

// Main serves the peer's handler at /ws until SIGTERM.
func Main(handler func(Options) (http.Handler, error)) {
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	profile := flag.String("pprof", "", "address to serve profiles on")
	var o Options
	flag.BoolVar(&o.Deflate, "deflate", false, "negotiate permessage-deflate")
	flag.Parse()
	if err := run(*addr, *profile, o, handler); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(addr, profile string, o Options, handler func(Options) (http.Handler, error)) error {
	h, err := handler(o)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if profile != "" {
		profiles := &http.Server{Addr: profile, Handler: http.DefaultServeMux, ReadHeaderTimeout: 10 * time.Second}
		go func() { _ = profiles.ListenAndServe() }()
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ws", h)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	go func() { _ = server.Serve(listener) }()
	fmt.Println(listener.Addr())
	<-ctx.Done()
	return server.Close()
}
