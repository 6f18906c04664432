package authtest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wardroom/wardroom/auth"
)

func lists(s *sessions) {
	var want []string
	for range 5 {
		want = append(want, s.create(ada()).ID)
		time.Sleep(s.slack) // a store may round what it orders by
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 3, 5, 100} {
		var got []string
		for _, session := range s.list("ada", limit) {
			got = append(got, session.ID)
		}
		if !slices.Equal(got, want[:min(limit, 5)]) {
			s.Errorf("with limit %d: %q, want %q", limit, got, want[:min(limit, 5)])
		}
	}
}

func usersDoNotMix(s *sessions) {
	users := []string{"a", "a:b", "a|b", "ab", "A", "a.", "a:"}
	ids := make(map[string]string)
	for _, user := range users {
		ids[user] = s.create(identity(user, "token")).ID
	}
	for _, user := range users {
		s.lists(user, ids[user])
	}
	s.revoke(auth.Revocation{User: "a", TokenID: "token", Until: s.in(10)})
	s.revoke(auth.Revocation{User: "a", IssuedBefore: s.in(1), Until: s.in(10)})
	for _, user := range users[1:] {
		s.is(ids[user], nil)
		s.refuses(identity(user, "token"), false)
		s.lists(user, ids[user])
	}
	s.is(ids["a"], auth.ErrRevoked)
}

func copies(s *sessions) {
	rooms := []string{"mine"}
	session, err := s.createSession(auth.Session{Identity: ada(), Rooms: rooms})
	if err != nil {
		s.Fatal(err)
	}
	check := func(after, want string) {
		s.Helper()
		for from, got := range map[string]auth.Session{"Get": s.get(session.ID), "List": s.list("ada", 1)[0]} {
			if !slices.Equal(got.Rooms, []string{want}) {
				s.Errorf("after a change to what %s: %s gives %q", after, from, got.Rooms)
			}
			got.Rooms[0] = from
		}
	}
	rooms[0] = "theirs"
	check("Create got", "mine")
	session.Rooms[0] = "theirs"
	check("Create gave", "mine")
	check("Get and List gave", "mine")
	rooms = []string{"touched"}
	s.touch(auth.Activity{ID: session.ID, At: time.Now(), Rooms: rooms})
	rooms[0] = "theirs"
	check("Touch got", "touched")
	renewed, err := s.renew(session.ID, ada())
	if err != nil {
		s.Fatal(err)
	}
	renewed.Rooms[0] = "theirs"
	check("Renew gave", "touched")
}

func manyAtOnce(s *sessions) {
	shared := s.create(identity("ada", "shared"))
	var running sync.WaitGroup
	var mu sync.Mutex // protects kept
	var kept []string
	for g := range 8 {
		running.Go(func() {
			user := fmt.Sprint("user-", g%4)
			for i := range 10 {
				session, err := s.tryCreate(identity(user, fmt.Sprint(g, "-", i)))
				if err != nil {
					s.Errorf("Create: %v", err)
					return
				}
				if ended := s.touch(auth.Activity{ID: session.ID, At: time.Now()}, auth.Activity{ID: shared.ID, At: time.Now()}); len(ended) != 0 {
					s.Errorf("Touch: %v", ended)
				}
				if _, err := s.renew(shared.ID, identity("ada", fmt.Sprint(g))); err != nil {
					s.Errorf("Renew: %v", err)
				}
				if i%2 == 0 {
					s.drop(session.ID)
					continue
				}
				mu.Lock()
				kept = append(kept, session.ID)
				mu.Unlock()
			}
		})
	}
	running.Wait()
	total := 0
	for u := range 4 {
		for _, session := range s.list(fmt.Sprint("user-", u), 100) {
			total++
			if !slices.Contains(kept, session.ID) {
				s.Errorf("session %s is listed and was deleted", session.ID)
			}
		}
	}
	if total != len(kept) {
		s.Errorf("%d sessions are listed, %d were kept", total, len(kept))
	}
	s.lists("ada", shared.ID)
}
