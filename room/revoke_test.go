package room_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/room"
)

// closedWithin fails unless a connection is closed with 4004 in time.
func (v *visitor) closedWithin(d time.Duration) {
	v.t.Helper()
	began := time.Now()
	if f := await(v, "close"); f.status != 4004 {
		v.t.Errorf("got %s", f)
	}
	if took := time.Since(began); took > d {
		v.t.Errorf("closed after %v, want %v at most", took, d)
	}
}

// Whoever has the token of a session that is revoked is out with it, on every
// node, within a second.
func TestTokenOfRevokedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		people := &register{people: map[string]auth.Identity{"first": {ID: "first"}}}
		n, _ := wired(t, 3, room.WithAuthenticator(people))
		token := func(id string) string {
			return people.token(auth.Identity{ID: "ada", ExpiresAt: time.Now().Add(time.Hour), TokenID: id})
		}
		stolen := token("stolen")
		one, twin, far := n[1].connect(stolen), n[1].connect(stolen), n[2].connect(stolen)
		mine := n[2].connect(token("mine"))
		mine.pass(time.Second)
		list, err := n[0].srv.User("ada").Sessions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(list, func(s auth.Session) bool { return s.Identity.TokenID == "stolen" })
		if err := n[0].srv.User("ada").RevokeSession(t.Context(), list[i].ID); err != nil {
			t.Fatal(err)
		}
		for _, v := range []*visitor{one, twin, far} {
			v.closedWithin(0) // or the call would have returned too soon
		}
		mine.silent()
	})
}

// betweenSessions comes between a renewal and its caller.
type betweenSessions struct {
	auth.SessionStore
	renewed func()
}

func (s *betweenSessions) Renew(ctx context.Context, id string, identity auth.Identity) (auth.Session, error) {
	session, err := s.SessionStore.Renew(ctx, id, identity)
	s.renewed()
	return session, err
}

// A token that is revoked while it is taken for a renewal keeps nobody in.
func TestRevokedWhileRenewing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		people := new(register)
		sessions := &betweenSessions{SessionStore: auth.NewMemorySessions()}
		h := servePipes(t, house(), room.WithAuthenticator(people), room.WithSessions(sessions))
		ada := h.connect(people.token(auth.Identity{ID: "ada", TokenID: "old"}))
		sessions.renewed = func() {
			if err := h.srv.User("ada").RevokeToken(t.Context(), "new"); err != nil {
				t.Error(err)
			}
		}
		token := people.token(auth.Identity{ID: "ada", TokenID: "new"})
		ada.send(fmt.Sprintf(`{"type":"auth","ref":1,"token":%q}`, token))
		ada.closedWithin(time.Second)
	})
}

// partialSessions are kept in several places, one of which is away.
type partialSessions struct{ auth.SessionStore }

func (s *partialSessions) Touch(ctx context.Context, batch []auth.Activity) ([]auth.Ended, error) {
	ended, err := s.SessionStore.Touch(ctx, batch)
	return ended, errors.Join(err, auth.ErrUnavailable)
}

// A revocation that was not heard is found where it can be, though some sessions
// cannot be asked for.
func TestRevokedWhileSomeSessionsAreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		people := new(register)
		h := servePipes(t, shared(house(), room.WithAuthenticator(people)),
			room.WithBroker(&cut{Broker: room.NewMemoryBroker()}), room.WithSessions(&partialSessions{auth.NewMemorySessions()}))
		ada := h.connect(people.token(auth.Identity{ID: "ada", IssuedAt: time.Now()}))
		ada.pass(time.Second)
		if err := h.srv.User("ada").Revoke(t.Context()); err == nil {
			t.Error("nobody was told, and that is no error")
		}
		ada.closedWithin(lostWithin)
	})
}

// reluctant is a store that takes its time for what is not urgent.
type reluctant struct {
	*tether
	lag time.Duration
}

func (s *reluctant) DeleteEmpty(ctx context.Context, name string, before time.Time) (bool, error) {
	time.Sleep(s.lag)
	return s.tether.DeleteEmpty(ctx, name, before)
}

func (s *reluctant) Seats(ctx context.Context, node string, after room.Seat, _ int) ([]room.Seat, bool, error) {
	time.Sleep(s.lag)
	return s.tether.Seats(ctx, node, after, 1)
}

// Rooms that have become empty are removed at leisure, and a revocation that was
// not heard is found in time all the same.
func TestEmptyRoomsDelayNoRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		people := new(register)
		store := &reluctant{&tether{store: room.NewMemoryStore().(room.NodeStore)}, 100 * time.Millisecond}
		h := servePipes(t, shared(house(), room.WithAuthenticator(people)),
			room.WithBroker(&cut{Broker: room.NewMemoryBroker()}), room.WithStore(store),
			room.WithRooms("brief:*", room.Settings{Permission: room.Public, AllowCreate: true, KeepEmpty: time.Second}))
		ada := h.connect(people.token(auth.Identity{ID: "ada", IssuedAt: time.Now()}))
		for i := range 1000 {
			if _, err := h.srv.Room(fmt.Sprint("brief:", i)).Create(t.Context(), room.Record{}); err != nil {
				t.Fatal(err)
			}
		}
		ada.pass(31 * time.Second)
		_ = h.srv.User("ada").Revoke(t.Context())
		ada.closedWithin(lostWithin)
	})
}

// deaf is a broker that takes no subscriptions for a time.
type deaf struct {
	room.Broker
	refuse atomic.Bool
}

func (b *deaf) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	if b.refuse.Load() {
		return room.Position{}, nil, room.ErrUnavailable
	}
	return b.Broker.Subscribe(ctx, name, deliver)
}

// A server that does not hear the others yet is named as one that has not
// confirmed, by itself as well, and looks at once when it does.
func TestRevokedBeforeAnythingIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		people := new(register)
		broker := &deaf{Broker: room.NewMemoryBroker()}
		broker.refuse.Store(true)
		h := servePipes(t, shared(house(), room.WithAuthenticator(people)), room.WithBroker(broker), room.WithNode("deaf"))
		ada := h.connect(people.token(auth.Identity{ID: "ada", IssuedAt: time.Now()}))
		var missing *room.NodesError
		time.Sleep(time.Millisecond)
		if err := h.srv.User("ada").Revoke(t.Context()); !errors.As(err, &missing) || !slices.Equal(missing.Nodes, []string{"deaf"}) {
			t.Errorf("got %v", err)
		}
		broker.refuse.Store(false)
		ada.closedWithin(6 * time.Second)
	})
}

// When what servers say to each other was lost, the sessions are looked at, at
// once.
func TestRevocationIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		people, sessions := new(register), auth.NewMemorySessions()
		broker := &listened{Broker: room.NewMemoryBroker()}
		h := servePipes(t, house(), room.WithAuthenticator(people), room.WithBroker(broker), room.WithSessions(sessions))
		ada := h.connect(people.token(auth.Identity{ID: "ada", IssuedAt: time.Now()}))
		ada.pass(time.Second)
		if err := sessions.Revoke(t.Context(), auth.Revocation{User: "ada", IssuedBefore: time.Now()}); err != nil {
			t.Fatal(err)
		}
		(*broker.toAll.Load())(room.Message{Kind: room.KindLost, Room: "*control"})
		ada.closedWithin(time.Second)
	})
}

// listened knows who is told what servers say to all.
type listened struct {
	room.Broker
	toAll atomic.Pointer[func(room.Message)]
}

func (b *listened) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	if name == "*control" {
		b.toAll.Store(&deliver)
	}
	return b.Broker.Subscribe(ctx, name, deliver)
}

// A session that is another's is not the user's to take back.
func TestSessionOfAnother(t *testing.T) {
	n := nodes(t, 2)
	bob := n[0].connect("bob")
	list, err := n[1].srv.User("bob").Sessions(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if err := n[1].srv.User("ada").RevokeSession(t.Context(), list[0].ID); err != nil {
		t.Error(err)
	}
	if list, err = n[1].srv.User("bob").Sessions(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("bob's are %v, %v", list, err)
	}
	bob.silent()
}
