package room_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/room"
)

// emptied are sessions that come between a Create and its caller.
type emptied struct {
	auth.SessionStore
	created atomic.Pointer[func()]
}

func (s *emptied) Create(ctx context.Context, session auth.Session) (auth.Session, error) {
	session, err := s.SessionStore.Create(ctx, session)
	if f := s.created.Load(); f != nil {
		(*f)()
	}
	return session, err
}

// drop loses the user's sessions, as a store does that was emptied.
func (s *emptied) drop(t *testing.T, user string) {
	t.Helper()
	list, err := s.List(t.Context(), user, 100)
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	for _, session := range list {
		if err := s.Delete(t.Context(), session.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// A session that is made anew, because the store has lost it, for a connection
// that has gone meanwhile lives no longer than any other.
func TestSessionMadeAnewForWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions := &emptied{SessionStore: auth.NewMemorySessions()}
		h := servePipes(t, house(), room.WithSessions(sessions))
		ada, bob := h.connect("ada"), h.connect("bob")
		sessions.drop(t, "ada")
		var again atomic.Bool
		meanwhile := func() {
			again.Store(true)
			ada.bye()
			time.Sleep(time.Second)
		}
		sessions.created.Store(&meanwhile)
		bob.pass(lostWithin)
		sessions.created.Store(nil)
		if !again.Load() {
			t.Fatal("no session was made anew")
		}
		bob.pass(lostWithin)
		if list, err := sessions.List(t.Context(), "ada", 100); err != nil || len(list) > 0 {
			t.Errorf("Ada has gone and has %v, %v", list, err)
		}
	})
}

// A connection has one session, however many find at once that the store has
// lost it.
func TestSessionMadeAnewOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions := &emptied{SessionStore: auth.NewMemorySessions()}
		h := servePipes(t, house(), room.WithSessions(sessions))
		ada := h.connect("ada")
		sessions.drop(t, "ada")
		var done atomic.Bool
		meanwhile := func() {
			if done.Swap(true) {
				return
			}
			// One of Ada's, which she has no more, is revoked: her others are
			// looked at.
			if err := h.srv.User("ada").RevokeSession(t.Context(), "gone"); err != nil {
				t.Error(err)
			}
		}
		sessions.created.Store(&meanwhile)
		ada.pass(lostWithin)
		if list, err := sessions.List(t.Context(), "ada", 100); err != nil || len(list) != 1 {
			t.Errorf("%d sessions of one connection, %v", len(list), err)
		}
		ada.bye()
		time.Sleep(time.Minute)
		if list, err := sessions.List(t.Context(), "ada", 100); err != nil || len(list) > 0 {
			t.Errorf("Ada has gone and has %v, %v", list, err)
		}
	})
}

// A session that is revoked while it is made anew keeps nobody in.
func TestSessionMadeAnewIsRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions := &emptied{SessionStore: auth.NewMemorySessions()}
		h := servePipes(t, house(), room.WithSessions(sessions))
		ada := h.connect("ada")
		sessions.drop(t, "ada")
		var revoked atomic.Pointer[time.Time]
		meanwhile := func() {
			if now := time.Now(); !revoked.CompareAndSwap(nil, &now) {
				return
			}
			list, err := sessions.List(t.Context(), "ada", 100)
			if err != nil || len(list) != 1 {
				t.Error(list, err)
				return
			}
			if err := h.srv.User("ada").RevokeSession(t.Context(), list[0].ID); err != nil {
				t.Error(err)
			}
		}
		sessions.created.Store(&meanwhile)
		ada.closedWithin(lostWithin)
		if took := time.Since(*revoked.Load()); took > time.Second {
			t.Errorf("closed after %v", took)
		}
	})
}

// A session that could not be released when its connection went is released when
// the store is back, and does not live for a day.
func TestSessionIsReleasedLater(t *testing.T) {
	for name, mode := range map[string]int32{"fails": fails, "hangs": hangs, "panics": panics} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var f frailty
				sessions := auth.NewMemorySessions()
				h := servePipes(t, house(), room.WithSessions(frailSessions{sessions, &f}))
				bob := h.connect("bob")
				for range 3 {
					ada := h.connect("ada")
					f.become(mode)
					ada.bye()
					bob.pass(5 * time.Second)
					f.become(well)
				}
				bob.pass(lostWithin)
				if list, err := sessions.List(t.Context(), "ada", 100); err != nil || len(list) > 0 {
					t.Errorf("Ada has gone and has %d sessions, %v", len(list), err)
				}
				if list, err := sessions.List(t.Context(), "bob", 100); err != nil || len(list) != 1 {
					t.Errorf("Bob is there and has %d sessions, %v", len(list), err)
				}
			})
		})
	}
}
