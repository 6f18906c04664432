package transport

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// deaf is a conn whose peer takes everything and says nothing.
type deaf struct{}

func (deaf) Read([]byte) (int, error)         { return 0, io.EOF }
func (deaf) Write(p []byte) (int, error)      { return len(p), nil }
func (deaf) Close() error                     { return nil }
func (deaf) LocalAddr() net.Addr              { return pipeAddr{} }
func (deaf) RemoteAddr() net.Addr             { return pipeAddr{} }
func (deaf) SetDeadline(time.Time) error      { return nil }
func (deaf) SetReadDeadline(time.Time) error  { return nil }
func (deaf) SetWriteDeadline(time.Time) error { return nil }

// acceptFake is Accept over a conn without an HTTP server around it.
func acceptFake(nc net.Conn, opts *Options) (*Conn, error) {
	r := &http.Request{Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {"dGhlIHNhbXBsZSBub25jZQ=="},
	}}
	if opts.Compress {
		r.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate")
	}
	return Accept(&fakeWriter{nc, http.Header{}}, r, opts)
}

type fakeWriter struct {
	nc     net.Conn
	header http.Header
}

func (w *fakeWriter) Header() http.Header         { return w.header }
func (w *fakeWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *fakeWriter) WriteHeader(int)             {}

func (w *fakeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.nc, bufio.NewReadWriter(bufio.NewReader(w.nc), bufio.NewWriter(w.nc)), nil
}
