package auth

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemorySessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemorySessions(MaxEntries(10), SessionTTL(time.Hour))
		for i := range 10 {
			if _, err := m.Create(t.Context(), Session{Identity: Identity{ID: fmt.Sprint("u", i)}}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := m.Create(t.Context(), Session{Identity: Identity{ID: "u"}}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("the eleventh of ten: %v", err)
		}
		time.Sleep(time.Hour)
		if _, err := m.Create(t.Context(), Session{Identity: Identity{ID: "u"}}); err != nil {
			t.Errorf("after the others expired: %v", err)
		}
		if len(m.byID) != 1 || len(m.byUser) != 1 || len(m.queue) != 1 {
			t.Errorf("%d sessions, %d users, %d in the queue", len(m.byID), len(m.byUser), len(m.queue))
		}
	})
}

// One that is put off must not keep the store from seeing that others have expired.
func TestMemoryStoresSeeWhatExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemorySessions(MaxEntries(2), SessionTTL(time.Hour))
		var ids []string
		for range 2 {
			s, err := m.Create(t.Context(), Session{Identity: Identity{ID: "ada"}})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, s.ID)
		}
		l := NewMemoryRevocations(MaxEntries(2))
		revoke := func(token string, d time.Duration) error {
			return l.Revoke(t.Context(), Revocation{User: "ada", TokenID: token, Until: time.Now().Add(d)})
		}
		for token, d := range map[string]time.Duration{"a": time.Hour, "b": 2 * time.Hour} {
			if err := revoke(token, d); err != nil {
				t.Fatal(err)
			}
		}
		if err := revoke("a", 3*time.Hour); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour / 2)
		if _, err := m.Touch(t.Context(), []Activity{{ID: ids[0], At: time.Now()}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour / 2)
		if _, err := m.Create(t.Context(), Session{Identity: Identity{ID: "ada"}}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if err := revoke("c", time.Hour); err != nil {
			t.Error(err)
		}
	})
}

// In a bubble all of them are created at the same instant.
func TestMemorySessionsOrderWithinAnInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemorySessions()
		var want []string
		for range 20 {
			s, err := m.Create(t.Context(), Session{Identity: Identity{ID: "ada"}})
			if err != nil {
				t.Fatal(err)
			}
			want = append([]string{s.ID}, want...)
		}
		list, err := m.List(t.Context(), "ada", 20)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range list {
			if s.ID != want[i] {
				t.Fatalf("%d is out of order", i)
			}
		}
	})
}

// What comes and goes leaves nothing, however it goes.
func TestMemorySessionsLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemorySessions(SessionTTL(time.Hour))
		most := 0
		for i := range 10_000 {
			id := Identity{ID: fmt.Sprint("u", i%100), TokenID: fmt.Sprint(i), IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
			s, err := m.Create(t.Context(), Session{Identity: id, Rooms: []string{"lobby"}})
			if err != nil {
				t.Fatal(err)
			}
			switch i % 5 {
			case 0:
				err = m.Delete(t.Context(), s.ID)
			case 1:
				err = m.Release(t.Context(), s.ID, 10*time.Second)
			case 2:
				err = m.RevokeSession(t.Context(), s.ID)
			case 3:
				err = m.Revoke(t.Context(), Revocation{User: id.ID, IssuedBefore: time.Now(), Until: time.Now().Add(time.Minute)})
			}
			if err != nil {
				t.Fatal(err)
			}
			if i%100 == 99 {
				time.Sleep(time.Minute)
			}
			most = max(most, len(m.byID))
		}
		// An hour's worth at most: 6,000, of which a fifth is deleted at once.
		if most > 6000 {
			t.Errorf("%d sessions at once", most)
		}
		time.Sleep(2 * time.Hour)
		for range 1000 {
			s, err := m.Create(t.Context(), Session{Identity: Identity{ID: "last"}})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Revoke(t.Context(), Revocation{User: "last", TokenID: "x", Until: time.Now().Add(time.Second)}); err != nil {
				t.Fatal(err)
			}
			if err := m.Delete(t.Context(), s.ID); err != nil {
				t.Fatal(err)
			}
		}
		if len(m.byID) != 0 || len(m.byUser) != 0 || len(m.queue) != 0 || len(m.revoked.byKey) != 1 || len(m.revoked.queue) != 1 {
			t.Errorf("left: %d sessions, %d users, %d in the queue, %d revocations", len(m.byID), len(m.byUser), len(m.queue), len(m.revoked.byKey))
		}
	})
}

// A session that was revoked keeps its place, but not what it held.
func TestMemorySessionsForgetTheRevoked(t *testing.T) {
	m := NewMemorySessions()
	s, err := m.Create(t.Context(), Session{Identity: Identity{ID: "ada", Name: "Ada", Claims: map[string]any{"x": 1}}, Rooms: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.RevokeSession(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	if e := m.byID[s.ID]; e == nil || e.Identity.ID != "" || e.Identity.Claims != nil || e.Rooms != nil {
		t.Error("personal data of a revoked session are kept")
	}
}

func TestMemoryRevocationsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewMemoryRevocations(MaxEntries(3))
		until := time.Now().Add(time.Hour)
		for i := range 3 {
			if err := l.Revoke(t.Context(), Revocation{User: "ada", TokenID: fmt.Sprint(i), Until: until}); err != nil {
				t.Fatal(err)
			}
		}
		// Forgetting one to make room would let it back in.
		if err := l.Revoke(t.Context(), Revocation{User: "ada", TokenID: "x", Until: until}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("the fourth of three: %v", err)
		}
		if err := l.Revoke(t.Context(), Revocation{User: "ada", TokenID: "1", Until: until}); err != nil {
			t.Errorf("one that is there already: %v", err)
		}
		for i := range 3 {
			if ok, err := l.Revoked(t.Context(), Identity{ID: "ada", TokenID: fmt.Sprint(i)}); !ok || err != nil {
				t.Errorf("%d: %v, %v", i, ok, err)
			}
		}
		time.Sleep(time.Hour)
		if err := l.Revoke(t.Context(), Revocation{User: "ada", TokenID: "x", Until: time.Now().Add(time.Hour)}); err != nil {
			t.Errorf("after the others may be forgotten: %v", err)
		}
		if len(l.table.byKey) != 1 || len(l.table.queue) != 1 {
			t.Errorf("%d are left", len(l.table.byKey))
		}
	})
}

// When the list is full the sessions end all the same, and the host hears that the credential is still good.
func TestMemorySessionsRevokeWithAFullList(t *testing.T) {
	m := NewMemorySessions(MaxEntries(1))
	if err := m.Revoke(t.Context(), Revocation{User: "eve", TokenID: "x"}); err != nil {
		t.Fatal(err)
	}
	s, err := m.Create(t.Context(), Session{Identity: Identity{ID: "ada", TokenID: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Revoke(t.Context(), Revocation{User: "ada", TokenID: "t"}); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	if _, err := m.Get(t.Context(), s.ID); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
}

func TestMemoryTicketsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemoryTickets(MaxEntries(20))
		put := func(key, user string) error {
			return m.Put(t.Context(), key, Ticket{Identity: Identity{ID: user}, ExpiresAt: time.Now().Add(30 * time.Second)})
		}
		for i := range 100 {
			if err := put(fmt.Sprint("eve-", i), "eve"); err != nil {
				t.Fatal(err)
			}
		}
		if len(m.byKey) != maxTicketsPerUser || len(m.byUser["eve"]) != maxTicketsPerUser || len(m.queue) != maxTicketsPerUser {
			t.Errorf("eve has %d tickets", len(m.byKey))
		}
		for i := range 4 {
			if err := put(fmt.Sprint("u", i), fmt.Sprint("u", i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := put("one more", "ada"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("the twenty-first of twenty: %v", err)
		}
		if err := put("eve-100", "eve"); err != nil {
			t.Errorf("in place of one's own: %v", err)
		}
		time.Sleep(30 * time.Second)
		if err := put("one more", "ada"); err != nil {
			t.Errorf("after the others expired: %v", err)
		}
		for range 3 { // a few at a time
			if _, err := m.Take(t.Context(), "none"); !errors.Is(err, ErrTicketNotFound) {
				t.Error(err)
			}
		}
		if len(m.byKey) != 1 || len(m.byUser) != 1 || len(m.queue) != 1 {
			t.Errorf("%d tickets, %d users, %d in the queue", len(m.byKey), len(m.byUser), len(m.queue))
		}
	})
}

func TestMemoryOptionsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"MaxEntries": func() { MaxEntries(0) },
		"SessionTTL": func() { SessionTTL(-1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s took it", name)
				}
			}()
			f()
		}()
	}
}

// A done context fails every call of every store, and changes nothing.
func TestMemoryContexts(t *testing.T) {
	sessions, list, tickets := NewMemorySessions(), NewMemoryRevocations(), NewMemoryTickets()
	s, err := sessions.Create(t.Context(), Session{Identity: Identity{ID: "ada"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := tickets.Put(t.Context(), "k", Ticket{Identity: Identity{ID: "ada"}, ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := contextDone(t)
	defer cancel()
	r := Revocation{User: "ada", IssuedBefore: time.Now()}
	for name, f := range map[string]func() error{
		"Create":        func() error { _, err := sessions.Create(ctx, Session{Identity: Identity{ID: "ada"}}); return err },
		"Get":           func() error { _, err := sessions.Get(ctx, s.ID); return err },
		"Touch":         func() error { _, err := sessions.Touch(ctx, []Activity{{ID: s.ID}}); return err },
		"Renew":         func() error { _, err := sessions.Renew(ctx, s.ID, Identity{ID: "ada"}); return err },
		"Release":       func() error { return sessions.Release(ctx, s.ID, 0) },
		"Delete":        func() error { return sessions.Delete(ctx, s.ID) },
		"List":          func() error { _, err := sessions.List(ctx, "ada", 1); return err },
		"RevokeSession": func() error { return sessions.RevokeSession(ctx, s.ID) },
		"Revoke":        func() error { return sessions.Revoke(ctx, r) },
		"Revoked":       func() error { _, err := sessions.Revoked(ctx, Identity{ID: "ada"}); return err },
		"list.Revoke":   func() error { return list.Revoke(ctx, r) },
		"list.Revoked":  func() error { _, err := list.Revoked(ctx, Identity{ID: "ada"}); return err },
		"Put":           func() error { return tickets.Put(ctx, "x", Ticket{}) },
		"Take":          func() error { _, err := tickets.Take(ctx, "k"); return err },
	} {
		if err := f(); !errors.Is(err, ctx.Err()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sessions.Get(t.Context(), s.ID); err != nil {
		t.Error(err)
	}
	if _, err := tickets.Take(t.Context(), "k"); err != nil {
		t.Error(err)
	}
}

type queued struct {
	expiring
	name int
}

// The queue is compared with sorting.
func TestQueue(t *testing.T) {
	var q queue[*queued]
	var all []*queued
	random := rand.New(rand.NewPCG(1, 2))
	when := func() time.Time {
		if random.IntN(5) == 0 {
			return time.Time{}
		}
		return time.Unix(random.Int64N(100), 0)
	}
	for i := range 2000 {
		switch n := random.IntN(4); {
		case n < 2 || len(all) == 0:
			e := &queued{expiring{at: when()}, i}
			q.push(e)
			all = append(all, e)
		case n == 2:
			e := all[random.IntN(len(all))]
			e.at = when()
			q.moved(e)
		default:
			j := random.IntN(len(all))
			q.remove(all[j])
			if all[j].index != -1 {
				t.Fatal("an entry that was removed has a place")
			}
			all = slices.Delete(all, j, j+1)
		}
		if len(q) != len(all) {
			t.Fatalf("%d in the queue, want %d", len(q), len(all))
		}
		next := time.Time{}
		for _, e := range all {
			if !e.at.IsZero() && (next.IsZero() || e.at.Before(next)) {
				next = e.at
			}
		}
		if next.IsZero() {
			if _, ok := q.due(time.Unix(1e9, 0)); ok {
				t.Fatal("something is due that never expires")
			}
			continue
		}
		if _, ok := q.due(next.Add(-1)); ok {
			t.Fatal("due too early")
		}
		if e, ok := q.due(next); !ok || !e.at.Equal(next) {
			t.Fatalf("due %v, %v, want %v", e.at, ok, next)
		}
	}
}

func BenchmarkSessions(b *testing.B) {
	ctx := b.Context()
	m := NewMemorySessions(MaxEntries(1 << 30))
	var batch []Activity
	for i := range 100_000 {
		s, err := m.Create(ctx, Session{Identity: Identity{ID: fmt.Sprint("u", i%10_000)}})
		if err != nil {
			b.Fatal(err)
		}
		if i < 1000 {
			batch = append(batch, Activity{ID: s.ID})
		}
	}
	b.Run("create and delete", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s, err := m.Create(ctx, Session{Identity: Identity{ID: "ada"}})
			if err != nil {
				b.Fatal(err)
			}
			_ = m.Delete(ctx, s.ID)
		}
	})
	b.Run("touch 1000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for i := range batch {
				batch[i].At = time.Now()
			}
			if ended, err := m.Touch(ctx, batch); err != nil || len(ended) > 0 {
				b.Fatal(ended, err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.Get(ctx, batch[0].ID); err != nil {
				b.Fatal(err)
			}
		}
	})
}
