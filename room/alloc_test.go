package room

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/limit"
)

// whoever takes the token for the user's ID.
type whoever struct{}

func (whoever) Authenticate(_ context.Context, c auth.Credentials) (auth.Identity, error) {
	return auth.Identity{ID: c.Token}, nil
}

// crowd is a server with members of the room "r", over TCP, that read all they
// get. Their connections on the server's side are driven by the caller, as if
// the socket had brought something: their own goroutines wait for input.
func crowd(t testing.TB, members int, adjust ...func(*Limits)) []*Conn {
	t.Helper()
	limits := DefaultLimits()
	limits.ConnectsPerIP, limits.ConnectionsPerIP = limit.Rate{}, 1<<20
	limits.Messages = Rates{Connection: limit.PerSecond(1e7), User: limit.PerSecond(1e7), Room: limit.PerSecond(1e7)}
	limits.Requests, limits.Bytes, limits.Abuse = limit.PerSecond(1e7), limit.PerSecond(1e9), limit.Rate{}
	for _, f := range adjust {
		f(&limits)
	}
	srv, err := New(WithAuthenticator(whoever{}), WithLimits(limits), WithRooms("r", Settings{Permission: Public, MaxMembers: 1 << 20}), WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	var readers sync.WaitGroup
	for i := range members {
		ws, _, err := websocket.Dial(t.Context(), web.URL, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {fmt.Sprint("Bearer u", i)}}})
		if err != nil {
			t.Fatal(err)
		}
		ws.SetReadLimit(-1)
		if _, _, err := ws.Read(t.Context()); err != nil { // the welcome
			t.Fatal(err)
		}
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(`{"type":"join","ref":1,"room":"r"}`)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ws.Read(t.Context()); err != nil { // the reply
			t.Fatal(err)
		}
		conn := ws
		readers.Go(func() {
			buf := make([]byte, 64<<10)
			for {
				_, r, err := conn.Reader(context.Background())
				if err != nil {
					return
				}
				for err == nil {
					_, err = r.Read(buf)
				}
				if !errors.Is(err, io.EOF) {
					return
				}
			}
		})
	}
	t.Cleanup(func() {
		_ = srv.Shutdown(context.Background())
		web.Close()
		readers.Wait()
	})
	conns := srv.all()
	if len(conns) != members {
		t.Fatalf("%d connections, want %d", len(conns), members)
	}
	return conns
}

// tooFew is a rate that the first message uses up.
func tooFew(l *Limits) { l.Messages.Connection = limit.Rate{Events: 1, Per: time.Hour, Burst: 1} }

const said = `{"type":"message","room":"r","data":"a message of usual length, which is some hundred and thirty bytes with its envelope"}`

// refusals are frames that are refused, each for another reason.
var refusals = map[string]struct {
	frame  string
	adjust func(*Limits)
	most   float64 // allocations
}{
	"too fast":      {said, tooFew, 6},
	"no JSON":       {`{"type":"message","room":"r","data":"unfinished}`, func(*Limits) {}, 9},
	"duplicate key": {`{"type":"message","room":"r","data":{"a":1,"b":2,"a":3}}`, func(*Limits) {}, 8},
	"not a member":  {`{"type":"message","room":"q","data":1}`, func(*Limits) {}, 6},
}

// A delivery allocates nothing, whatever the number of members, and a message
// as good as nothing. A refusal makes little more, for what the client is told.
func TestPublishAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	const most = 3 // the strings of the request, its data, the message for the broker
	for _, members := range []int{1, 10, 100} {
		c := crowd(t, members)[0]
		one, burst := []byte(said), 16
		if n := testing.AllocsPerRun(200, func() {
			c.handle(one, false)
			c.flush()
		}); n > most {
			t.Errorf("a message to %d members: %v allocations, want %d at most", members, n, most)
		}
		if n := testing.AllocsPerRun(100, func() {
			for range burst {
				c.handle(one, false)
			}
			c.flush()
		}); n > float64(most*burst) {
			t.Errorf("%d messages in one flush to %d members: %v allocations, want %d at most", burst, members, n, most*burst)
		}
	}
	for name, r := range refusals {
		c := crowd(t, 1, r.adjust)[0]
		frame := []byte(r.frame)
		c.handle(frame, false)
		if n := testing.AllocsPerRun(200, func() {
			c.handle(frame, false)
			c.flush()
		}); n > r.most {
			t.Errorf("refusing what is %s: %v allocations, want %v at most", name, n, r.most)
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, members := range []int{1, 10, 100, 1000} {
		for _, burst := range []int{1, 16} {
			b.Run(fmt.Sprintf("members=%d/burst=%d", members, burst), func(b *testing.B) {
				c := crowd(b, members)[0]
				frame := []byte(said)
				b.ReportAllocs()
				for b.Loop() {
					for range burst {
						c.handle(frame, false)
					}
					c.flush()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*burst*members), "ns/delivery")
			})
		}
	}
}

// The parts of a message's way, apart from decoding, validating, encoding and
// writing, which their packages measure.
func BenchmarkParts(b *testing.B) {
	c := crowd(b, 1)[0]
	seat := c.seat("r")
	r := &Request{in: wire.Request{Type: wire.TypeMessage, Room: "r", Data: []byte(`"x"`)}, size: 100}
	m := Message{Kind: KindMessage, Room: "r", From: "u0", Event: "message", Data: []byte(`"a message of usual length"`)}
	for name, part := range map[string]func() error{
		"own limits":    func() error { return c.tooFast(r) },
		"shared limits": func() error { return c.limitMessage(&c.life, seat, 1) },
		"authorise":     func() error { _, err := c.member("r", auth.Publish); return err },
		"enqueue": func() error {
			seat.hall.hold(&c.batch)
			_, err := c.srv.broker.Publish(&c.life, m, Retention{})
			c.batch.Flush()
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := part(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What is refused costs less than what is accepted. Sixteen frames come with
// one read.
func BenchmarkRefuse(b *testing.B) {
	for name, r := range refusals {
		b.Run(name, func(b *testing.B) {
			c := crowd(b, 1, r.adjust)[0]
			frame := []byte(r.frame)
			b.ReportAllocs()
			for b.Loop() {
				for range 16 {
					c.handle(frame, false)
				}
				c.flush()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(16*b.N), "ns/refusal")
		})
	}
}
