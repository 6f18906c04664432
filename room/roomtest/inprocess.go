package roomtest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
)

// inProcess is a transport that hands a request to a handler of the same
// process, and what the handler hijacks is the other end of a pipe.
type inProcess struct {
	handler http.Handler
	address string // of the client
	client  *Client
}

// RoundTrip does what net/http's server does with a request that came over a
// socket.
func (tr *inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(req.Context()))
	r := req.Clone(ctx)
	target, err := url.ParseRequestURI(req.URL.RequestURI())
	if err != nil {
		cancel()
		return nil, err
	}
	r.URL, r.RequestURI, r.RemoteAddr, r.Body = target, req.URL.RequestURI(), tr.address, http.NoBody
	if r.Host == "" {
		r.Host = req.URL.Host
	}
	w := &responseWriter{header: make(http.Header), hijacked: make(chan net.Conn, 1)}
	done := make(chan error, 1)
	tr.client.wait.Go(func() {
		// As with net/http the context ends with the handler, hijacked or not.
		defer cancel()
		done <- w.serve(tr.handler, r)
	})
	select {
	case conn := <-w.hijacked:
		return w.response(req, tr.client.through(conn)), nil
	case err := <-done:
		select {
		case conn := <-w.hijacked: // before it returned
			return w.response(req, tr.client.through(conn)), nil
		default:
		}
		if err != nil {
			return nil, err
		}
		return w.response(req, io.NopCloser(&w.body)), nil
	case <-req.Context().Done():
		cancel()
		return nil, fmt.Errorf("the handler did not answer the handshake: %w", req.Context().Err())
	}
}

// responseWriter is used by the handler until it is hijacked or the handler
// returns, and afterwards by RoundTrip.
type responseWriter struct {
	header   http.Header
	status   int
	sent     http.Header // as it was with the status
	body     bytes.Buffer
	taken    bool
	hijacked chan net.Conn // has the client's end
}

func (w *responseWriter) serve(h http.Handler, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	h.ServeHTTP(w, r)
	if !w.taken {
		w.WriteHeader(http.StatusOK)
	}
	return nil
}

func (w *responseWriter) Header() http.Header { return w.header }

func (w *responseWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.taken {
		return 0, http.ErrHijacked
	}
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// Hijack gives the handler one end of a pipe.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.taken {
		return nil, nil, http.ErrHijacked
	}
	w.taken = true
	server, client := net.Pipe()
	w.hijacked <- client
	return server, bufio.NewReadWriter(bufio.NewReader(server), bufio.NewWriter(server)), nil
}

func (w *responseWriter) response(req *http.Request, body io.ReadCloser) *http.Response {
	return &http.Response{
		Status: fmt.Sprint(w.status, " ", http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: body, ContentLength: -1, Request: req,
	}
}
