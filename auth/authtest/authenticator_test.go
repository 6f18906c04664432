package authtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
)

const goodToken = "3b1f9c52-ada"

func good(testing.TB) auth.Credentials {
	return auth.Credentials{Token: goodToken, Source: auth.SourceCookie}
}

// doorkeeper is an authenticator in the plainest words, with one bug.
type doorkeeper struct {
	bug  string
	seen atomic.Int32
}

func (k *doorkeeper) Authenticate(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	is := func(bug string) bool { return k.bug == bug }
	if is("looks at the request") && c.Request.Header.Get("X-User") == "bob" {
		return auth.Identity{}, auth.ErrUnauthenticated
	}
	if is("reads the body") && c.Request != nil && c.Request.Body != nil {
		_, _ = io.Copy(io.Discard, c.Request.Body)
	}
	if err := ctx.Err(); err != nil {
		switch {
		case is("takes a database that is away for a no"):
			return auth.Identity{}, fmt.Errorf("%w: %w", auth.ErrUnauthenticated, io.ErrUnexpectedEOF)
		case is("says whom it cannot look up"):
			return auth.Identity{}, fmt.Errorf("%w: looking up %s: %w", auth.ErrUnavailable, c.Token, err)
		}
		return auth.Identity{}, fmt.Errorf("%w: %w", auth.ErrUnavailable, err)
	}
	switch ok := c.Token == goodToken; {
	case is("accepts what begins alike") && strings.HasPrefix(c.Token, goodToken):
	case is("accepts what is as long") && len(c.Token) == len(goodToken):
	case ok:
	case is("says what it refuses"):
		return auth.Identity{}, fmt.Errorf("%w: %q", auth.ErrUnauthenticated, c.Token)
	case is("takes a no for a fault"):
		return auth.Identity{}, auth.ErrUnavailable
	default:
		return auth.Identity{}, auth.ErrUnauthenticated
	}
	id := auth.Identity{ID: "ada", IssuedAt: time.Now()}
	switch {
	case is("refuses everybody"):
		return auth.Identity{}, auth.ErrUnauthenticated
	case is("names nobody"):
		id.ID = "Ada Lovelace"
	case is("is too late"):
		id.ExpiresAt = time.Now()
	case is("is ahead of time"):
		id.IssuedAt = time.Now().Add(time.Hour)
	case is("misspells a capability"):
		id.Capabilities = []auth.Capability{{Rooms: "team-*", Verbs: auth.Join}}
	case is("knows another in frames") && c.Request == nil:
		id.ID = "bob"
	case is("knows one at a time") && k.seen.Add(1) > 8:
		return auth.Identity{}, errors.New("busy")
	}
	return id, nil
}

var doorBugs = []struct{ bug, by string }{
	{"refuses everybody", "accepts"},
	{"names nobody", "accepts"},
	{"is too late", "accepts"},
	{"is ahead of time", "accepts"},
	{"misspells a capability", "accepts"},
	{"looks at the request", "without a request"},
	{"knows another in frames", "without a request"},
	{"reads the body", "the body is not read"},
	{"accepts what begins alike", "refuses what is no token"},
	{"accepts what is as long", "refuses what is no token"},
	{"takes a no for a fault", "refuses what is no token"},
	{"says what it refuses", "errors do not hold the token"},
	{"says whom it cannot look up", "errors do not hold the token"},
	{"takes a database that is away for a no", "a context that is done"},
	{"knows one at a time", "many at once"},
}

// TestAuthenticatorSuiteFindsBugs shows that each bug is found by the case that is there for it, and that each case is
// there for one.
func TestAuthenticatorSuiteFindsBugs(t *testing.T) {
	cases := authenticatorCases()
	found := make(map[string]bool)
	for _, b := range doorBugs {
		t.Run(b.bug+", by "+b.by, func(t *testing.T) {
			i := slices.IndexFunc(cases, func(c testCase[*door]) bool { return c.name == b.by })
			if i < 0 {
				t.Fatalf("there is no case %q", b.by)
			}
			failed, said := record(t, func(tb testing.TB) {
				cases[i].run(&door{TB: tb, a: &doorkeeper{bug: b.bug}, good: good})
			})
			if !failed {
				t.Error("it was not found")
			}
			if b.bug != "looks at the request" && strings.Contains(said, "panic") {
				t.Errorf("it said %s", said)
			}
		})
		found[b.by] = true
	}
	for _, c := range cases {
		if !found[c.name] || c.why == "" {
			t.Errorf("no bug is found by %q", c.name)
		}
	}
}

// TestDoorkeeper shows that the suite passes one that has no bug.
func TestDoorkeeper(t *testing.T) {
	TestAuthenticator(t, &doorkeeper{}, good)
}
