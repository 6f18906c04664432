package room_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/room"
)

// What a room becomes while a join waits for an epoch is in the reply: nobody
// hears of it who is in neither before nor after.
func TestPermissionChangesBeforeAnEpochIsHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newRestless()
		h := servePipes(t, house(), room.WithBroker(broker))
		ada, bob := h.in("ada", "hall"), h.connect("bob")
		ada.must("message", inRoom("hall"), saying("1"))
		broker.begin("two", 1)
		var done sync.WaitGroup
		done.Go(func() {
			time.Sleep(200 * time.Millisecond)
			time.AfterFunc(105*time.Millisecond, broker.tell)
			if _, err := h.srv.Room("hall").Update(context.Background(), func(rec *room.Record) {
				rec.Permission, rec.Invited = room.Private, []string{"ada", "bob"}
			}); err != nil {
				t.Error(err)
			}
		})
		r := bob.must("join", inRoom("hall"), sinceAt("one", 1))
		if !r.Recovered || r.Permission != "private" {
			t.Errorf("recovered %v, permission %s", r.Recovered, r.Permission)
		}
		done.Wait()
		bob.silent()
	})
}

// meddler does something while the hall is replayed for the first time.
type meddler struct {
	*restless
	once sync.Once
	// first is called before the log is read, and then after.
	first, then func()
}

func (b *meddler) Replay(ctx context.Context, name string, r room.Range) (page room.Page, err error) {
	b.once.Do(func() {
		b.first()
		page, err = b.restless.Replay(ctx, name, r)
		b.then()
		b.first = nil
	})
	if b.first == nil && page.Last == (room.Position{}) {
		return b.restless.Replay(ctx, name, r)
	}
	return page, err
}

// Who is banned while what they missed is read, in an epoch that this server has
// yet to hear of, gets nothing that was said after that.
func TestBannedWhileAnEpochIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &meddler{restless: newRestless()}
		h := servePipes(t, house(), room.WithBroker(broker))
		ada, bob := h.in("ada", "hall"), h.connect("bob")
		for range 3 {
			ada.must("message", inRoom("hall"), saying(`"before"`))
		}
		ada.pass(5 * time.Second) // the servers know each other
		broker.begin("two", 1)
		var done sync.WaitGroup
		broker.first = func() {
			done.Go(func() {
				if err := h.srv.Room("hall").Ban(context.Background(), "bob", time.Time{}, ""); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(10 * time.Millisecond)
			if _, err := h.srv.Room("hall").Publish(context.Background(), "message", "secret"); err != nil {
				t.Error(err)
			}
		}
		broker.then = func() {
			broker.tell()
			time.Sleep(10 * time.Millisecond)
		}
		if r := bob.must("join", inRoom("hall"), sinceAt("one", 1)); r.Recovered || len(r.Messages) > 0 {
			t.Errorf("recovered %v with %v", r.Recovered, datas(r.Messages))
		}
		if f := bob.expect("removed"); f.Code != "banned" {
			t.Errorf("got %s", f)
		}
		done.Wait()
		bob.silent()
	})
}

// A server that hears at once of two epochs that followed each other knows no
// less than one that heard of the first before.
func TestRejoinTwoEpochsLater(t *testing.T) {
	for name, since := range map[string]uint64{"behind": 1, "ahead": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broker := newRestless()
				h := servePipes(t, house(), room.WithBroker(broker))
				ada, bob := h.in("ada", "hall"), h.connect("bob")
				ada.must("message", inRoom("hall"), saying("1"))
				broker.begin("two", 1)
				ada.must("message", inRoom("hall"), saying("2"))
				ada.must("message", inRoom("hall"), saying("3"))
				time.AfterFunc(305*time.Millisecond, func() {
					broker.begin("three", 3)
					broker.mu.Lock()
					first := &broker.queue[0]
					first.Epoch, broker.queue = "three", broker.queue[:len(broker.queue)-1]
					for i := range broker.queue {
						broker.queue[i].Epoch = "three"
					}
					broker.mu.Unlock()
					broker.tell()
				})
				epoch := map[uint64]string{1: "one", 2: "two"}[since]
				r := bob.must("join", inRoom("hall"), sinceAt(epoch, since))
				want := []string{"2", "3"}[since-1:]
				if !r.Recovered || r.Epoch != "three" || r.Offset != 3 || !slices.Equal(datas(r.Messages), want) {
					t.Errorf("recovered %v at %s %d with %v, want %v", r.Recovered, r.Epoch, r.Offset, datas(r.Messages), want)
				}
				ada.must("message", inRoom("hall"), saying("4"))
				if f := bob.expect("message"); f.Epoch != "three" || f.Offset != 4 {
					t.Errorf("then came %s", f)
				}
				bob.silent()
			})
		})
	}
}

// interrupted is a broker that does something after the log was read, once.
type interrupted struct {
	room.Broker
	then func()
}

func (b *interrupted) Replay(ctx context.Context, name string, r room.Range) (room.Page, error) {
	page, err := b.Broker.Replay(ctx, name, r)
	if then := b.then; then != nil {
		b.then = nil
		then()
	}
	return page, err
}

// Where a page takes more than one look at the log, and another epoch has begun
// meanwhile, it is of that epoch alone.
func TestPageIsOfOneEpoch(t *testing.T) {
	for name, read := range map[string][]string{
		"history": {"history", `"limit":3`},
		"join":    {"join", `"last":3`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broker := &interrupted{Broker: room.NewMemoryBroker()}
				h := servePipes(t, house(), room.WithBroker(broker))
				ada := h.in("ada", "hall")
				for range 4 {
					ada.must("message", inRoom("hall"), saying(`"old"`))
				}
				ada.must("edit", inRoom("hall"), `"target":1`, saying(`"old"`))
				broker.then = func() {
					if err := broker.Forget(t.Context(), "hall"); err != nil {
						t.Error(err)
					}
					if _, err := h.srv.Room("hall").Publish(t.Context(), "message", "new"); err != nil {
						t.Error(err)
					}
				}
				r := ada.must(read[0], inRoom("hall"), read[1])
				if got := datas(r.Messages); !slices.Equal(got, []string{`"new"`}) || r.Messages[0].Epoch != r.Epoch {
					t.Errorf("got %s", r.raw)
				}
			})
		})
	}
}

// Who is kicked while their join waits for an epoch, when the others have been
// told that they are there, is kicked like anybody else.
func TestKickedBeforeAnEpochIsHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newRestless()
		h := servePipes(t, house(), room.WithBroker(broker))
		ada, bob := h.in("ada", "hall"), h.connect("bob")
		ada.must("message", inRoom("hall"), saying("1"))
		ada.expect("message")
		broker.begin("two", 1)
		var done sync.WaitGroup
		done.Go(func() {
			time.Sleep(200 * time.Millisecond)
			if m, err := h.srv.Room("hall").Presence(context.Background(), "bob"); err != nil || m.Status != presence.Online {
				t.Errorf("presence is %+v, %v", m, err)
			}
			time.AfterFunc(305*time.Millisecond, broker.tell)
			if err := h.srv.Room("hall").Kick(context.Background(), "bob", "out"); err != nil {
				t.Error(err)
			}
		})
		bob.must("join", inRoom("hall"), sinceAt("one", 1))
		if f := bob.expect("removed"); f.Code != "kicked" || f.Reason != "out" {
			t.Errorf("got %s", f)
		}
		done.Wait()
		ada.expect("user_joined")
		if f := ada.expect("user_left"); f.User != "bob" || f.Reason != "kicked" {
			t.Errorf("got %s", f)
		}
		bob.must("ping") // which is answered when the place has been given back
		if got := memberIDs(h, "hall"); !slices.Equal(got, []string{"ada"}) {
			t.Errorf("in the store are %v", got)
		}
		bob.must("join", inRoom("hall"))
	})
}
