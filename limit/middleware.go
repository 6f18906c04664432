package limit

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// sfMaxInteger is the largest Integer of a structured field, RFC 9651 section
// 3.3.1.
const sfMaxInteger = 999_999_999_999_999

// A MiddlewareOption changes a default of [Middleware].
type MiddlewareOption func(*middleware)

// WithPolicy names the policy in the response headers and in the limiter's
// keys. The default is "default". Middlewares with the same policy and rate on
// the same limiter share their counts; give them names to count apart. The name
// must be printable ASCII.
func WithPolicy(name string) MiddlewareOption {
	return func(m *middleware) { m.policy = name }
}

// AllowOnError serves requests when the limiter returns an error, unless it is
// because the client gave up on the request. The default is to refuse them with
// 503, as a limiter that cannot tell is no protection.
func AllowOnError() MiddlewareOption {
	return func(m *middleware) { m.allowOnError = true }
}

// WithErrorHook calls hook with each error of the limiter, for a log or a
// counter, on the request's goroutine and before it is answered. That a client
// gave up on its request is not reported.
func WithErrorHook(hook func(r *http.Request, err error)) MiddlewareOption {
	return func(m *middleware) { m.onError = hook }
}

// Middleware limits the requests to an http.Handler to rate, one event per
// request, counted per key; [ClientIP.Key] makes a fine key. With the zero Rate
// handlers are returned as they are. It panics if l or key is nil, if rate is
// not valid or if an option is not, as http.ServeMux.Handle does on a bad
// pattern.
//
// Responses carry the RateLimit-Policy and RateLimit fields of
// draft-ietf-httpapi-ratelimit-headers-10. Here q is the burst, w the time in
// which it comes back, r what remains of it, and t the time until there is more
// than r; times are rounded up to seconds. They are added to what other
// middlewares have put there.
//
// A refused request gets 429 with Retry-After and the body
//
//	{"error":{"code":"rate_limited","message":"…"}}
//
// and one that the limiter has no answer for gets 503 with the code
// unavailable; see [AllowOnError]. The bodies are constant: nothing of the
// request is in them.
func Middleware(l Limiter, rate Rate, key func(*http.Request) string, opts ...MiddlewareOption) func(http.Handler) http.Handler {
	m := &middleware{limiter: l, rate: rate, key: key, policy: "default"}
	for _, opt := range opts {
		opt(m)
	}
	if l == nil || key == nil {
		panic("limit: Middleware needs a limiter and a key")
	}
	if err := rate.Validate(); err != nil {
		panic(err)
	}
	name, err := sfString(m.policy)
	if err != nil {
		panic(err)
	}
	if rate.Unlimited() {
		return func(next http.Handler) http.Handler { return next }
	}
	m.name = name
	m.quota = name + ";q=" + sfInteger(int64(rate.Size())) + ";w=" + sfInteger(seconds(rate.Window()))
	// The rate is part of the key because one key must not be used with two.
	m.prefix = "http:" + m.policy + ":" + rate.String() + ":"
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serve(w, r, next) })
	}
}

type middleware struct {
	limiter      Limiter
	rate         Rate
	key          func(*http.Request) string
	policy       string
	allowOnError bool
	onError      func(*http.Request, error)

	name   string // the policy as a structured field
	quota  string // the whole RateLimit-Policy
	prefix string // of each key
}

func (m *middleware) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	d, err := m.limiter.Allow(r.Context(), m.prefix+m.key(r), m.rate, 1)
	if err != nil {
		m.fail(w, r, next, err)
		return
	}
	h := w.Header()
	h.Add("RateLimit-Policy", m.quota)
	h.Add("RateLimit", m.name+";r="+sfInteger(int64(d.Remaining))+";t="+sfInteger(seconds(m.untilMore(d))))
	if !d.OK {
		refuse(w, http.StatusTooManyRequests, d.RetryAfter, "rate_limited", "Too many requests.")
		return
	}
	next.ServeHTTP(w, r)
}

// fail answers a request for which the limiter has no answer.
func (m *middleware) fail(w http.ResponseWriter, r *http.Request, next http.Handler, err error) {
	// Giving up on a request must not be a way around the limit.
	gone := r.Context().Err() != nil
	if !gone && m.onError != nil {
		m.onError(r, err)
	}
	if !gone && m.allowOnError {
		next.ServeHTTP(w, r)
		return
	}
	refuse(w, http.StatusServiceUnavailable, 0, "unavailable", "The service is not available.")
}

// untilMore returns the time after which more than d.Remaining will be
// available.
func (m *middleware) untilMore(d Decision) time.Duration {
	if !d.OK {
		return d.RetryAfter
	}
	spent := m.rate.Size() - d.Remaining
	if spent < 2 {
		return d.ResetAfter
	}
	// All but one of what is spent takes this long after the first is back.
	return d.ResetAfter - m.rate.WithBurst(spent-1).Window()
}

// refuse writes an error as the handshake of a WebSocket does.
func refuse(w http.ResponseWriter, status int, retryAfter time.Duration, code, message string) {
	h := w.Header()
	h.Set("Retry-After", strconv.FormatInt(seconds(retryAfter), 10))
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The status is on its way: a client that does not take the body is gone.
	_, _ = w.Write([]byte(`{"error":{"code":"` + code + `","message":"` + message + `"}}` + "\n"))
}

// seconds returns d rounded up to seconds, and at least one: a client told zero
// would be back too early.
func seconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return max(s, 1)
}

// sfInteger returns n ≥ 0 as an Integer of RFC 9651.
func sfInteger(n int64) string { return strconv.FormatInt(min(n, sfMaxInteger), 10) }

// sfString returns s as a String of RFC 9651 section 3.3.3.
func sfString(s string) (string, error) {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return "", fmt.Errorf("limit: policy name %q is not printable ASCII", s)
		}
		if c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	b.WriteByte('"')
	return b.String(), nil
}
