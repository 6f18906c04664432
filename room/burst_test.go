package room

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wardroom/wardroom/limit"
)

// together is a broker that notes what was published together.
type together struct {
	Broker
	mu      sync.Mutex // protects what follows
	calls   [][]string // the data, by call
	single  []string   // of Publish
	results func([]Result) []Result
}

func (b *together) Publish(ctx context.Context, m Message, keep Retention) (Receipt, error) {
	if m.Kind == KindMessage {
		b.mu.Lock()
		b.single = append(b.single, string(m.Data))
		b.mu.Unlock()
	}
	return b.Broker.Publish(ctx, m, keep)
}

func (b *together) PublishAll(ctx context.Context, list []Publication) []Result {
	b.mu.Lock()
	defer b.mu.Unlock()
	var call []string
	results := make([]Result, len(list))
	for i, p := range list {
		call = append(call, string(p.Message.Data))
		results[i].Receipt, results[i].Err = b.Broker.Publish(ctx, p.Message, p.Keep)
	}
	b.calls = append(b.calls, call)
	if b.results != nil {
		return b.results(results)
	}
	return results
}

func (b *together) Follow(ctx context.Context, room string, deliver func(Message), delivered func()) (Position, func(), error) {
	return b.Subscribe(ctx, room, func(m Message) { deliver(m); delivered() })
}

// lists says how long the lists were.
func (b *together) lists() []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]int, len(b.calls))
	for i, call := range b.calls {
		list[i] = len(call)
	}
	return list
}

// speaker is a client in some rooms whose connection on the server's side is
// driven by the test.
type speaker struct {
	t      *testing.T
	b      *together
	c      *Conn
	ws     *websocket.Conn
	inputs chan func()
	done   chan struct{}
}

func newSpeaker(t *testing.T, opts ...Option) *speaker {
	t.Helper()
	s := &speaker{t: t, b: &together{Broker: NewMemoryBroker()}, inputs: make(chan func(), 1), done: make(chan struct{}, 1)}
	limits := DefaultLimits()
	limits.ConnectsPerIP = limit.Rate{}
	limits.Messages = Rates{Connection: limit.PerSecond(1e7), User: limit.PerSecond(1e7), Room: limit.PerSecond(1e7)}
	limits.Requests, limits.Bytes = limit.PerSecond(1e7), limit.PerSecond(1e9)
	opts = append([]Option{
		WithAuthenticator(whoever{}), WithLimits(limits), WithBroker(s.b), WithLogger(slog.New(slog.DiscardHandler)),
		WithRooms("r", Settings{Permission: Public, History: Keep(1000, time.Hour)}),
		WithRooms("q", Settings{Permission: Public, History: Keep(1000, time.Hour)}),
		WithRooms("slow", Settings{Permission: Public, Rates: &Rates{Connection: limit.Rate{Events: 1, Per: time.Hour, Burst: 1}}}),
	}, opts...)
	srv, err := New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	Handle(srv, "drive", func(_ context.Context, c *Conn, _ int) (int, error) {
		(<-s.inputs)()
		c.flush()
		s.done <- struct{}{}
		return 0, nil
	})
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		_ = srv.Shutdown(context.Background())
		web.Close()
	})
	if s.ws, _, err = websocket.Dial(t.Context(), web.URL, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer ada"}}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.ws.CloseNow() })
	s.ws.SetReadLimit(-1)
	s.read() // the welcome
	for i, room := range []string{"r", "q", "slow"} {
		if err := s.ws.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"type":"join","ref":%d,"room":%q}`, 1000+i, room)); err != nil {
			t.Fatal(err)
		}
		if got := s.until(int64(1000 + i)); len(got) != 1 || got[0] != fmt.Sprint(1000+i) {
			t.Fatalf("join %s: %v", room, got)
		}
	}
	s.c = srv.all()[0]
	return s
}

type answer struct {
	Type, Room, From string
	Ref              int64
	Data             json.RawMessage
	Error            *struct{ Code string }
	Offset           uint64
	Duplicate        bool
}

func (s *speaker) read() (a answer) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	_, text, err := s.ws.Read(ctx)
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// driving is the ref of what has the server call the functions given to input.
const driving = 1 << 40

// input calls f on the connection's own goroutine, where each call of say is one
// message of one and the same input.
func (s *speaker) input(f func()) {
	s.t.Helper()
	s.inputs <- f
	if err := s.ws.Write(s.t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"type":"call","ref":%d,"room":"r","event":"drive","data":0}`, int64(driving))); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-s.done:
	case <-time.After(30 * time.Second):
		s.t.Fatal("what was to be driven was not, or not to its end")
	}
}

// until reads up to the reply to ref and returns the refs of all replies, with
// the code of those that are errors.
func (s *speaker) until(ref int64) (replies []string) {
	s.t.Helper()
	for {
		a := s.read()
		if a.Type != "reply" || a.Ref == driving {
			continue
		}
		text := fmt.Sprint(a.Ref)
		if a.Error != nil {
			text += " " + a.Error.Code
		}
		replies = append(replies, text)
		if a.Ref == ref {
			return replies
		}
	}
}

// say has the server handle a message, in a buffer that is used again at once.
func (s *speaker) say(text string) {
	buf := []byte(text)
	s.c.handle(buf, false)
	for i := range buf {
		buf[i] = 'X'
	}
}

func (s *speaker) message(ref int, data string) {
	s.say(fmt.Sprintf(`{"type":"message","ref":%d,"room":"r","data":%s}`, ref, data))
}

func (s *speaker) want(what string, got, want any) {
	s.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// What one input brings is published together, when there is no more of it or
// something else comes, and answered in its order.
func TestBurst(t *testing.T) {
	s := newSpeaker(t)
	s.input(func() {
		for i := range 3 {
			s.message(1+i, fmt.Sprint(1+i))
		}
		s.want("published before anything else came", s.b.lists(), "[]")
		s.say(`{"type":"ping","ref":4}`)
		s.want("published before a ping is answered", s.b.lists(), "[3]")
		s.message(5, "5")
		s.say(`{"type":"message","ref":6,"room":"q","data":"6"}`)
		s.message(7, "7")
	})
	s.want("published at the end", s.b.lists(), "[3 3]")
	s.want("the replies", s.until(7), "[1 2 3 4 5 6 7]")
	s.input(func() {})
	s.want("published when there was nothing", s.b.lists(), "[3 3]")
	s.want("published", s.b.calls, `[[1 2 3] [5 "6" 7]]`)
	s.want("published one by one", s.b.single, "[]")
	page, err := s.b.Replay(t.Context(), "r", Range{Limit: 10})
	var data []string
	for _, m := range page.Messages {
		data = append(data, string(m.Data))
	}
	s.want("the log", fmt.Sprint(data, err), "[1 2 3 5 7] <nil>")
}

// What is refused is answered behind what came before it.
func TestBurstWithRefusals(t *testing.T) {
	s := newSpeaker(t)
	s.input(func() {
		s.message(1, "1")
		s.say(`{"type":"message","ref":2,"room":"r","event":"no event","data":2}`)
		s.message(3, "3")
		s.say(`{"type":"message","ref":4,"room":"elsewhere","data":4}`)
		s.message(5, "5")
		s.say(`{"type":"message","ref":6,"room":"r","data":{"a":1,"a":2}}`)
		s.message(7, "7")
		s.say(`{"ref":8`)
		s.message(9, "9")
	})
	s.want("the replies", s.until(9), "[1 2 invalid_event 3 4 not_member 5 6 duplicate_key 7 9]")
	s.want("published", s.b.lists(), "[1 1 1 1 1]")
}

// A burst is published when it is long.
func TestBurstIsBounded(t *testing.T) {
	s := newSpeaker(t)
	s.input(func() {
		for i := range maxBurst + 2 {
			s.message(1+i, "1")
		}
		s.want("published of so many", s.b.lists(), fmt.Sprint([]int{maxBurst}))
	})
	s.until(maxBurst + 2)
	large := "[" + strings.Repeat(`"`+strings.Repeat("x", 1000)+`",`, 32) + "0]"
	s.input(func() {
		for i := range 11 {
			s.message(1001+i, large)
		}
		s.want("published of so large ones", s.b.lists()[1:], "[2 9]")
	})
	s.until(1011)
	s.input(func() {
		if s.c.burst != nil {
			t.Error("a connection that says nothing holds a burst")
		}
	})
}

// An ID that comes twice in one burst is published once.
func TestBurstWithDuplicates(t *testing.T) {
	s := newSpeaker(t)
	s.input(func() {
		for i := range 3 {
			s.say(fmt.Sprintf(`{"type":"message","ref":%d,"room":"r","id":"same","data":%d}`, 1+i, i))
		}
	})
	var got []string
	for len(got) < 3 {
		if a := s.read(); a.Type == "reply" && a.Ref != driving {
			got = append(got, string(a.Data))
		}
	}
	for i, text := range got {
		if strings.Contains(text, `"offset":1`) && strings.Contains(text, `"duplicate":true`) == (i > 0) {
			continue
		}
		t.Errorf("reply %d: %s", i+1, text)
	}
}

// Who is muted or sent away after the message was handled and before it is
// published does not say it any more.
func TestBurstOfWhoMayNotSpeakAnyMore(t *testing.T) {
	s := newSpeaker(t)
	s.input(func() {
		s.message(1, "1")
		s.say(`{"type":"message","ref":2,"room":"q","data":2}`)
		s.message(3, "3")
		s.c.seat("r").muted.Store(time.Now().Add(time.Hour).UnixMilli())
	})
	s.want("the replies", s.until(3), "[1 muted 2 3 muted]")
	s.want("published", s.b.calls, "[[2]]")
	s.c.seat("r").muted.Store(0)
	s.input(func() {
		s.message(4, "4")
		if err := s.c.srv.Room("r").Kick(t.Context(), "ada", "enough"); err != nil {
			t.Error(err)
		}
	})
	s.want("the replies", s.until(4), "[4 not_member]")
	s.want("published", s.b.calls, "[[2]]")
}

// Each message has the result of its own, and every one an answer whatever the
// broker does.
func TestBurstFails(t *testing.T) {
	s := newSpeaker(t)
	three := func(from int) []string {
		t.Helper()
		s.input(func() {
			for i := range 3 {
				s.message(from+i, "1")
			}
		})
		return s.until(int64(from + 2))
	}
	s.b.results = func(list []Result) []Result { list[1] = Result{Err: ErrUnavailable}; return list }
	s.want("one fails", three(1), "[1 2 unavailable 3]")
	s.b.results = func(list []Result) []Result { return list[:2] }
	s.want("one is forgotten", three(4), "[4 unavailable 5 unavailable 6 unavailable]")
	s.b.results = func([]Result) []Result { panic("broken") }
	s.want("a panic", three(7), "[7 unavailable 8 unavailable 9 unavailable]")
	s.b.results = nil
	s.want("all is well again", three(10), "[10 11 12]")
}

// The host sees what came before: a hook asked about the next message finds the
// one before it published, and middleware finds its own.
func TestBurstAndTheHost(t *testing.T) {
	var s *speaker
	var seen []int
	s = newSpeaker(t, OnMessage(func(context.Context, *Conn, *Message) error {
		seen = append(seen, len(s.b.lists()))
		return nil
	}))
	s.input(func() {
		for i := range 3 {
			s.message(1+i, "1")
		}
	})
	s.until(3)
	s.want("published before each was asked about", seen, "[0 1 2]")

	var within []int
	s.input(func() {
		s.c.srv.Use(func(next Handler) Handler {
			return func(ctx context.Context, c *Conn, r *Request) (Response, error) {
				before := len(s.b.single)
				res, err := next(ctx, c, r)
				within = append(within, len(s.b.single)-before)
				return res, err
			}
		})
		s.message(4, "4")
		s.message(5, "5")
	})
	s.want("the replies", s.until(5), "[4 5]")
	s.want("published within the middleware", within, "[1 1]")
}

// What was handled before a connection is closed is published and answered: for
// going on too fast, and by the client, which says it and goodbye.
func TestBurstAtTheEnd(t *testing.T) {
	limits := DefaultLimits()
	limits.ConnectsPerIP = limit.Rate{}
	limits.Abuse = limit.Rate{Events: 1, Per: time.Hour, Burst: 1}
	s := newSpeaker(t, WithLimits(limits))
	quick := func(ref int) { s.say(fmt.Sprintf(`{"type":"message","ref":%d,"room":"slow","data":1}`, ref)) }
	s.input(func() {
		quick(1)
		quick(2) // refused
		s.message(3, "3")
		quick(4) // refused once too often
	})
	s.want("the replies", s.until(3), "[1 2 rate_limited 3]")
	s.want("published", s.b.calls, "[[1] [3]]")

	s = newSpeaker(t)
	for i := range 5 {
		if err := s.ws.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"type":"message","room":"r","data":%d}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.ws.Close(websocket.StatusNormalClosure, "")
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		s.b.mu.Lock()
		all := slices.Concat(s.b.calls...)
		s.b.mu.Unlock()
		if slices.Equal(all, []string{"0", "1", "2", "3", "4"}) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("published: %v", all)
		}
	}
}
