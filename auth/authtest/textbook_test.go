package authtest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// textbook is a session store that follows the contract line by line, in slices, with JSON in between as a store on a
// network has it. bug names the line that it gets wrong.
type textbook struct {
	ttl time.Duration
	bug string

	mu          sync.Mutex
	rows        []*row
	revocations []auth.Revocation
	ids         int
}

type row struct {
	auth.Session
	released, revoked bool
}

func (b *textbook) has(bug string) bool { return b.bug == bug }

func clone(s auth.Session) auth.Session {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	var c auth.Session
	if err := json.Unmarshal(text, &c); err != nil {
		panic(err)
	}
	return c
}

func (b *textbook) out(s auth.Session) auth.Session {
	rooms := s.Rooms
	s = clone(s)
	switch b.bug {
	case "loses empty capabilities":
		if len(s.Identity.Capabilities) == 0 {
			s.Identity.Capabilities = nil
		}
	case "loses claims":
		s.Identity.Claims = nil
	case "loses rooms":
		s.Rooms = nil
	case "loses the address":
		s.RemoteIP = auth.Session{}.RemoteIP
	case "gives its own slices away":
		s.Rooms = rooms
	case "loses the token ID":
		s.Identity.TokenID = ""
	}
	return s
}

func (b *textbook) expiry(r *row) time.Time {
	at := r.LastSeen.Add(b.ttl)
	if b.has("never expires") {
		at = at.Add(1000 * b.ttl)
	}
	if b.has("expires early") {
		at = at.Add(-b.ttl / 8)
	}
	if end := r.Identity.ExpiresAt; !end.IsZero() && end.Before(at) && !b.has("outlives the identity") {
		return end
	}
	return at
}

func (b *textbook) find(id string, now time.Time) (*row, error) {
	for _, r := range b.rows {
		same := r.ID == id
		if b.has("finds by prefix") {
			same = id != "" && strings.HasPrefix(id, r.ID)
		}
		switch {
		case !same || !now.Before(r.ExpiresAt):
		case r.revoked && b.has("revoked is not found"):
		case r.revoked:
			return nil, auth.ErrRevoked
		default:
			return r, nil
		}
	}
	return nil, auth.ErrSessionNotFound
}

func (b *textbook) covered(id auth.Identity, now time.Time) bool {
	for _, r := range b.revocations {
		if !r.Until.IsZero() && !now.Before(r.Until) {
			continue
		}
		switch b.bug {
		case "token IDs are everybody's":
			if r.TokenID != "" && r.TokenID == id.TokenID {
				return true
			}
		case "revokes by prefix":
			if strings.HasPrefix(id.ID, r.User) {
				r.User = id.ID
			}
		case "revokes what was issued at the time":
			r.IssuedBefore = r.IssuedBefore.Add(1)
		case "age unknown is new":
			if r.TokenID == "" && id.IssuedAt.IsZero() {
				continue
			}
		case "a token revocation covers all":
			if r.User == id.ID && r.TokenID != "" {
				return true
			}
		}
		if r.Covers(id) {
			return true
		}
	}
	return false
}

func (b *textbook) admissible(id auth.Identity, now time.Time) error {
	switch {
	case !auth.ValidID(id.ID) && !b.has("takes any user"):
		return auth.ErrUnauthenticated
	case b.covered(id, now) && !b.has("create forgets to ask"):
		return auth.ErrRevoked
	case id.Expired(now) && !b.has("takes the expired"):
		return auth.ErrExpired
	}
	return nil
}

func (b *textbook) Create(_ context.Context, s auth.Session) (auth.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	err := b.admissible(s.Identity, now)
	if b.has("checks, then creates") {
		b.mu.Unlock()
		time.Sleep(time.Microsecond)
		b.mu.Lock()
	}
	if err != nil {
		return auth.Session{}, err
	}
	b.ids++
	rooms, id, created := s.Rooms, s.ID, s.CreatedAt
	s = clone(s)
	s.ID, s.CreatedAt, s.LastSeen = auth.NewSessionID(), now, now
	switch b.bug {
	case "takes the caller's ID":
		if id != "" {
			s.ID = id
		}
	case "counts IDs":
		s.ID = fmt.Sprint(b.ids)
	case "repeats IDs":
		s.ID = fmt.Sprintf("%026d", b.ids%10)
	case "takes the caller's times":
		if !created.IsZero() {
			s.CreatedAt = created
		}
	case "keeps the caller's slice":
		s.Rooms = rooms
	}
	r := &row{Session: s}
	r.ExpiresAt = b.expiry(r)
	b.rows = append(b.rows, r)
	if b.has("creates a new one each call") {
		return b.out(auth.Session{ID: r.ID, Identity: s.Identity}), nil
	}
	return b.out(r.Session), nil
}

func (b *textbook) Get(_ context.Context, id string) (auth.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := b.find(id, time.Now())
	if err != nil {
		return auth.Session{}, err
	}
	return b.out(r.Session), nil
}

func (b *textbook) Touch(_ context.Context, batch []auth.Activity) ([]auth.Ended, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	var ended []auth.Ended
	for i, a := range batch {
		r, err := b.find(a.ID, now)
		switch {
		case err != nil && b.has("touch says nothing"):
		case err != nil && b.has("touch stops at the first") && len(ended) > 0:
		case err != nil && b.has("touch says revoked for unknown"):
			ended = append(ended, auth.Ended{ID: a.ID, Err: auth.ErrRevoked})
		case err != nil && b.has("touch says unknown for revoked"):
			ended = append(ended, auth.Ended{ID: a.ID, Err: auth.ErrSessionNotFound})
		case err != nil && b.has("touch makes sessions"):
			b.rows = append(b.rows, &row{Session: auth.Session{ID: a.ID, LastSeen: now, ExpiresAt: now.Add(b.ttl)}})
		case err != nil:
			ended = append(ended, auth.Ended{ID: a.ID, Err: err})
		case b.has("touch takes a thousand") && i >= 1000:
			ended = append(ended, auth.Ended{ID: a.ID, Err: auth.ErrSessionNotFound})
		default:
			b.touch(r, a, now)
		}
	}
	return ended, nil
}

func (b *textbook) touch(r *row, a auth.Activity, now time.Time) {
	if a.At.After(now) && !b.has("believes clocks that are ahead") {
		a.At = now
	}
	if a.At.After(r.LastSeen) || b.has("goes back") {
		r.LastSeen = a.At
	}
	if !r.released && !b.has("touch does not slide") || b.has("touch revives") {
		r.ExpiresAt = b.expiry(r)
	}
	if a.Rooms != nil && (len(a.Rooms) > 0 || !b.has("rooms are never cleared")) || b.has("touch clears rooms") {
		r.Rooms = slices.Clone(a.Rooms)
	}
	if b.has("keeps the slice of a touch") && a.Rooms != nil {
		r.Rooms = a.Rooms
	}
}

func (b *textbook) Renew(_ context.Context, id string, identity auth.Identity) (auth.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	r, err := b.find(id, now)
	switch {
	case err != nil:
		return auth.Session{}, err
	case r.released && !b.has("renews the released"):
		return auth.Session{}, auth.ErrSessionNotFound
	case r.Identity.ID != identity.ID && !b.has("renews for anybody"):
		return auth.Session{}, auth.ErrWrongUser
	}
	if b.has("renews, then checks") {
		r.Identity = identity
	}
	if err := b.admissible(identity, now); err != nil && !b.has("renews the revoked") {
		return auth.Session{}, err
	}
	switch b.bug {
	case "renew begins another":
		b.ids++
		r = &row{Session: auth.Session{ID: auth.NewSessionID(), CreatedAt: now, Node: r.Node, Connection: r.Connection}}
		b.rows = append(b.rows, r)
	case "renew keeps the identity":
		identity = r.Identity
	}
	r.Identity = clone(auth.Session{Identity: identity}).Identity
	if !b.has("renew is no activity") {
		r.LastSeen = now
	}
	r.ExpiresAt = b.expiry(r)
	return b.out(r.Session), nil
}

func (b *textbook) Release(_ context.Context, id string, grace time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	r, err := b.find(id, now)
	if err != nil {
		if b.has("release is strict") {
			return err
		}
		return nil
	}
	at := now.Add(max(grace, 0))
	switch {
	case b.has("release does nothing"):
	case b.has("release deletes"):
		b.remove(r)
	case r.released && !b.has("releases twice"):
	case at.Before(r.ExpiresAt) || b.has("release puts off"):
		r.ExpiresAt = at
		r.released = true
	default:
		r.released = true
	}
	return nil
}

func (b *textbook) remove(gone ...*row) {
	b.rows = slices.DeleteFunc(b.rows, func(r *row) bool { return slices.Contains(gone, r) })
}

func (b *textbook) Delete(_ context.Context, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.rows, func(r *row) bool { return r.ID == id })
	switch {
	case i < 0 && b.has("delete is strict"):
		return auth.ErrSessionNotFound
	case i < 0, b.has("delete does nothing"):
	case b.has("delete takes the user's others"):
		user := b.rows[i].Identity.ID
		b.rows = slices.DeleteFunc(b.rows, func(r *row) bool { return r.Identity.ID == user })
	case b.has("delete revokes"):
		b.revocations = append(b.revocations, auth.Revocation{User: b.rows[i].Identity.ID, IssuedBefore: time.Now()})
		b.remove(b.rows[i])
	default:
		b.remove(b.rows[i])
	}
	return nil
}

func (b *textbook) List(_ context.Context, user string, limit int) ([]auth.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	var list []auth.Session
	for _, r := range b.rows {
		same := r.Identity.ID == user || b.has("lists by prefix") && strings.HasPrefix(r.Identity.ID, user)
		live := now.Before(r.ExpiresAt) || b.has("lists the expired")
		if same && live && (!r.revoked || b.has("lists the revoked")) {
			list = append(list, b.out(r.Session))
		}
	}
	slices.SortStableFunc(list, func(x, y auth.Session) int {
		if b.has("lists the oldest first") {
			x, y = y, x
		}
		return cmp.Compare(y.CreatedAt.UnixNano(), x.CreatedAt.UnixNano())
	})
	if len(list) > limit && !b.has("lists all") {
		list = list[:limit]
	}
	return list, nil
}

func (b *textbook) RevokeSession(_ context.Context, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := b.find(id, time.Now())
	if r == nil {
		if errors.Is(err, auth.ErrRevoked) && !b.has("revokes once only") {
			return nil
		}
		return err
	}
	switch {
	case b.has("revoking deletes"):
		b.remove(r)
	case b.has("revoking keeps it for ever"):
		r.revoked, r.ExpiresAt = true, r.ExpiresAt.Add(1000*b.ttl)
	default:
		r.revoked = true
	}
	revocation := auth.Revocation{User: r.Identity.ID, TokenID: r.Identity.TokenID, Until: r.Identity.ExpiresAt}
	switch {
	case b.has("the token stays good"):
	case b.has("forgets with the session"):
		revocation.Until = r.ExpiresAt
		b.revoke(revocation)
	case revocation.TokenID != "":
		b.revoke(revocation)
	case b.has("without a token ID all go"):
		revocation.IssuedBefore = time.Now()
		b.revoke(revocation)
	}
	return nil
}

func (b *textbook) revoke(r auth.Revocation) {
	for i := range b.revocations {
		have := &b.revocations[i]
		if have.User == r.User && have.TokenID == r.TokenID && b.has("the last revocation counts") {
			*have = r
			return
		}
	}
	b.revocations = append(b.revocations, r)
	for _, row := range b.rows {
		if r.Covers(row.Identity) && !b.has("revoking ends no session") {
			row.revoked = true
		}
	}
}

func (b *textbook) Revoke(_ context.Context, r auth.Revocation) error {
	if err := r.Validate(); err != nil && !b.has("takes any revocation") {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case r.Until.IsZero() && b.has("no end is the TTL"), b.has("remembers for the TTL"):
		r.Until = time.Now().Add(b.ttl)
	case b.has("never forgets"):
		r.Until = time.Time{}
	case b.has("an end that is over is none") && !time.Now().Before(r.Until):
		r.Until = time.Time{}
	}
	b.revoke(r)
	return nil
}

func (b *textbook) Revoked(_ context.Context, id auth.Identity) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.has("Revoked knows nothing") {
		return false, nil
	}
	return b.covered(id, time.Now()), nil
}
