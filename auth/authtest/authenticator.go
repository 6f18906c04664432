package authtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// TestAuthenticator tests that a keeps the contract of [auth.Authenticator], each case in a subtest of its own.
//
// good returns credentials of one user that a accepts. It is called several times, so that it can make a new token where
// each is good once. Where they have no Request the suite puts one beside the token. What the suite makes of a token
// by leaving out, adding or changing something, a has to refuse.
func TestAuthenticator(t *testing.T, a auth.Authenticator, good func(t testing.TB) auth.Credentials) {
	t.Helper()
	for _, tc := range authenticatorCases() {
		t.Run(tc.name, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("Why it matters: %s", tc.why)
				}
			}()
			tc.run(&door{TB: t, a: a, good: good})
		})
	}
}

func authenticatorCases() []testCase[*door] {
	return []testCase[*door]{
		{
			"accepts",
			"An identity that has no valid ID or has expired counts as refused, and a capability that is misspelled " +
				"allows nothing, in silence.",
			accepts,
		},
		{
			"without a request",
			"A renewal comes in a frame, where there is no request to look at, and a panic is an answer of 503.",
			acceptsFrames,
		},
		{
			"the body is not read",
			"The body belongs to whoever has the connection after the handshake.",
			leavesBody,
		},
		{
			"refuses what is no token",
			"Whoever is not refused is in.",
			refuses,
		},
		{
			"errors do not hold the token",
			"Errors are logged, and a token in a log is one that others can use.",
			errorsAreClean,
		},
		{
			"a context that is done",
			"When it cannot be found out whether a credential is good, the client must be told to try again (503) and " +
				"not to sign in again (401), and a handshake must not wait for ever.",
			heedsContext,
		},
		{
			"many at once",
			"Clients come at the same time, and after a restart all of them.",
			manyAtTheDoor,
		},
	}
}

// door is an authenticator under test.
type door struct {
	testing.TB
	a    auth.Authenticator
	good func(t testing.TB) auth.Credentials
}

// key returns good credentials with a request.
func (d *door) key() auth.Credentials {
	c := d.good(d)
	if c.Request == nil {
		c.Request = httptest.NewRequestWithContext(d.Context(), http.MethodGet, "/ws", nil)
	}
	return c
}

// patience is how long an authenticator may take.
const patience = 10 * time.Second

// ask asks it once. A panic, and an answer that does not come, are failures.
func (d *door) ask(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	d.Helper()
	type answer struct {
		id  auth.Identity
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				answers <- answer{err: fmt.Errorf("%w: %v", errPanic, p)}
			}
		}()
		id, err := d.a.Authenticate(ctx, c)
		answers <- answer{id, err}
	}()
	select {
	case got := <-answers:
		if errors.Is(got.err, errPanic) {
			d.Errorf("Authenticate panicked: %v", got.err)
		}
		return got.id, got.err
	case <-time.After(patience):
		d.Errorf("Authenticate has not returned after %v", patience)
		return auth.Identity{}, errStuck
	}
}

var (
	errPanic = errors.New("panic")
	errStuck = errors.New("no answer")
)

func accepts(d *door) {
	id, err := d.ask(d.Context(), d.key())
	if err != nil {
		d.Fatalf("good credentials are refused: %v", err)
	}
	if !auth.ValidID(id.ID) {
		d.Errorf("the ID %q is no valid one: see auth.ValidID", id.ID)
	}
	if now := time.Now(); id.Expired(now) {
		d.Errorf("the identity expired at %v, and it is %v", id.ExpiresAt, now)
	}
	if ahead := time.Until(id.IssuedAt); ahead > time.Minute {
		d.Errorf("the identity will be issued in %v: until then no revocation covers it", ahead)
	}
	for _, c := range id.Capabilities {
		if err := c.Validate(); err != nil {
			d.Errorf("a capability is no good: %v", err)
		}
	}
}

func acceptsFrames(d *door) {
	want, err := d.ask(d.Context(), d.key())
	if err != nil {
		d.Fatalf("good credentials are refused: %v", err)
	}
	c := d.key()
	id, err := d.ask(d.Context(), auth.Credentials{Token: c.Token, Source: auth.SourceFrame, RemoteIP: c.RemoteIP})
	if err == nil && id.ID != want.ID { // it may well refuse tokens in frames
		d.Errorf("in a frame the token is that of %q, in a handshake that of %q", id.ID, want.ID)
	}
}

// untouchable is a body that nobody is to read.
type untouchable struct{ read bool }

func (b *untouchable) Read([]byte) (int, error) { b.read = true; return 0, io.EOF }

func leavesBody(d *door) {
	body := new(untouchable)
	c := d.key()
	c.Request = c.Request.Clone(d.Context())
	c.Request.Body = io.NopCloser(body)
	if _, err := d.ask(d.Context(), c); err != nil {
		d.Errorf("good credentials are refused: %v", err)
	}
	if body.read {
		d.Error("the body was read")
	}
}

// spoilt are tokens that are not good, made of one that is. All are such as a server hands on: up to 8 KiB of visible
// ASCII.
func spoilt(token string) map[string]string {
	return map[string]string{
		"a dot":                           ".",
		"two dots":                        "..",
		"an asterisk":                     "*",
		"a percent sign":                  "%",
		"a quote":                         "'OR'1'='1",
		"a path":                          "../../etc/passwd",
		"8 KiB":                           strings.Repeat("a", auth.MaxToken),
		"the token without its beginning": token[1:],
		"the token without its end":       token[:len(token)-1],
		"the token and more":              token + "a",
		"the token behind something":      "a" + token,
		"the token twice":                 token + token,
		"a token as long":                 strings.Repeat("a", len(token)),
	}
}

// spoil calls try with each of the credentials that are not good.
func (d *door) spoil(try func(what string, c auth.Credentials)) {
	d.Helper()
	c := d.key()
	if len(c.Token) < 2 {
		d.Fatalf("the good token has %d bytes: anybody guesses it", len(c.Token))
	}
	for what, token := range spoilt(c.Token) {
		bad := c
		bad.Token = token
		try(what, bad)
	}
}

func refuses(d *door) {
	d.spoil(func(what string, c auth.Credentials) {
		if id, err := d.ask(d.Context(), c); err == nil {
			d.Errorf("%s is accepted, as %q", what, id.ID)
		} else if errors.Is(err, auth.ErrUnavailable) {
			d.Errorf("%s is answered with an ErrUnavailable, so that the client would try it again: %v", what, err)
		}
	})
}

func errorsAreClean(d *door) {
	d.spoil(func(what string, c auth.Credentials) {
		if len(c.Token) < 8 { // may be in any text
			return
		}
		if _, err := d.ask(d.Context(), c); err != nil && strings.Contains(err.Error(), c.Token) {
			d.Errorf("the error for %s has it in it: %v", what, err)
		}
	})
	// Where the authenticator cannot ask whom it asks, least of all.
	ctx, cancel := context.WithCancel(d.Context())
	cancel()
	c := d.key()
	if _, err := d.ask(ctx, c); err != nil && strings.Contains(err.Error(), c.Token) {
		d.Errorf("the error of a context that is done has the token in it: %v", err)
	}
}

func heedsContext(d *door) {
	ctx, cancel := context.WithCancel(d.Context())
	cancel()
	switch _, err := d.ask(ctx, d.key()); {
	case err == nil: // it had nobody to ask
	case errors.Is(err, auth.ErrUnavailable), errors.Is(err, context.Canceled):
	default:
		d.Errorf("good credentials and a context that is done: %v; want an ErrUnavailable, or the context's error", err)
	}
}

func manyAtTheDoor(d *door) {
	const many = 16
	keys := make([]auth.Credentials, many)
	for i := range keys {
		keys[i] = d.key()
	}
	ids := make([]string, many)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			id, err := d.ask(d.Context(), keys[i])
			if err != nil {
				d.Errorf("good credentials are refused: %v", err)
			}
			ids[i] = id.ID
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] {
			d.Fatalf("one user has the IDs %q", ids)
		}
	}
}
