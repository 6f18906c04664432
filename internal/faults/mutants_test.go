package faults

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/room"
)

// TestOracle sees that nothing is found where nothing is wrong, and that each
// invariant is found broken where something breaks it. Those run at once, because
// mostly they wait; the sound one is alone, or the machine would be what the oracle
// finds.
func TestOracle(t *testing.T) {
	all := append([]mutant{{name: "sound", mutate: func(_ int, s stores) stores { return s }}}, mutants()...)
	oracles := make([]*oracle, len(all))
	oracles[0] = rehearse(t, all[0])
	if raceSlack == 0 { // else the machine has enough to do
		t.Parallel()
	}
	next := make(chan int)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for i := range next {
				oracles[i] = rehearse(t, all[i])
			}
		})
	}
	for i := range all[1:] {
		next <- i + 1
	}
	close(next)
	wg.Wait()
	for i, m := range all {
		t.Run(m.name, func(t *testing.T) {
			o := oracles[i]
			if m.breaks == "" {
				for _, d := range o.details {
					t.Error(d)
				}
				if t.Failed() {
					t.Logf("\n%s", o)
				}
				return
			}
			if o.violations(m.breaks, "") == 0 {
				t.Errorf("not found\n%s", o)
			}
		})
	}
	t.Logf("%d mutants found", len(all)-1)
}

// rehearsal is the plan of a short run.
var rehearsal = plan{guests: 12, halls: 2, lives: 1, every: 100 * time.Millisecond}

// rehearsed is how long a rehearsal waits for what has to come about.
const rehearsed = 3 * time.Second

// rehearse has a few guests on three nodes that share stores in memory, of
// which each node may have a mutant.
func rehearse(t *testing.T, m mutant) *oracle {
	o := newOracle(newSheet(m.name))
	o.pulse = newPulse()
	defer o.pulse.end()
	watch := &stopwatch{o: o.sheet, most: 250 * time.Millisecond, pulse: o.pulse}
	shared := memory()
	nodes, stop, err := openAll(logger(t), 3, func(i int) stores { return watch.timed(m.mutate(i, shared)) })
	if err != nil {
		t.Error(err)
		return o
	}
	defer watch.late.Wait()
	defer stop()
	counts := m.breaks == "" || m.breaks == miscounted
	play := rehearsal
	if counts {
		play.hoarder = "h"
	}
	c := gather(o, nodes, play, 1)
	defer c.leave()
	pause(t.Context(), 700*time.Millisecond)
	s := &storm{o: o, nodes: nodes, crowd: c, rng: rand.New(rand.NewPCG(1, 2)), on: nodes, within: 400 * time.Millisecond, countMost: rehearsed, churn: 1}
	s.do(step{name: "unrest", most: rehearsed, do: func(s *storm) {
		pause(t.Context(), 1200*time.Millisecond)
	}})
	s.turn = 2
	s.do(step{name: "more", most: rehearsed, do: func(s *storm) { pause(t.Context(), 100*time.Millisecond) }})
	from := time.Now()
	s.do(step{name: "rest", calm: true, most: rehearsed, do: func(s *storm) {
		pause(t.Context(), 2*time.Second)
		s.o.local(from, time.Now().Add(-time.Second), func(name string, node int) []string {
			return s.crowd.there(name, node, from)
		})
	}})
	if counts {
		s.do(s.census())
	}
	return o
}

type mutant struct {
	name   string
	breaks invariant
	mutate func(i int, s stores) stores
}

// mutants have one bug each.
func mutants() []mutant {
	broker := func(name string, breaks invariant, change func(room.Broker) room.Broker) mutant {
		return mutant{name, breaks, func(_ int, s stores) stores { s.broker = change(s.broker); return s }}
	}
	// One node alone hears something else than the others.
	deliver := func(name string, breaks invariant, change func(func(room.Message)) func(room.Message)) mutant {
		return mutant{name, breaks, func(i int, s stores) stores {
			if i == 0 {
				s.broker = delivering{s.broker, change}
			}
			return s
		}}
	}
	store := func(name string, breaks invariant, change func(room.Store) room.Store) mutant {
		return mutant{name, breaks, func(_ int, s stores) stores { s.store = change(s.store); return s }}
	}
	return []mutant{
		deliver("drops", gap, func(next func(room.Message)) func(room.Message) {
			return func(m room.Message) {
				if m.Kind != room.KindMessage || m.Offset%10 != 0 {
					next(m)
				}
			}
		}),
		deliver("goes deaf", gap, func(next func(room.Message)) func(room.Message) {
			return func(m room.Message) {
				if m.Offset < 20 {
					next(m)
				}
			}
		}),
		deliver("repeats", doubled, func(next func(room.Message)) func(room.Message) {
			return func(m room.Message) {
				if next(m); m.Kind == room.KindMessage && m.Offset%10 == 0 {
					next(m)
				}
			}
		}),
		deliver("swaps", disordered, func(next func(room.Message)) func(room.Message) {
			var held *room.Message
			return func(m room.Message) {
				if m.Kind == room.KindMessage && m.Offset%10 == 5 && held == nil {
					held = &m
					return
				}
				next(m)
				if held != nil {
					next(*held)
					held = nil
				}
			}
		}),
		deliver("numbers otherwise", disordered, func(next func(room.Message)) func(room.Message) {
			var held *room.Message
			return func(m room.Message) {
				if m.Kind == room.KindMessage && m.Offset%10 == 5 && held == nil {
					held = &m
					return
				}
				if held != nil {
					if m.Offset > held.Offset {
						held.Offset, m.Offset = m.Offset, held.Offset
					}
					next(m)
					m, held = *held, nil
				}
				next(m)
			}
		}),
		deliver("forgets the epoch", gap, func(next func(room.Message)) func(room.Message) {
			return func(m room.Message) {
				if m.Offset > 10 {
					m.Epoch = "other"
				}
				next(m)
			}
		}),
		broker("kicks another", late, func(b room.Broker) room.Broker {
			return saying{b, func(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
				if m.Kind == room.KindKicked || m.Kind == room.KindBanned {
					m.From = "other"
				}
				return b.Publish(ctx, m, keep)
			}}
		}),
		broker("revokes another", late, func(b room.Broker) room.Broker {
			return saying{b, func(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
				if m.Kind == room.KindRevoked {
					m.From = "other"
				}
				return b.Publish(ctx, m, keep)
			}}
		}),
		broker("loses", lost, func(b room.Broker) room.Broker {
			var n atomic.Int64
			return saying{b, func(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
				if keep.Messages > 0 && m.Kind == room.KindMessage && n.Add(1)%10 == 0 {
					return room.Receipt{Position: room.Position{Epoch: "e", Offset: uint64(n.Load())}, At: m.At}, nil
				}
				return b.Publish(ctx, m, keep)
			}}
		}),
		broker("stores twice", doubled, func(b room.Broker) room.Broker {
			var n atomic.Int64
			return saying{b, func(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
				if n.Add(1)%10 == 0 {
					bare := m
					bare.From = "" // whose ID this is
					if m.Kind == room.KindMessage {
						_, _ = b.Publish(ctx, bare, keep)
					}
				}
				return b.Publish(ctx, m, keep)
			}}
		}),
		broker("speaks backwards", disordered, func(b room.Broker) room.Broker { return backwards{b} }),
		broker("is down", unhealed, func(b room.Broker) room.Broker {
			return saying{b, func(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
				if keep.Messages > 0 {
					return room.Receipt{}, room.ErrUnavailable
				}
				return b.Publish(ctx, m, keep)
			}}
		}),
		broker("is down for what is not kept", mute, func(b room.Broker) room.Broker {
			return saying{b, func(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
				if keep.Messages == 0 && m.Kind == room.KindMessage {
					return room.Receipt{}, room.ErrUnavailable
				}
				return b.Publish(ctx, m, keep)
			}}
		}),
		broker("keeps quiet", mute, func(b room.Broker) room.Broker {
			return delivering{b, func(next func(room.Message)) func(room.Message) {
				return func(m room.Message) {
					if m.Kind != room.KindMessage || m.Offset != 0 {
						next(m)
					}
				}
			}}
		}),
		broker("hangs", overdue, func(b room.Broker) room.Broker {
			var n atomic.Int64
			return saying{b, func(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
				if n.Add(1)%40 == 0 {
					time.Sleep(2 * time.Second)
				}
				return b.Publish(ctx, m, keep)
			}}
		}),
		broker("replays nothing", refused, func(b room.Broker) room.Broker { return forgetful{b} }),
		store("keeps who has left", unequal, func(s room.Store) room.Store { return clinging{s} }),
		{"shows all as online", unequal, func(_ int, s stores) stores { s.presence = flattering{s.presence}; return s }},
		{"hides who is there", unequal, func(_ int, s stores) stores { s.presence = hiding{s.presence}; return s }},
		{"counts nobody", miscounted, func(_ int, s stores) stores { s.counter = limit.NewMemoryCounter(); return s }},
		{"counts who has gone", miscounted, func(_ int, s stores) stores { s.counter = remembering{s.counter}; return s }},
	}
}

type remembering struct{ limit.Counter }

func (c remembering) Drop(ctx context.Context, key, id string) error {
	return c.Renew(ctx, []limit.Lease{{Key: key, ID: id}}, time.Hour)
}

type delivering struct {
	room.Broker
	change func(func(room.Message)) func(room.Message)
}

func (b delivering) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	return b.Broker.Subscribe(ctx, name, b.change(deliver))
}

type saying struct {
	room.Broker
	publish func(context.Context, room.Message, room.Retention) (room.Receipt, error)
}

func (b saying) Publish(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
	return b.publish(ctx, m, keep)
}

// backwards publishes what comes together in the opposite order.
type backwards struct{ room.Broker }

func (b backwards) PublishAll(ctx context.Context, list []room.Publication) []room.Result {
	results := make([]room.Result, len(list))
	for i := len(list) - 1; i >= 0; i-- {
		results[i].Receipt, results[i].Err = b.Publish(ctx, list[i].Message, list[i].Keep)
	}
	return results
}

func (b backwards) Follow(ctx context.Context, name string, deliver func(room.Message), delivered func()) (room.Position, func(), error) {
	return b.Subscribe(ctx, name, func(m room.Message) { deliver(m); delivered() })
}

func (backwards) Health() error { return nil }

type forgetful struct{ room.Broker }

func (b forgetful) Replay(ctx context.Context, name string, r room.Range) (room.Page, error) {
	page, err := b.Broker.Replay(ctx, name, r)
	if r.Before != 0 {
		page.Messages = nil
	}
	return page, err
}

type clinging struct{ room.Store }

func (s clinging) Dismiss(context.Context, room.Seat) (bool, error) { return false, nil }

type flattering struct{ presence.Store }

func (s flattering) Update(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
	b.Changes = slices.Clone(b.Changes)
	for i := range b.Changes {
		b.Changes[i].Entry.Status = presence.Online
	}
	return s.Store.Update(ctx, b)
}

type hiding struct{ presence.Store }

func (s hiding) List(ctx context.Context, scope presence.Scope, after string, limit int) ([]presence.Record, bool, error) {
	list, more, err := s.Store.List(ctx, scope, after, limit)
	if len(list) > 1 {
		list = list[1:]
	}
	return list, more, err
}
