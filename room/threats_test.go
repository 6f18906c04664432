package room_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
)

// The tests of this file are for rows of docs/SECURITY-MODEL.md that no other
// test is for.

// shared are stores for servers of one process that stand for several nodes.
func shared(more ...room.Option) room.Option {
	return room.Options(append([]room.Option{
		room.WithStore(room.NewMemoryStore()), room.WithBroker(room.NewMemoryBroker()),
		room.WithSessions(auth.NewMemorySessions()), room.WithLimiter(limit.NewMemory()),
	}, more...)...)
}

// A page of another origin that has the user's cookie in its handshake does not
// get as far as the authenticator; the user's own page does.
func TestCrossSiteCookie(t *testing.T) {
	var asked atomic.Int64
	h := serve(t, house(), room.WithCookie("session"), room.WithOrigins("https://app.example.com"),
		room.WithAuthenticator(auth.AuthenticatorFunc(func(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
			asked.Add(1)
			return gate(ctx, c)
		})))
	cookie := "Cookie: session=ada"
	for _, lines := range [][]string{
		upgrade(cookie),
		upgrade(cookie, "Origin: https://evil.example"),
		upgrade(cookie, "Origin: null"),
		upgrade(cookie, "Origin: https://app.example.com.evil.example"),
		upgrade(cookie, "Origin: https://app.example.com", "Origin: https://evil.example"),
		upgrade(cookie, "Origin: http://app.example.com"),
		replace(upgrade(cookie, "Origin: https://evil.example"), "Host: chat.example", "Host: evil.example"),
		upgrade(cookie, "Origin: http://chat.example"), // its own host, which is not on the list
	} {
		if _, status, _, body := h.handshake(lines...); status != http.StatusForbidden || !strings.Contains(body, `"origin_forbidden"`) {
			t.Errorf("%v: %d %s", lines, status, body)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the authenticator was asked %d times", n)
	}
	h.connect("bob") // no page, no cookie
	c, status, _, _ := h.handshake(upgrade(cookie, "Origin: https://APP.example.com:443")...)
	if status != http.StatusSwitchingProtocols {
		t.Fatal(status)
	}
	if f := c.expect("welcome"); f.User != "ada" {
		t.Errorf("got %s", f)
	}
}

// For each code there is one body, whatever was wrong and whatever was sent.
func TestRefusalBodiesAreConstant(t *testing.T) {
	h := watch(t, room.WithAuthenticator(auth.AuthenticatorFunc(keeper)))
	bodies := make(map[string]string)
	for what, lines := range secretLines() {
		c, status, _, body := h.handshake(lines...)
		if status == http.StatusSwitchingProtocols {
			c.bye()
			continue
		}
		var refusal struct {
			Error struct{ Code string }
		}
		if err := json.Unmarshal([]byte(body), &refusal); err != nil {
			if status >= 400 && !strings.Contains(strings.ToLower(body), canary) {
				continue // net/http's own: the request is none
			}
			t.Errorf("%s: %d %q", what, status, body)
		}
		code := refusal.Error.Code
		if bodies[code] == "" {
			bodies[code] = body
		}
		if bodies[code] != body {
			t.Errorf("%s: two bodies for %s:\n%s%s", what, code, bodies[code], body)
		}
	}
	for _, code := range []string{"bad_request", "unauthenticated", "origin_forbidden"} {
		if bodies[code] == "" {
			t.Errorf("nothing was refused with %s", code)
		}
	}
}

// A single-use ticket opens one connection, soon, to whoever the page's own
// cookie says is asking; every later use is 401.
func TestTickets(t *testing.T) {
	tickets, err := auth.NewTickets(auth.NewMemoryTickets())
	if err != nil {
		t.Fatal(err)
	}
	mint := tickets.Handler(func(r *http.Request) (auth.Identity, error) {
		c, err := r.Cookie("session")
		if err != nil {
			return auth.Identity{}, auth.ErrUnauthenticated
		}
		return auth.Identity{ID: c.Value, Capabilities: capabilities("hall", auth.Join)}, nil
	})
	ask := func(t *testing.T, cookie, site string) (string, int) {
		r := httptest.NewRequest(http.MethodPost, "https://chat.example/ticket", nil)
		r.Header.Set("Sec-Fetch-Site", site)
		if cookie != "" {
			r.AddCookie(&http.Cookie{Name: "session", Value: cookie})
		}
		w := httptest.NewRecorder()
		mint.ServeHTTP(w, r)
		var answer struct{ Ticket string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s: %v", w.Body, err)
		}
		return answer.Ticket, w.Code
	}
	if ticket, status := ask(t, "ada", "cross-site"); status != http.StatusForbidden || ticket != "" {
		t.Errorf("another site's page gets %d, %q", status, ticket)
	}
	if ticket, status := ask(t, "", "same-origin"); status != http.StatusUnauthorized || ticket != "" {
		t.Errorf("nobody gets %d, %q", status, ticket)
	}
	with := func(ticket string) []string {
		return upgrade("Sec-WebSocket-Protocol: wardroom.v1.json, bearer."+ticket, "Origin: http://chat.example")
	}
	t.Run("once", func(t *testing.T) {
		h := serve(t, house(), room.WithAuthenticator(tickets), room.WithCookie("other"))
		ticket, _ := ask(t, "ada", "same-origin")
		if _, status, _, _ := h.handshake(upgrade("Cookie: other="+ticket, "Origin: http://chat.example")...); status != http.StatusUnauthorized {
			t.Errorf("a ticket in a cookie: %d", status)
		}
		c, status, header, _ := h.handshake(with(ticket)...)
		if status != http.StatusSwitchingProtocols || header.Get("Sec-WebSocket-Protocol") != "wardroom.v1.json" {
			t.Fatal(status, header)
		}
		if f := c.expect("welcome"); f.User != "ada" {
			t.Errorf("got %s", f)
		}
		c.must("join", inRoom("hall")) // the capabilities came along
		c.refused("forbidden", "join", inRoom("lounge"))
		c.refused("unauthenticated", "auth", fmt.Sprintf(`"token":%q`, ticket))
		for range 3 {
			if _, status, _, body := h.handshake(with(ticket)...); status != http.StatusUnauthorized {
				t.Errorf("again: %d %s", status, body)
			}
		}
	})
	t.Run("among many", func(t *testing.T) {
		h, other := serve(t, house(), room.WithAuthenticator(tickets)), serve(t, house(), room.WithAuthenticator(tickets))
		for range 5 {
			ticket, _ := ask(t, "ada", "same-origin")
			var let atomic.Int64
			var racing sync.WaitGroup
			for i := range 16 {
				to := []*host{h, other}[i%2]
				conn := to.open()
				racing.Go(func() {
					c, resp, _ := dial(t, conn, with(ticket)...)
					if resp.StatusCode == http.StatusSwitchingProtocols {
						let.Add(1)
					}
					c.hangUp()
				})
			}
			racing.Wait()
			if n := let.Load(); n != 1 {
				t.Errorf("one ticket let %d in", n)
			}
		}
	})
	t.Run("soon", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := servePipes(t, house(), room.WithAuthenticator(tickets))
			for wait, want := range map[time.Duration]int{29 * time.Second: 101, 30 * time.Second: 401} {
				ticket, _, err := tickets.Mint(t.Context(), auth.Identity{ID: "ada"})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(wait)
				c, status, _, _ := h.handshake(with(ticket)...)
				if status != want {
					t.Errorf("after %v: %d", wait, status)
				}
				c.hangUp()
			}
		})
	})
}

// Revoking a user closes every connection on every node with 4004 within a
// second, nothing comes after, what was revoked is refused everywhere, and what
// is issued later is let in.
func TestRevokeOnTwoServers(t *testing.T) {
	people := new(register)
	nodes := shared(house(), room.WithAuthenticator(people))
	one, two := serve(t, nodes), serve(t, nodes)
	old := people.token(auth.Identity{ID: "ada", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), TokenID: "old"})
	bob := two.in(people.token(auth.Identity{ID: "bob"}), "hall")
	conns := []*visitor{one.in(old, "hall"), one.in(old, "hall"), two.in(old, "hall"), two.in(old, "hall")}
	time.Sleep(time.Millisecond)
	began := time.Now()
	if err := one.srv.User("ada").Revoke(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, v := range conns {
		v.expectClose(4004)
	}
	if d := time.Since(began); d > time.Second {
		t.Errorf("it took %v", d)
	}
	for _, h := range []*host{one, two} {
		if _, status, _, body := h.handshake(upgrade("Authorization: Bearer " + old)...); status != http.StatusUnauthorized {
			t.Errorf("the old token: %d %s", status, body)
		}
		fresh := h.in(people.token(auth.Identity{ID: "ada", IssuedAt: time.Now(), TokenID: "fresh"}), "hall")
		fresh.refused("unauthenticated", "auth", fmt.Sprintf(`"token":%q`, old)) // nor by the back door
		fresh.bye()
	}
	bob.forget()
	bob.must("message", inRoom("hall"), saying("1")) // nobody else is touched
}

// One token, or one session, is revoked without the user's others.
func TestRevokeOne(t *testing.T) {
	people := new(register)
	nodes := shared(house(), room.WithAuthenticator(people))
	one, two := serve(t, nodes), serve(t, nodes)
	token := func(id string) string {
		return people.token(auth.Identity{ID: "ada", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), TokenID: id})
	}
	phone, laptop, tablet := token("phone"), token("laptop"), token("tablet")
	a, b, c := two.connect(phone), two.connect(laptop), two.connect(tablet)
	if err := one.srv.User("ada").RevokeToken(t.Context(), "phone"); err != nil {
		t.Fatal(err)
	}
	a.expectClose(4004)
	list, err := one.srv.User("ada").Sessions(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, s := range list {
		if s.Identity.TokenID == "laptop" {
			if err := one.srv.User("ada").RevokeSession(t.Context(), s.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.expectClose(4004)
	c.silent()
	for token, want := range map[string]int{phone: 401, laptop: 401, tablet: 101} {
		if _, status, _, _ := one.handshake(upgrade("Authorization: Bearer " + token)...); status != want {
			t.Errorf("%s: %d, want %d", token, status, want)
		}
	}
}

// cut is a broker that loses announcements of revocations.
type cut struct{ room.Broker }

func (b *cut) Publish(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
	if m.Kind == room.KindRevoked {
		return room.Receipt{}, room.ErrUnavailable
	}
	return b.Broker.Publish(ctx, m, keep)
}

// Where the announcement of a revocation is lost, the session is found revoked
// within 30 seconds.
func TestRevokeUnheard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		people := new(register)
		broker := &cut{Broker: room.NewMemoryBroker()}
		h := servePipes(t, shared(house(), room.WithAuthenticator(people)), room.WithBroker(broker))
		ada := h.in(people.token(auth.Identity{ID: "ada", IssuedAt: time.Now()}), "hall")
		ada.pass(time.Second)
		began := time.Now()
		if err := h.srv.User("ada").Revoke(t.Context()); err == nil {
			t.Error("nobody was told, and that is no error")
		}
		ada.expectClose(4004)
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("after %v", d)
		}
	})
}

// However many join at once on however many nodes, exactly as many get in as
// fit.
func TestRoomSizeIsExact(t *testing.T) {
	nodes := shared(room.WithRooms("cap:*", room.Settings{Permission: room.Public, MaxMembers: 7, Standing: true}))
	hosts := []*host{serve(t, nodes), serve(t, nodes)}
	var people []*visitor
	for i := range 30 {
		people = append(people, hosts[i%2].connect(fmt.Sprintf("user-%d", i)))
	}
	for round := range 10 {
		name := fmt.Sprintf("cap:%d", round)
		var in, full atomic.Int64
		var racing sync.WaitGroup
		for _, v := range people {
			racing.Go(func() {
				_ = v.tryWrite(opText, []byte(fmt.Sprintf(`{"type":"join","ref":%d,"room":%q}`, round+1, name)))
				for {
					f, err := v.read()
					switch {
					case err != nil:
						t.Error(err)
					case f.Type != "reply":
						continue
					case f.Error == nil:
						in.Add(1)
					case f.Error.Code == "room_full":
						full.Add(1)
					default:
						t.Error(f)
					}
					return
				}
			})
		}
		racing.Wait()
		if in.Load() != 7 || full.Load() != 23 {
			t.Errorf("%d are in, %d found it full", in.Load(), full.Load())
		}
	}
}

// tracing notes which methods of a store are called.
type tracing struct {
	room.Store
	mu    sync.Mutex // protects calls
	calls []string
}

func (s *tracing) note(call string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
}

func (s *tracing) Record(ctx context.Context, name string) (room.Record, error) {
	s.note("Record")
	return s.Store.Record(ctx, name)
}

func (s *tracing) Create(ctx context.Context, rec room.Record) (room.Record, error) {
	s.note("Create")
	return s.Store.Create(ctx, rec)
}

func (s *tracing) Admit(ctx context.Context, seat room.Seat, version int64, most int) (room.Admission, error) {
	s.note("Admit")
	return s.Store.Admit(ctx, seat, version, most)
}

func (s *tracing) Sanction(ctx context.Context, name, user string, kind room.Sanction, until time.Time) error {
	s.note("Sanction")
	return s.Store.Sanction(ctx, name, user, kind, until)
}

func (s *tracing) took() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := strings.Join(s.calls, " ")
	s.calls = nil
	return calls
}

// A room that is not there and one that is closed to the asker cost the same
// calls of the store: there is nothing for a clock to tell apart.
func TestProbingTakesTheSameSteps(t *testing.T) {
	store := &tracing{Store: room.NewMemoryStore()}
	h := serve(t, house(), room.WithStore(store))
	olga, stan := h.connect("olga"), h.connect("stan")
	olga.must("create", inRoom("club:closed"))
	olga.must("create", inRoom("club:banned"))
	olga.must("ban", inRoom("club:banned"), ofUser("stan"))
	olga.must("create", inRoom("den:olga"))
	steps := func(typ, name string) string {
		store.took()
		stan.request(typ, inRoom(name), ofUser("olga"), `"permission":"public"`, `"target":1`, saying("1"), `"status":"online"`)
		return store.took()
	}
	for _, typ := range []string{
		"join", "leave", "message", "edit", "redact", "members", "history", "settings", "update", "delete",
		"invite", "uninvite", "kick", "ban", "unban", "mute", "unmute", "presence",
	} {
		want := steps(typ, "club:none")
		for _, name := range []string{"club:closed", "club:banned", "den:olga", "den:none", "vault", "staff", "nowhere"} {
			if got := steps(typ, name); got != want {
				t.Errorf("%s: %q for %s, and %q for a room that is not there", typ, got, name, want)
			}
		}
	}
}

// Who is in a private room is seen by those in it alone, and who is invisible
// by nobody but themselves.
func TestPresenceStaysInside(t *testing.T) {
	h := serve(t, house())
	olga := h.connect("olga")
	olga.must("create", inRoom("club:a"), `"invited":["ivan"]`)
	olga.must("join", inRoom("club:a"))
	stan := h.in("stan", "hall")
	ivan := h.in("ivan", "club:a")
	olga.expect("user_joined")
	ivan.must("presence", inRoom("club:a"), `"status":"away"`, `"meta":{"mood":"secret"}`)
	olga.expect("presence_update")
	ivan.must("presence", inRoom("club:a"), `"status":"offline"`)
	f := olga.next()
	if f.User != "ivan" || strings.Contains(f.text, "secret") {
		t.Errorf("got %s", f)
	}
	if r := olga.must("members", inRoom("club:a")); !slices.Equal(users(r.Members), []string{"olga"}) {
		t.Errorf("Olga sees %s", r.raw)
	}
	ivan.forget()
	if r := ivan.must("members", inRoom("club:a")); !slices.Equal(users(r.Members), []string{"ivan", "olga"}) {
		t.Errorf("Ivan sees %s", r.raw)
	}
	stan.refused("not_member", "members", inRoom("club:a"))
	stan.refused("forbidden", "settings", inRoom("club:a"))
	stan.refused("not_member", "presence", inRoom("club:a"), `"status":"online"`)
	ivan.must("leave", inRoom("club:a"))
	olga.must("delete", inRoom("club:a"))
	stan.silent() // and heard nothing of it all
	if f := olga.expect("room_deleted"); f.Room != "club:a" {
		t.Errorf("got %s", f) // the invisible one left without a word
	}
}

// counting counts what is asked of what costs something.
type counting struct {
	room.Broker
	limiter            limit.Limiter
	published, limited atomic.Int64
}

func (c *counting) Publish(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
	c.published.Add(1)
	return c.Broker.Publish(ctx, m, keep)
}

func (c *counting) Allow(ctx context.Context, key string, rate limit.Rate, n int) (limit.Decision, error) {
	c.limited.Add(1)
	return c.limiter.Allow(ctx, key, rate, n)
}

// A message that comes too fast asks neither limiter nor broker, and allocates
// less than one that is sent.
func TestRefusingIsCheap(t *testing.T) {
	const n = 2000
	cost := func(rate limit.Rate, code string) (published, limited int64, allocated uint64) {
		c := &counting{Broker: room.NewMemoryBroker(), limiter: limit.NewMemory()}
		h := serve(t, house(), room.WithBroker(c), room.WithLimiter(c), limits(func(l *room.Limits) {
			l.Messages = room.Rates{Connection: rate, User: limit.PerSecond(1 << 20), Room: limit.PerSecond(1 << 20)}
			l.Abuse = limit.Rate{}
		}))
		v := h.in("ada", "lounge")
		h.in("bob", "lounge") // there is somebody to tell
		v.forget()
		frame := masked(nil, opText, []byte(`{"type":"message","room":"lounge","ref":7,"data":"what is said","echo":false}`))
		ask := func() {
			if _, err := v.conn.Write(frame); err != nil {
				t.Fatal(err)
			}
			// What is counted is the server's: nothing is allocated here.
			head, err := v.in.Peek(4)
			if err != nil {
				t.Fatal(err)
			}
			size := 2 + int(head[1])
			if head[1] == 126 {
				size = 4 + int(binary.BigEndian.Uint16(head[2:]))
			}
			if whole, err := v.in.Peek(size); err != nil || !bytes.Contains(whole, []byte(code)) {
				t.Fatalf("%q, %v", whole, err)
			}
			_, _ = v.in.Discard(size)
		}
		for range 300 { // more than are logged before sampling begins
			ask()
		}
		c.published.Store(0)
		c.limited.Store(0)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range n {
			ask()
		}
		runtime.ReadMemStats(&after)
		return c.published.Load(), c.limited.Load(), after.Mallocs - before.Mallocs
	}
	published, limited, accepted := cost(limit.Rate{}, `"ok":true`)
	if published != n || limited != 2*n {
		t.Errorf("accepted: %d published, the limiter asked %d times", published, limited)
	}
	// The first is admitted, the warm-up of cost takes it.
	h := limit.Rate{Events: 1, Per: 24 * time.Hour}
	published, limited, refused := cost(h, `"type":"reply"`)
	if published != 0 || limited != 0 {
		t.Errorf("refused: %d published, the limiter asked %d times", published, limited)
	}
	t.Logf("%d allocations accepted, %d refused, for %d messages", accepted, refused, n)
	if refused >= accepted && !race { // under the race detector sync.Pool forgets at random
		t.Errorf("refusing allocates %d times, accepting %d", refused, accepted)
	}
}

// What breaks the rules for content is told to its sender alone, by its code;
// what passes reaches the others safe to show.
func TestContentThroughTheRoom(t *testing.T) {
	people := new(register)
	h := serve(t, house(), room.WithAuthenticator(people))
	bob := h.in(people.token(auth.Identity{ID: "bob"}), "hall")
	ada := h.in(people.token(auth.Identity{ID: "ada", Name: "A\u200bda\u202e"}), "hall")
	if f := bob.expect("user_joined"); f.Name != "Ada" {
		t.Errorf("the name arrives as %q", f.Name)
	}
	for code, list := range map[string][]string{
		"too_deep":          {`[[[[[[[[[[[1]]]]]]]]]]]`, strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)},
		"too_many_elements": {`[` + strings.Repeat("1,", 1000) + `1]`},
		"duplicate_key":     {`{"role":1,"role":2}`, `{"role":1,"\u0072ole":2}`, `[{"a":{"b":1,"b":1}}]`},
		"bad_request":       {`9007199254740993`, `-9007199254740993`, `[{"id":1e400}]`},
		"invalid_utf8":      {`"\ud800"`},
	} {
		for _, data := range list {
			ada.refused(code, "message", inRoom("hall"), saying(data))
		}
	}
	for _, key := range []string{"__proto__", "constructor", "prototype"} {
		ada.refused("bad_request", "message", inRoom("hall"), saying("1"), fmt.Sprintf(`%q:{}`, key))
		ada.refused("bad_request", "presence", `"status":"away"`, fmt.Sprintf(`"meta":{"a":{%q:1}}`, key))
		ada.must("message", inRoom("hall"), saying(fmt.Sprintf(`{%q:1}`, key)), `"event":"odd"`) // the host's own business
		if f := bob.expect("message"); f.Event != "odd" {
			t.Errorf("got %s", f)
		}
	}
	for sent, want := range map[string]string{
		`"one\n\ttwo\u202e\u0007\u2066"`:       `"one\n\ttwo"`,
		`"<script>alert(1)</script> & \u2028"`: `"\u003cscript\u003ealert(1)\u003c/script\u003e \u0026 \u2028"`,
	} {
		ada.must("message", inRoom("hall"), saying(sent))
		if f := bob.expect("message"); string(f.Data) != want {
			t.Errorf("%s arrives as %s, want %s", sent, f.Data, want)
		}
	}
	bob.silent()
}

// outage is a time in which a user has no access.
type outage struct{ from, to time.Time }

// Users join as fast as they can while the room is closed and opened, users are
// kicked and banned and let in again; nothing that is said more than a second
// after someone lost access reaches them.
func TestNothingAfterLossOfAccess(t *testing.T) {
	const (
		crowd = 200
		span  = 20 * time.Second
	)
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house())
		ctx := t.Context()
		club := h.srv.Room("club:a")
		if _, err := club.Create(ctx, room.Record{Owner: "olga", Permission: room.Public}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var delivered atomic.Int64
		heard := make([][]time.Duration, crowd) // when what each heard was said
		var working sync.WaitGroup
		var people []*visitor
		for i := range crowd {
			v := h.connect(fmt.Sprintf("user-%d", i))
			people = append(people, v)
			working.Go(func() {
				for f, err := v.read(); err == nil && f.Type != "close"; f, err = v.read() {
					if f.Type == "message" {
						var at time.Duration
						if err := json.Unmarshal(f.Data, &at); err != nil {
							t.Error(err)
						}
						heard[i] = append(heard[i], at)
						delivered.Add(1)
					}
				}
			})
			working.Go(func() {
				for time.Since(began) < span {
					time.Sleep(time.Duration(rand.N(400)) * time.Millisecond)
					if v.tryWrite(opText, []byte(`{"type":"join","room":"club:a"}`)) != nil {
						return
					}
				}
			})
		}
		working.Go(func() {
			for time.Since(began) < span {
				time.Sleep(200 * time.Millisecond)
				if _, err := club.Publish(ctx, "tick", int64(time.Since(began))); err != nil {
					t.Error(err)
				}
			}
		})
		// closed and banned are the losses of access, from when a call had
		// returned to when the one that gives it back began.
		var closed []outage
		banned := make([][]outage, crowd)
		check := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		for time.Since(began) < span {
			time.Sleep(time.Duration(rand.N(500)) * time.Millisecond)
			i := rand.N(crowd)
			user := fmt.Sprintf("user-%d", i)
			switch rand.N(4) {
			case 0:
				check(club.Kick(ctx, user, ""))
			case 1:
				check(setPermission(h, "club:a", room.OwnerOnly))
				from := time.Now()
				time.Sleep(2 * time.Second)
				closed = append(closed, outage{from, time.Now()})
				check(setPermission(h, "club:a", room.Public))
			default:
				if n := len(banned[i]); n > 0 && banned[i][n-1].to.IsZero() {
					banned[i][n-1].to = time.Now()
					check(club.Unban(ctx, user))
				} else {
					check(club.Ban(ctx, user, time.Time{}, ""))
					banned[i] = append(banned[i], outage{from: time.Now()})
				}
			}
		}
		time.Sleep(time.Second)
		for _, v := range people {
			v.hangUp()
		}
		working.Wait()
		losses := len(closed)
		for i, list := range heard {
			losses += len(banned[i])
			for _, at := range list {
				said := began.Add(at)
				for _, o := range slices.Concat(closed, banned[i]) {
					if said.After(o.from.Add(time.Second)) && (o.to.IsZero() || said.Before(o.to)) {
						t.Errorf("user-%d heard at %v what it had lost the right to at %v", i, at, o.from.Sub(began))
					}
				}
			}
		}
		if losses < 10 || delivered.Load() < 1000 {
			t.Errorf("only %d losses, %d deliveries: nothing is shown", losses, delivered.Load())
		}
		t.Logf("%d losses of access, %d deliveries", losses, delivered.Load())
	})
}
