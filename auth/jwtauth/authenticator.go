package jwtauth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// Authenticator is an [auth.Authenticator] for signed tokens. It is safe for concurrent use. Close it when it is no
// longer needed: an issuer with a JWKS has a goroutine that keeps its keys fresh.
//
// Its errors are an [auth.ErrExpired] for a token whose signature is good and whose time is over, an
// [auth.ErrUnavailable] when the issuer's keys could not be fetched even once or ctx ended before they were, and an
// [auth.ErrUnauthenticated] for everything else. Their texts say what was wrong and hold nothing of the token.
type Authenticator struct {
	issuers map[string]*issuer
	any     *issuer // takes tokens of every issuer; see Issuer.InsecureAnyIssuer
	ignored map[string]struct{}
	leeway  time.Duration
	now     func() time.Time
	cache   *cache // nil: off

	stop    context.CancelFunc
	running sync.WaitGroup
}

// New returns an Authenticator for the issuers that the options name; at least one [WithIssuer] is required. Where an
// issuer has a JWKS, New starts to fetch it and does not wait: an issuer that is down does not keep a server from
// starting.
//
// Its errors say what to write instead.
func New(opts ...Option) (*Authenticator, error) {
	cfg := config{
		now:     time.Now,
		logger:  slog.New(slog.DiscardHandler),
		refresh: defaultRefresh,
		timeout: defaultTimeout,
		cache:   defaultCache,
	}
	for _, opt := range opts {
		if err := opt(&cfg); err != nil {
			return nil, fmt.Errorf("jwtauth: %w", err)
		}
	}
	if len(cfg.issuers) == 0 {
		return nil, fmt.Errorf("jwtauth: no issuer; name one with WithIssuer")
	}
	if err := checkTogether(cfg.issuers); err != nil {
		return nil, fmt.Errorf("jwtauth: %w", err)
	}

	a := &Authenticator{
		issuers: make(map[string]*issuer, len(cfg.issuers)),
		ignored: cfg.ignored,
		leeway:  cfg.leeway,
		now:     cfg.now,
	}
	if cfg.cache > 0 {
		a.cache = newCache(cfg.cache)
	}
	for _, def := range cfg.issuers {
		iss, err := newIssuer(def, &cfg)
		if err != nil {
			return nil, fmt.Errorf("jwtauth: issuer %q: %w", def.Name, err)
		}
		if def.InsecureAnyIssuer {
			a.any = iss
		} else {
			a.issuers[def.Name] = iss
		}
	}

	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	for _, iss := range a.all() {
		if iss.remote != nil {
			a.running.Go(func() { iss.remote.run(ctx) })
		}
	}
	return a, nil
}

func (a *Authenticator) all() []*issuer {
	list := make([]*issuer, 0, len(a.issuers)+1)
	for _, iss := range a.issuers {
		list = append(list, iss)
	}
	if a.any != nil {
		list = append(list, a.any)
	}
	return list
}

// Close stops fetching keys and waits until the goroutines that did it are gone. The Authenticator goes on to serve
// with the keys that it has. Close may be called more than once; its error is always nil.
func (a *Authenticator) Close() error {
	a.stop()
	a.running.Wait()
	return nil
}

// Authenticate implements [auth.Authenticator].
func (a *Authenticator) Authenticate(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	if c.Token == "" {
		return auth.Identity{}, refuse("there is no token")
	}
	if len(c.Token) > auth.MaxToken {
		return auth.Identity{}, refuse("the token is too long")
	}
	digest := sha256.Sum256([]byte(c.Token))
	if a.cache != nil {
		if v, ok := a.cache.get(digest); ok && v.issuer.current(v.keys) {
			if err := v.times.check(a.now(), a.leeway); err != nil {
				a.cache.remove(digest)
				return auth.Identity{}, err
			}
			return v.identity, nil
		}
	}
	v, err := a.verify(ctx, c.Token, digest)
	if err != nil {
		return auth.Identity{}, err
	}
	if a.cache != nil {
		a.cache.put(digest, v)
	}
	return v.identity, nil
}

// verified is a token that passed, with what can change the verdict later.
type verified struct {
	identity auth.Identity
	times    times
	issuer   *issuer
	keys     *keySet // the set that held the key
}

func (a *Authenticator) verify(ctx context.Context, token string, digest [sha256.Size]byte) (verified, error) {
	tok, err := parseCompact(token, a.ignored)
	if err != nil {
		return verified{}, err
	}
	iss := a.any
	if iss == nil {
		name, _ := tok.claims["iss"].(string)
		if iss = a.issuers[name]; iss == nil {
			return verified{}, refuse("the issuer is not one of ours")
		}
	}
	keys, err := iss.verifySignature(ctx, &tok)
	if err != nil {
		return verified{}, err
	}
	// From here on the claims are what the issuer said.
	now := a.now()
	t, err := iss.checkClaims(tok.claims, now, a.leeway)
	if err != nil {
		return verified{}, err
	}
	id, err := iss.identify(ctx, tok.claims, t, digest, now, a.leeway)
	if err != nil {
		return verified{}, err
	}
	return verified{identity: id, times: t, issuer: iss, keys: keys}, nil
}

// refuse returns an error whose text is constant, so that nothing of a token can get into a log through it.
func refuse(reason string) error {
	return fmt.Errorf("%w: %s", auth.ErrUnauthenticated, reason)
}
