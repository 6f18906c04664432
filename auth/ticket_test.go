package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func newTickets(tb testing.TB, opts ...TicketOption) *Tickets {
	tb.Helper()
	t, err := NewTickets(NewMemoryTickets(), opts...)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func present(t *Tickets, ticket string) (Identity, error) {
	return t.Authenticate(context.Background(), Credentials{Token: ticket, Source: SourceSubprotocol})
}

func TestThreatTicketReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tickets := newTickets(t)
		ticket, _, err := tickets.Mint(t.Context(), Identity{ID: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		var ok atomic.Int32
		var crowd sync.WaitGroup
		for range 50 {
			crowd.Go(func() {
				switch id, err := present(tickets, ticket); {
				case err == nil && id.ID == "ada":
					ok.Add(1)
				case !errors.Is(err, ErrUnauthenticated) || errors.Is(err, ErrUnavailable):
					t.Errorf("%v, %v", id, err)
				}
			})
		}
		crowd.Wait()
		if n := ok.Load(); n != 1 {
			t.Errorf("%d got in with one ticket", n)
		}
	})
}

func TestThreatTicketTooLate(t *testing.T) {
	for _, ttl := range []time.Duration{DefaultTicketTTL, 5 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			tickets := newTickets(t, TicketTTL(ttl))
			mint := func(id Identity) string {
				ticket, expires, err := tickets.Mint(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if id.ExpiresAt.IsZero() && !expires.Equal(time.Now().Add(ttl)) {
					t.Errorf("expires %v", expires)
				}
				return ticket
			}
			early, late := mint(Identity{ID: "ada"}), mint(Identity{ID: "ada"})
			short := mint(Identity{ID: "ada", ExpiresAt: time.Now().Add(ttl / 2)})
			time.Sleep(ttl / 2)
			if _, err := present(tickets, short); !errors.Is(err, ErrUnauthenticated) {
				t.Errorf("a ticket outlives its identity: %v", err)
			}
			time.Sleep(ttl/2 - time.Nanosecond)
			if _, err := present(tickets, early); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Nanosecond)
			if _, err := present(tickets, late); !errors.Is(err, ErrUnauthenticated) {
				t.Errorf("a ticket after %v: %v", ttl, err)
			}
		})
	}
}

func TestTicketIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tickets := newTickets(t)
		now := time.Now()
		for _, tt := range []struct{ in, out Identity }{
			{
				Identity{ID: "ada", Name: "Ada", Roles: []string{"r"}, Capabilities: []Capability{}, IssuedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour), TokenID: "t"},
				Identity{ID: "ada", Name: "Ada", Roles: []string{"r"}, Capabilities: []Capability{}, IssuedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour), TokenID: "t"},
			},
			{Identity{ID: "ada"}, Identity{ID: "ada", IssuedAt: now}},
		} {
			ticket, _, err := tickets.Mint(t.Context(), tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := present(tickets, ticket); err != nil || !reflect.DeepEqual(got, tt.out) {
				t.Errorf("%+v, %v", got.Claims, err)
			}
		}
		for _, tt := range []struct {
			id   Identity
			want error
		}{
			{Identity{}, ErrUnauthenticated},
			{Identity{ID: "a b"}, ErrUnauthenticated},
			{Identity{ID: "ada", ExpiresAt: now}, ErrExpired},
		} {
			if ticket, _, err := tickets.Mint(t.Context(), tt.id); ticket != "" || !errors.Is(err, tt.want) {
				t.Errorf("%q: %v", tt.id.ID, err)
			}
		}
	})
}

// brokenTickets answers with what it is told.
type brokenTickets struct {
	ticket Ticket
	err    error
}

func (b brokenTickets) Put(context.Context, string, Ticket) error    { return b.err }
func (b brokenTickets) Take(context.Context, string) (Ticket, error) { return b.ticket, b.err }

func TestTicketsAuthenticateRefuses(t *testing.T) {
	good, _, err := newTickets(t).Mint(t.Context(), Identity{ID: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	for _, tt := range []struct {
		name   string
		store  TicketStore
		token  string
		source Source
		want   error
		not    error
	}{
		{"no token", NewMemoryTickets(), "", SourceNone, ErrUnauthenticated, ErrUnavailable},
		{"another kind of token", brokenTickets{err: errors.New("must not be asked")}, "a.b.c", SourceHeader, ErrUnauthenticated, ErrUnavailable},
		{"prefix only", brokenTickets{err: errors.New("must not be asked")}, TicketPrefix, SourceHeader, ErrUnauthenticated, ErrUnavailable},
		{"longer", brokenTickets{err: errors.New("must not be asked")}, good + "A", SourceHeader, ErrUnauthenticated, ErrUnavailable},
		{"in a cookie", brokenTickets{err: errors.New("must not be asked")}, good, SourceCookie, ErrUnauthenticated, ErrUnavailable},
		{"made up", NewMemoryTickets(), good, SourceHeader, ErrUnauthenticated, ErrUnavailable},
		{"store down", brokenTickets{err: errors.New("down")}, good, SourceHeader, ErrUnavailable, ErrUnauthenticated},
		{"store gives one that is over", brokenTickets{ticket: Ticket{Identity: Identity{ID: "ada"}}}, good, SourceHeader, ErrUnauthenticated, ErrUnavailable},
		{
			"store gives an identity that is over",
			brokenTickets{ticket: Ticket{Identity: Identity{ID: "ada", ExpiresAt: time.Unix(1, 0)}, ExpiresAt: later}},
			good, SourceHeader, ErrExpired, ErrUnavailable,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tickets, err := NewTickets(tt.store)
			if err != nil {
				t.Fatal(err)
			}
			id, err := tickets.Authenticate(t.Context(), Credentials{Token: tt.token, Source: tt.source})
			if id.ID != "" || !errors.Is(err, tt.want) || errors.Is(err, tt.not) {
				t.Errorf("%v, %v", id, err)
			}
			if err != nil && strings.Contains(err.Error(), good) {
				t.Errorf("the error has the ticket: %v", err)
			}
		})
	}
}

func TestTicketsWithOthers(t *testing.T) {
	tickets := newTickets(t)
	other := AuthenticatorFunc(func(_ context.Context, c Credentials) (Identity, error) {
		if c.Token == "T" {
			return Identity{ID: "bob"}, nil
		}
		return Identity{}, ErrUnauthenticated
	})
	ticket, _, err := tickets.Mint(t.Context(), Identity{ID: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ token, id string }{{"T", "bob"}, {ticket, "ada"}, {ticket, ""}, {"T", "bob"}} {
		id, err := Any(tickets, other).Authenticate(t.Context(), Credentials{Token: tt.token, Source: SourceSubprotocol})
		if id.ID != tt.id || (err == nil) != (tt.id != "") {
			t.Errorf("%q, %v, want %q", id.ID, err, tt.id)
		}
	}
}

// A ticket can stand wherever a token can, the subprotocol above all.
func TestTicketIsFound(t *testing.T) {
	ticket, _, err := newTickets(t).Mint(t.Context(), Identity{ID: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/ws", nil)
	r.Header.Set("Sec-WebSocket-Protocol", "wardroom.v1.json, bearer."+ticket)
	if c, err := (Sources{}).Find(r); err != nil || c.Token != ticket {
		t.Error(err)
	}
	r = httptest.NewRequest(http.MethodGet, "/ws", nil)
	r.Header.Set("Authorization", "Bearer "+ticket)
	if c, err := (Sources{}).Find(r); err != nil || c.Token != ticket {
		t.Error(err)
	}
}

func TestTicketsAreRandomAndKeptByDigest(t *testing.T) {
	store := NewMemoryTickets()
	tickets, err := NewTickets(store)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 10 {
		ticket, _, err := tickets.Mint(t.Context(), Identity{ID: "ada"})
		if err != nil || seen[ticket] || len(strings.TrimPrefix(ticket, TicketPrefix))*5 < 128 {
			t.Fatalf("%q, %v", ticket, err)
		}
		seen[ticket] = true
		for key := range store.byKey {
			if strings.Contains(key, strings.TrimPrefix(ticket, TicketPrefix)) {
				t.Error("the store has the ticket")
			}
		}
	}
}

func TestNewTicketsRefuses(t *testing.T) {
	for name, opts := range map[string][]TicketOption{
		"no time":     {TicketTTL(0)},
		"too long":    {TicketTTL(5*time.Minute + 1)},
		"bad origin":  {TicketOrigins("app.example.com")},
		"path":        {TicketOrigins("https://app.example.com/x")},
		"second is":   {TicketOrigins("https://app.example.com", "*")},
		"below a sec": {TicketTTL(time.Second - 1)},
	} {
		if _, err := NewTickets(NewMemoryTickets(), opts...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := NewTickets(nil); err == nil {
		t.Error("nil store: accepted")
	}
}

func TestTicketHandler(t *testing.T) {
	down := errors.New("database is on fire")
	for _, tt := range []struct {
		name   string
		method string
		header map[string]string
		store  TicketStore
		id     Identity
		err    error
		status int
		body   string
		want   map[string]string
	}{
		{name: "same origin", header: map[string]string{"Sec-Fetch-Site": "same-origin"}, id: Identity{ID: "ada"}, status: 200},
		{name: "no browser", id: Identity{ID: "ada"}, status: 200},
		{name: "trusted origin", header: map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://app.example.com"}, id: Identity{ID: "ada"}, status: 200},
		{
			name: "other site", header: map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, id: Identity{ID: "ada"},
			status: 403, body: `{"error":{"code":"origin_forbidden","message":"This page may not ask for tickets."}}`,
		},
		{
			name: "other site, old browser", header: map[string]string{"Origin": "https://evil.example"}, id: Identity{ID: "ada"},
			status: 403, body: `{"error":{"code":"origin_forbidden","message":"This page may not ask for tickets."}}`,
		},
		{
			name: "GET", method: http.MethodGet, id: Identity{ID: "ada"}, status: 405,
			body: `{"error":{"code":"bad_request","message":"Ask for a ticket with POST."}}`, want: map[string]string{"Allow": "POST"},
		},
		{
			name: "signed out", err: ErrUnauthenticated, status: 401,
			body: `{"error":{"code":"unauthenticated","message":"Sign in first."}}`, want: map[string]string{"WWW-Authenticate": "Bearer"},
		},
		{name: "unknown error", err: down, status: 401, body: `{"error":{"code":"unauthenticated","message":"Sign in first."}}`},
		{name: "identity over", id: Identity{ID: "ada", ExpiresAt: time.Unix(1, 0)}, status: 401, body: `{"error":{"code":"unauthenticated","message":"Sign in first."}}`},
		{name: "no ID", status: 401, body: `{"error":{"code":"unauthenticated","message":"Sign in first."}}`},
		{
			name: "unavailable", err: errors.Join(ErrUnavailable, down), status: 503,
			body: `{"error":{"code":"unavailable","message":"Tickets are unavailable at present."}}`, want: map[string]string{"Retry-After": "1"},
		},
		{
			name: "store down", id: Identity{ID: "ada"}, store: brokenTickets{err: down}, status: 503,
			body: `{"error":{"code":"unavailable","message":"Tickets are unavailable at present."}}`, want: map[string]string{"Retry-After": "1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.store == nil {
				tt.store = NewMemoryTickets()
			}
			if tt.method == "" {
				tt.method = http.MethodPost
			}
			tickets, err := NewTickets(tt.store, TicketOrigins("https://app.example.com"))
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(tt.method, "https://api.example.com/ticket", strings.NewReader("body"))
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			asked := 0
			w := httptest.NewRecorder()
			tickets.Handler(func(*http.Request) (Identity, error) { asked++; return tt.id, tt.err }).ServeHTTP(w, r)

			if w.Code != tt.status || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			for name, value := range tt.want {
				if w.Header().Get(name) != value {
					t.Errorf("%s: %q, want %q", name, w.Header().Get(name), value)
				}
			}
			if (tt.status == 403 || tt.status == 405) != (asked == 0) {
				t.Errorf("the application was asked %d times", asked)
			}
			if tt.status != 200 {
				if got := strings.TrimSpace(w.Body.String()); got != tt.body {
					t.Errorf("body %s, want %s", got, tt.body)
				}
				return
			}
			var body map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || len(body) != 2 || body["expires_in"] != 30.0 {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if id, err := present(tickets, body["ticket"].(string)); err != nil || id.ID != "ada" {
				t.Errorf("%v, %v", id, err)
			}
		})
	}
}

func TestTicketHandlerTellsTheTimeLeft(t *testing.T) {
	for left, want := range map[time.Duration]float64{
		time.Hour: 30, 30 * time.Second: 30, 29*time.Second + 999*time.Millisecond: 29, time.Millisecond: 1,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := httptest.NewRecorder()
			newTickets(t).Handler(func(*http.Request) (Identity, error) {
				return Identity{ID: "ada", ExpiresAt: time.Now().Add(left)}, nil
			}).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/ticket", nil))
			var body map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body["expires_in"] != want {
				t.Errorf("%v left: %s", left, w.Body)
			}
		})
	}
}
