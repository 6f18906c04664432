package redisroom

import (
	"context"
	"fmt"
	"sync"

	"github.com/wardroom/wardroom/room"
)

// place is where a room is.
type place struct {
	gen  string
	seq  uint64
	at   room.Position
	root string // the first generation since nothing was known of the room
}

// Subscribe implements [room.Broker].
func (b *Broker) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	return b.Follow(ctx, name, deliver, nil)
}

// Follow implements [room.BatchBroker]. What arrived together, as far as it is
// known by then, is one lot.
func (b *Broker) Follow(ctx context.Context, name string, deliver func(room.Message), delivered func()) (room.Position, func(), error) {
	k := b.keysOf(name)
	if !b.ready() || b.lane(k).health.down() {
		return room.Position{}, nil, errDown
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.timeout)
	defer cancel()
	f, err := b.open(k)
	if err != nil {
		return room.Position{}, nil, err
	}
	s := &subscriber{deliver: deliver, delivered: delivered}
	at, err := f.subscribe(ctx, s)
	if err != nil {
		b.release(f)
		return room.Position{}, nil, err
	}
	var once sync.Once
	return at, func() {
		f.detach(s)
		once.Do(func() { b.release(f) })
	}, nil
}

func (f *feed) subscribe(ctx context.Context, s *subscriber) (room.Position, error) {
	var wait <-chan struct{} = f.ready
	for {
		select {
		case <-wait:
		case <-ctx.Done():
			return room.Position{}, fmt.Errorf("%w: redis: %w", room.ErrUnavailable, ctx.Err())
		case <-f.b.ctx.Done():
			return room.Position{}, errClosed
		}
		p, err := f.b.place(ctx, f)
		if err != nil {
			return room.Position{}, err
		}
		var at room.Position
		if at, wait = f.attach(s, p); wait == nil {
			return at, nil
		}
	}
}

func (b *Broker) place(ctx context.Context, f *feed) (place, error) {
	reply, err := b.run(ctx, f.keys, positionScript, b.args(f, 0))
	if err != nil {
		return place{}, err
	}
	p, err := decodePlace(reply)
	if err != nil {
		return place{}, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return p, nil
}

// open returns the room's feed, made when there is none.
func (b *Broker) open(k *keys) (*feed, error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil, errClosed
	}
	f := b.feeds[k.channel]
	if f == nil {
		f = &feed{b: b, keys: k, ready: make(chan struct{}), feeder: b.feeders[k.hash%uint64(len(b.feeders))]}
		b.feeds[k.channel], b.rooms[k.room] = f, f
	}
	f.refs++
	fresh := f.refs == 1
	b.mu.Unlock()
	if fresh {
		b.lines.look(k.channel)
	}
	return f, nil
}

func (b *Broker) release(f *feed) {
	b.mu.Lock()
	f.refs--
	gone := f.refs == 0
	if gone {
		delete(b.feeds, f.keys.channel)
		delete(b.rooms, f.keys.room)
	}
	b.mu.Unlock()
	if gone {
		b.lines.look(f.keys.channel)
	}
}

func (b *Broker) feedOf(channel string) *feed {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.feeds[channel]
}
