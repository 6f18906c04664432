package room_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// unwrapping is what most middleware puts around a ResponseWriter: something
// of its own, and Unwrap.
type unwrapping struct {
	http.ResponseWriter
	status int
}

func (w *unwrapping) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *unwrapping) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hijacking has a Hijack of its own as well, as chi's has.
type hijacking struct{ unwrapping }

func (w *hijacking) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.ResponseWriter.(http.Hijacker).Hijack()
}

// lazy keeps the status line until the first byte of a body, or until it is
// told, as gin's does.
type lazy struct {
	http.ResponseWriter
	status  int
	written bool
}

func (w *lazy) WriteHeader(status int) { w.status = status }

func (w *lazy) WriteHeaderNow() {
	if !w.written {
		w.written = true
		w.ResponseWriter.WriteHeader(w.status)
	}
}

func (w *lazy) Write(p []byte) (int, error) {
	w.WriteHeaderNow()
	return w.ResponseWriter.Write(p)
}

func (w *lazy) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.written = true
	return w.ResponseWriter.(http.Hijacker).Hijack()
}

func (w *lazy) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// opaque hides the connection.
type opaque struct{ w http.ResponseWriter }

func (w opaque) Header() http.Header         { return w.w.Header() }
func (w opaque) Write(p []byte) (int, error) { return w.w.Write(p) }
func (w opaque) WriteHeader(status int)      { w.w.WriteHeader(status) }

// The server works behind any writer that unwraps, or hijacks by itself.
func TestBehindWrappers(t *testing.T) {
	for name, wrap := range map[string]func(http.ResponseWriter) http.ResponseWriter{
		"none":       func(w http.ResponseWriter) http.ResponseWriter { return w },
		"unwrapping": func(w http.ResponseWriter) http.ResponseWriter { return &unwrapping{ResponseWriter: w} },
		"hijacking":  func(w http.ResponseWriter) http.ResponseWriter { return &hijacking{unwrapping{ResponseWriter: w}} },
		"lazy":       func(w http.ResponseWriter) http.ResponseWriter { return &lazy{ResponseWriter: w} },
		"lazy, wrapped": func(w http.ResponseWriter) http.ResponseWriter {
			return &unwrapping{ResponseWriter: &lazy{ResponseWriter: w}}
		},
		"three deep": func(w http.ResponseWriter) http.ResponseWriter {
			return &unwrapping{ResponseWriter: &unwrapping{ResponseWriter: &unwrapping{ResponseWriter: w}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := serveThrough(t, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(wrap(w), r) })
			}, house())
			ada := h.connect("ada", "Sec-WebSocket-Protocol: wardroom.v1.json", deflateOffer)
			if ada.subprotocol != "wardroom.v1.json" || !ada.deflate {
				t.Errorf("negotiated %q, %t", ada.subprotocol, ada.deflate)
			}
			ada.must("join", inRoom("hall"))
			ada.must("message", inRoom("hall"), saying(`1`))
			ada.expect("message")
			if _, status, _, body := h.handshake(upgrade("Authorization: Bearer bad")...); status != http.StatusUnauthorized || !strings.Contains(body, "unauthenticated") {
				t.Errorf("a refusal: %d %s", status, body)
			}
			ada.bye()
		})
	}
}

// Behind a writer that hides the connection there is an error, and nothing is
// left of the attempt.
func TestBehindOpaqueWriter(t *testing.T) {
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"opaque": func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(opaque{w}, r) })
		},
		"http.TimeoutHandler": func(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Minute, "too late") },
	} {
		t.Run(name, func(t *testing.T) {
			h := serveThrough(t, wrap, house(), limits(func(l *room.Limits) { l.ConnectionsPerUser = 1 }))
			for range 3 {
				if _, status, _, body := h.handshake(upgrade("Authorization: Bearer ada")...); status != http.StatusInternalServerError || !strings.Contains(body, `"internal"`) {
					t.Errorf("%d %s", status, body)
				}
			}
			if st := h.srv.Stats(); st != (room.Stats{}) {
				t.Errorf("left behind: %+v", st)
			}
			if !strings.Contains(h.log.String(), "Hijacker") {
				t.Error("the log does not say why")
			}
		})
	}
}

// A connection outlives the request that it began with, and the context that
// middleware gave that.
func TestOutlivesTheRequest(t *testing.T) {
	returned := make(chan struct{})
	h := serveThrough(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
			defer close(returned)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}, house(), room.AllowFirstMessageToken(), room.OnConnect(func(ctx context.Context, _ *room.Conn, r *http.Request) error {
		return ctx.Err()
	}))
	c := h.anonymous()
	<-returned
	c.must("auth", `"token":"ada"`)
	c.must("join", inRoom("hall"))
	c.must("message", inRoom("hall"), saying(`1`))
}

// Over TLS everything is written by a goroutine that waits, and arrives in the
// same order.
func TestTLS(t *testing.T) {
	h := serve(t, house())
	web := httptest.NewTLSServer(h.srv)
	defer web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	plain := h.open
	h.open = func() net.Conn {
		conn, err := tls.Dial("tcp", web.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "example.com"})
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	ada, bob := h.in("ada", "hall"), h.in("bob", "hall")
	h.open = plain
	cyd := h.in("cyd", "hall")
	large := strings.Repeat("x", 990)
	for n := range 200 {
		ada.sendf(`{"type":"message","room":"hall","data":[%d,"%s"],"echo":false}`, n, large)
	}
	for _, v := range []*visitor{bob, cyd} {
		for n := range 200 {
			f := v.next()
			for f.Type != "message" { // when somebody came is not of interest
				f = v.next()
			}
			if f.Offset != uint64(n+1) {
				t.Fatalf("%s: offset %d, want %d", v.welcome.User, f.Offset, n+1)
			}
		}
	}
	bob.bye()
	if f := cyd.expect("user_left"); f.User != "bob" {
		t.Errorf("got %s", f)
	}
}
