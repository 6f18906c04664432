package room_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
)

type frailCounter struct {
	*limit.MemoryCounter
	*frailty
}

func (c frailCounter) Take(ctx context.Context, key, id string, most int, ttl time.Duration) (bool, error) {
	if err := c.try(ctx); err != nil {
		return false, err
	}
	return c.MemoryCounter.Take(ctx, key, id, most, ttl)
}

func (c frailCounter) Renew(ctx context.Context, leases []limit.Lease, ttl time.Duration) error {
	if err := c.try(ctx); err != nil {
		return err
	}
	return c.MemoryCounter.Renew(ctx, leases, ttl)
}

func (c frailCounter) Drop(ctx context.Context, key, id string) error {
	if err := c.try(ctx); err != nil {
		return err
	}
	return c.MemoryCounter.Drop(ctx, key, id)
}

// counted are two nodes with one counter.
func counted(t *testing.T, perUser, perIP int) (a, b *host, f *frailty) {
	f = new(frailty)
	opts := room.Options(
		house(), room.WithSessions(auth.NewMemorySessions()), room.AllowFirstMessageToken(),
		room.WithCounter(frailCounter{limit.NewMemoryCounter(), f}),
		limits(func(l *room.Limits) { l.ConnectionsPerUser, l.ConnectionsPerIP = perUser, perIP }),
	)
	return servePipes(t, opts), servePipes(t, opts), f
}

func (h *host) tooMany(token string) {
	h.t.Helper()
	if _, status, _, body := h.handshake(upgrade("Authorization: Bearer " + token)...); status != http.StatusTooManyRequests {
		h.t.Errorf("one more of %s: %d %s", token, status, body)
	}
}

// A user has so many connections on all nodes together, and so has an address.
func TestConnectionsAcrossNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := counted(t, 2, 4)
		first := a.connect("ada")
		b.connect("ada")
		a.tooMany("ada")
		b.tooMany("ada")
		late := b.anonymous()
		late.send(`{"type":"auth","ref":1,"token":"ada"}`)
		if f := late.expect("reply"); f.Error == nil || f.Error.Code != "too_many_connections" {
			t.Errorf("got %s", f)
		}
		late.expectClose(4104)
		late.hangUp()
		synctest.Wait()
		a.connect("bob")
		b.connect("bob")
		a.tooMany("cyd")
		b.tooMany("cyd")
		first.bye()
		synctest.Wait()
		b.connect("cyd")
		a.tooMany("dot")
	})
}

// Whoever stays is counted as long, and whoever has gone is not.
func TestCountsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := counted(t, 1, 100)
		ada := a.connect("ada")
		ada.pass(10 * time.Minute)
		b.tooMany("ada")
		ada.bye()
		synctest.Wait()
		b.connect("ada")
	})
}

// While the counter is away each node counts for itself; what came meanwhile is
// counted when it is back.
func TestCounterIsAway(t *testing.T) {
	for name, mode := range map[string]int32{"fails": fails, "hangs": hangs} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, f := counted(t, 2, 100)
				f.become(mode)
				began := time.Now()
				ada := a.connect("ada")
				a.connect("ada")
				a.tooMany("ada")
				other := b.connect("ada")
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("it took %v", took)
				}
				unwell(a, "counter", began)
				f.become(well)
				ada.pass(10 * time.Second)
				if !a.srv.Health().OK() {
					t.Errorf("%+v", a.srv.Health())
				}
				b.tooMany("ada")
				other.bye()
				synctest.Wait()
				b.tooMany("ada") // the two on the first node
				ada.bye()
				synctest.Wait()
				b.connect("ada")
			})
		})
	}
}

// slowRenewal is a counter whose renewals wait.
type slowRenewal struct {
	*limit.MemoryCounter
	renewing chan []limit.Lease // what is about to be renewed
	goOn     chan struct{}
}

func (c *slowRenewal) Renew(ctx context.Context, leases []limit.Lease, ttl time.Duration) error {
	select {
	case c.renewing <- leases:
		<-c.goOn
	case <-ctx.Done():
	}
	return c.MemoryCounter.Renew(ctx, leases, ttl)
}

// Who is refused while what the node has is renewed is not counted for that.
func TestRefusedWhileRenewing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := limit.NewMemoryCounter()
		slow := &slowRenewal{MemoryCounter: shared, renewing: make(chan []limit.Lease), goOn: make(chan struct{})}
		opts := room.Options(
			house(), room.WithSessions(auth.NewMemorySessions()), room.AllowFirstMessageToken(),
			limits(func(l *room.Limits) { l.ConnectionsPerUser, l.PresenceBeat = 1, time.Second }),
		)
		var found []limit.Lease
		a := servePipes(t, opts, room.WithCounter(slow), room.OnConnect(func(context.Context, *room.Conn, *http.Request) error {
			found = <-slow.renewing
			return &room.Error{Code: room.CodeForbidden}
		}))
		b := servePipes(t, opts, room.WithCounter(shared))
		ada := a.anonymous()
		ada.send(`{"type":"auth","ref":1,"token":"ada"}`)
		if f := ada.expect("reply"); f.Error == nil || f.Error.Code != "forbidden" {
			t.Errorf("got %s", f)
		}
		ada.expectClose(4003)
		ada.hangUp()
		synctest.Wait()
		if len(found) != 2 {
			t.Fatalf("renewed was %v, want the address and the user", found)
		}
		close(slow.goOn)
		synctest.Wait()
		b.connect("ada")
	})
}
