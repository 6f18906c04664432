package limit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var served = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") })

func byAddr(r *http.Request) string { return r.RemoteAddr }

// get sends one request from addr.
func get(h http.Handler, addr string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "/secret?token=canary", nil)
	r.RemoteAddr = addr
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// wantError fails unless res is the error with code.
func wantError(t *testing.T, res *http.Response, status int, code, retryAfter string) {
	t.Helper()
	body, _ := io.ReadAll(res.Body)
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(body, &e); err != nil {
		t.Errorf("body %q: %v", body, err)
	}
	if res.StatusCode != status || e.Error.Code != code || e.Error.Message == "" {
		t.Errorf("%d %q, want %d %s", res.StatusCode, body, status, code)
	}
	for name, want := range map[string]string{
		"Retry-After":            retryAfter,
		"Content-Type":           "application/json",
		"Cache-Control":          "no-store",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if strings.Contains(fmt.Sprint(res.Header, string(body)), "canary") {
		t.Error("the answer echoes the request")
	}
}

func TestMiddleware(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := Middleware(NewMemory(), PerMinute(6).WithBurst(3), byAddr)(served)
		for _, step := range []struct {
			after  time.Duration
			status int
			limit  string
			retry  string
		}{
			{0, 200, `"default";r=2;t=10`, ""},
			{0, 200, `"default";r=1;t=10`, ""},
			{5 * time.Second, 200, `"default";r=0;t=5`, ""},
			{0, 429, `"default";r=0;t=5`, "5"},
			{4500 * time.Millisecond, 429, `"default";r=0;t=1`, "1"},
			{500 * time.Millisecond, 200, `"default";r=0;t=10`, ""},
			{0, 429, `"default";r=0;t=10`, "10"},
			{time.Hour, 200, `"default";r=2;t=10`, ""},
		} {
			time.Sleep(step.after)
			res := get(h, "ada")
			if res.StatusCode != step.status {
				t.Fatalf("status %d, want %d", res.StatusCode, step.status)
			}
			if got := res.Header.Get("RateLimit"); got != step.limit {
				t.Errorf("RateLimit: %s, want %s", got, step.limit)
			}
			if got, want := res.Header.Get("RateLimit-Policy"), `"default";q=3;w=30`; got != want {
				t.Errorf("RateLimit-Policy: %s, want %s", got, want)
			}
			if step.status == http.StatusTooManyRequests {
				wantError(t, res, step.status, "rate_limited", step.retry)
			}
		}
		if res := get(h, "eve"); res.StatusCode != http.StatusOK {
			t.Errorf("another client: %d", res.StatusCode)
		}
	})
}

// t is when the client has more than r, at every step of draining and coming
// back.
func TestMiddlewareEffectiveWindow(t *testing.T) {
	m := &middleware{rate: PerSecond(3).WithBurst(4)}
	var b Bucket
	var now time.Duration
	for range 100 {
		d := b.Take(now, m.rate, 1)
		until := m.untilMore(d)
		for _, step := range []struct {
			after time.Duration
			more  bool
		}{{until - 2, false}, {until + 1, true}} { // rounding twice may cost 1ns
			probe := b
			if got := probe.Take(now+step.after, m.rate, 0).Remaining; (got > d.Remaining) != step.more {
				t.Fatalf("%+v: %d remain after %v", d, got, step.after)
			}
		}
		now += 200 * time.Millisecond
	}
	rested := Decision{OK: true, Remaining: 4}
	if got := m.untilMore(rested); got != 0 {
		t.Errorf("until more than everything: %v, want 0", got)
	}
}

func TestMiddlewareFields(t *testing.T) {
	for _, tt := range []struct {
		rate   Rate
		name   string
		policy string
		limit  string
	}{
		{PerSecond(10), "", `"default";q=10;w=1`, `"default";r=9;t=1`},
		{PerSecond(10).WithBurst(5), "api", `"api";q=5;w=1`, `"api";r=4;t=1`},
		{PerSecond(10).WithBurst(15), "api", `"api";q=15;w=2`, `"api";r=14;t=1`},
		{Rate{Events: 1, Per: 24 * time.Hour}, `a "b" \c`, `"a \"b\" \\c";q=1;w=86400`, `"a \"b\" \\c";r=0;t=86400`},
		{Rate{Events: 1 << 60, Per: time.Second}, "", `"default";q=999999999999999;w=1`, `"default";r=999999999999999;t=1`},
	} {
		var opts []MiddlewareOption
		if tt.name != "" {
			opts = append(opts, WithPolicy(tt.name))
		}
		res := get(Middleware(NewMemory(), tt.rate, byAddr, opts...)(served), "ada")
		if got := res.Header.Get("RateLimit-Policy"); got != tt.policy {
			t.Errorf("%v: RateLimit-Policy: %s, want %s", tt.rate, got, tt.policy)
		}
		if got := res.Header.Get("RateLimit"); got != tt.limit {
			t.Errorf("%v: RateLimit: %s, want %s", tt.rate, got, tt.limit)
		}
	}
}

// Two policies on one limiter count apart and both show.
func TestMiddlewareStacked(t *testing.T) {
	l := NewMemory()
	day := Middleware(l, Rate{Events: 100, Per: 24 * time.Hour}, byAddr, WithPolicy("day"))
	minute := Middleware(l, PerMinute(1), byAddr, WithPolicy("minute"))
	h := day(minute(served))
	for _, want := range []int{http.StatusOK, http.StatusTooManyRequests} {
		res := get(h, "ada")
		if res.StatusCode != want {
			t.Errorf("status %d, want %d", res.StatusCode, want)
		}
		policies := []string{`"day";q=100;w=86400`, `"minute";q=1;w=60`}
		if got := res.Header.Values("RateLimit-Policy"); !slices.Equal(got, policies) {
			t.Errorf("RateLimit-Policy: %q, want %q", got, policies)
		}
	}
	// The same name with another rate is another policy too: one key is never
	// used with two rates.
	for _, rate := range []Rate{PerMinute(5), PerMinute(2), PerMinute(1)} {
		if res := get(Middleware(l, rate, byAddr)(served), "ada"); res.StatusCode != http.StatusOK {
			t.Errorf("%v: %d", rate, res.StatusCode)
		}
	}
	if res := get(Middleware(l, PerMinute(1), byAddr)(served), "ada"); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the same policy again: %d, want its count shared", res.StatusCode)
	}
}

type failing struct{ err error }

func (f failing) Allow(context.Context, string, Rate, int) (Decision, error) {
	return Decision{}, f.err
}

func TestMiddlewareLimiterFails(t *testing.T) {
	down := errors.New("limiter is down")
	for _, tt := range []struct {
		name   string
		opts   []MiddlewareOption
		status int
	}{
		{"closed by default", nil, http.StatusServiceUnavailable},
		{"open by choice", []MiddlewareOption{AllowOnError()}, http.StatusOK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var told []error
			opts := append(tt.opts, WithErrorHook(func(r *http.Request, err error) {
				if r.RemoteAddr != "ada" {
					t.Errorf("told of a request from %s", r.RemoteAddr)
				}
				told = append(told, err)
			}))
			res := get(Middleware(failing{down}, PerSecond(1), byAddr, opts...)(served), "ada")
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
			if tt.status != http.StatusOK {
				wantError(t, res, tt.status, "unavailable", "1")
			}
			if !slices.Equal(told, []error{down}) {
				t.Errorf("told %v, want %v", told, down)
			}
			if res.Header.Get("RateLimit") != "" {
				t.Error("a limit is reported that nobody knows")
			}
			// Without a hook as well.
			if res := get(Middleware(failing{down}, PerSecond(1), byAddr, tt.opts...)(served), "ada"); res.StatusCode != tt.status {
				t.Errorf("without a hook: %d, want %d", res.StatusCode, tt.status)
			}
		})
	}
}

// A client that hangs up while the limiter is asked must not get past an open
// one.
func TestMiddlewareClientGone(t *testing.T) {
	h := Middleware(failing{context.Canceled}, PerSecond(1), byAddr, AllowOnError(), WithErrorHook(func(_ *http.Request, err error) {
		t.Errorf("told of %v", err)
	}))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("served") }))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", w.Code)
	}
}

func TestMiddlewareUnlimited(t *testing.T) {
	h := Middleware(failing{errors.New("asked")}, Rate{}, byAddr)(served)
	res := get(h, "ada")
	if res.StatusCode != http.StatusOK || len(res.Header["Ratelimit"])+len(res.Header["Ratelimit-Policy"]) > 0 {
		t.Errorf("%d %v, want it served as it is", res.StatusCode, res.Header)
	}
}

func TestMiddlewarePanicsOnBadSetup(t *testing.T) {
	for name, setup := range map[string]func(){
		"no limiter":   func() { Middleware(nil, PerSecond(1), byAddr) },
		"no key":       func() { Middleware(NewMemory(), PerSecond(1), nil) },
		"invalid rate": func() { Middleware(NewMemory(), PerSecond(0), byAddr) },
		"policy name":  func() { Middleware(NewMemory(), PerSecond(1), byAddr, WithPolicy("a\r\nSet-Cookie: b")) },
		"not ASCII":    func() { Middleware(NewMemory(), PerSecond(1), byAddr, WithPolicy("é")) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			setup()
		})
	}
}

// Behind a proxy the whole path from header to refusal holds together.
func TestMiddlewareByClientIP(t *testing.T) {
	ip := NewClientIP(mustTrust(t, "10.0.0.0/8")...)
	h := Middleware(NewMemory(), PerMinute(1), ip.Key)(served)
	from := func(remote, xff string) int {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", xff)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for _, step := range []struct {
		remote, xff string
		want        int
	}{
		{"10.0.0.1:1", "203.0.113.9", 200},
		{"10.0.0.2:2", "1.2.3.4, 203.0.113.9", 429},
		{"10.0.0.1:1", "203.0.113.8", 200},
		{"198.51.100.1:1", "1.1.1.1", 200},
		{"198.51.100.1:2", "1.1.1.2", 429},
		{"[2001:db8::1]:1", "", 200},
		{"[2001:db8::ffff:2]:1", "", 429},
	} {
		if got := from(step.remote, step.xff); got != step.want {
			t.Errorf("%s with %q: %d, want %d", step.remote, step.xff, got, step.want)
		}
	}
}
