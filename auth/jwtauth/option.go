package jwtauth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

const (
	defaultRefresh = 15 * time.Minute
	defaultTimeout = 5 * time.Second
	defaultCache   = 1024

	// maxLeeway bounds WithLeeway, and how far the issuer's clock may run ahead where a token says when it was issued.
	maxLeeway = 30 * time.Second
)

// Option is a setting of [New].
type Option func(*config) error

type config struct {
	issuers []Issuer
	ignored map[string]struct{}
	leeway  time.Duration
	now     func() time.Time
	logger  *slog.Logger
	client  *http.Client
	refresh time.Duration
	timeout time.Duration
	cache   int
}

// WithIssuer adds an issuer. It may be given several times.
func WithIssuer(iss Issuer) Option {
	return func(c *config) error {
		c.issuers = append(c.issuers, iss)
		return nil
	}
}

// WithLeeway accepts tokens until d after their exp and from d before their nbf, for clocks that disagree. The default
// is none and the most is 30 s. The ExpiresAt of the Identity is exp and leeway together.
func WithLeeway(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 || d > maxLeeway {
			return fmt.Errorf("leeway of %v; use 0 to %v, and set the clocks where that is not enough", d, maxLeeway)
		}
		c.leeway = d
		return nil
	}
}

// WithClock sets what time it is, for tests. The default is [time.Now].
func WithClock(now func() time.Time) Option {
	return func(c *config) error {
		if now == nil {
			return errors.New("the clock is nil; leave WithClock out")
		}
		c.now = now
		return nil
	}
}

// WithLogger sets where failures to fetch keys, and keys that were dropped, are logged. The default is nowhere.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return errors.New("the logger is nil; leave WithLogger out")
		}
		c.logger = l
		return nil
	}
}

// WithHTTPClient sets the client that fetches keys: its transport, for instance one that trusts a certificate of the
// host's own. Its cookie jar and redirect policy are not used. The default goes through the proxy of the environment
// and keeps no connection open.
func WithHTTPClient(client *http.Client) Option {
	return func(c *config) error {
		if client == nil {
			return errors.New("the HTTP client is nil; leave WithHTTPClient out")
		}
		c.client = client
		return nil
	}
}

// WithRefresh sets how often keys are fetched again, give or take a tenth. The default is 15 minutes; the least is one
// minute. A token with a key that is not known yet does not wait for that; see [Issuer].
func WithRefresh(d time.Duration) Option {
	return func(c *config) error {
		if d < time.Minute {
			return fmt.Errorf("refresh every %v; use a minute or more, since unknown keys are fetched when they are needed", d)
		}
		c.refresh = d
		return nil
	}
}

// WithFetchTimeout sets how long one fetch of keys may take, body included. The default is 5 s; at most a minute.
func WithFetchTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d <= 0 || d > time.Minute {
			return fmt.Errorf("fetch timeout of %v; use more than 0 and at most a minute", d)
		}
		c.timeout = d
		return nil
	}
}

// WithCache sets how many verified tokens are remembered, so that a client that connects again costs a hash in place of
// a signature. A token is remembered until it expires, its issuer's keys change or another needs its place; the keys
// are digests, so the cache holds no token. The default is 1,024; 0 turns it off, for Identify functions that must be
// asked each time.
func WithCache(n int) Option {
	return func(c *config) error {
		if n < 0 || n > 1<<20 {
			return fmt.Errorf("cache of %d tokens; use 0 to %d", n, 1<<20)
		}
		c.cache = n
		return nil
	}
}

// WithIgnoredHeaders names header parameters that a token may carry besides alg, typ and kid, such as x5t. They are not
// looked at. Parameters that change how a token is verified cannot be named.
func WithIgnoredHeaders(names ...string) Option {
	return func(c *config) error {
		for _, name := range names {
			switch name {
			case "", "alg", "typ", "kid", "jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc", "epk", "apu", "apv", "cty":
				return fmt.Errorf("header %q cannot be ignored: it changes what the token means", name)
			}
			if c.ignored == nil {
				c.ignored = make(map[string]struct{})
			}
			c.ignored[name] = struct{}{}
		}
		return nil
	}
}
