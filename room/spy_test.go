package room_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/room"
)

// spyStore counts the calls of a store and comes between them.
type spyStore struct {
	room.Store
	calls     atomic.Int64
	fail      atomic.Pointer[string] // the name of a method that fails
	admitted  func(room.Seat)        // after Admit; may be nil, like those below
	dismissed func(room.Seat, bool)  // after Dismiss
	deleted   func(name string)      // after Delete
}

func (s *spyStore) failing(method string) bool {
	m := s.fail.Load()
	return m != nil && *m == method
}

// breakDown makes a method fail, none for "".
func (s *spyStore) breakDown(method string) { s.fail.Store(&method) }

// spyBroker comes between the calls of a broker.
type spyBroker struct {
	room.Broker
	fail atomic.Pointer[string] // the name of a method that fails
	// publish is called before Publish, and makes it fail; may be nil.
	publish func(room.Message) error
}

// breakDown makes a method fail, none for "".
func (b *spyBroker) breakDown(method string) { b.fail.Store(&method) }

func (b *spyBroker) failing(method string) bool {
	m := b.fail.Load()
	return m != nil && *m == method
}

func (b *spyBroker) Publish(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
	if b.failing("Publish") {
		return room.Receipt{}, room.ErrUnavailable
	}
	if b.publish != nil {
		if err := b.publish(m); err != nil {
			return room.Receipt{}, err
		}
	}
	return b.Broker.Publish(ctx, m, keep)
}

func (b *spyBroker) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	if b.failing("Subscribe") {
		return room.Position{}, nil, room.ErrUnavailable
	}
	return b.Broker.Subscribe(ctx, name, deliver)
}

func (b *spyBroker) Replay(ctx context.Context, name string, ask room.Range) (room.Page, error) {
	if b.failing("Replay") {
		return room.Page{}, room.ErrUnavailable
	}
	return b.Broker.Replay(ctx, name, ask)
}

func (s *spyStore) Create(ctx context.Context, rec room.Record) (room.Record, error) {
	s.calls.Add(1)
	return s.Store.Create(ctx, rec)
}

func (s *spyStore) Record(ctx context.Context, name string) (room.Record, error) {
	s.calls.Add(1)
	return s.Store.Record(ctx, name)
}

func (s *spyStore) Update(ctx context.Context, rec room.Record) (room.Record, error) {
	s.calls.Add(1)
	return s.Store.Update(ctx, rec)
}

func (s *spyStore) Delete(ctx context.Context, name string) error {
	s.calls.Add(1)
	err := s.Store.Delete(ctx, name)
	if s.deleted != nil {
		s.deleted(name)
	}
	return err
}

func (s *spyStore) Admit(ctx context.Context, seat room.Seat, version int64, most int) (room.Admission, error) {
	s.calls.Add(1)
	in, err := s.Store.Admit(ctx, seat, version, most)
	if s.admitted != nil {
		s.admitted(seat)
	}
	if s.failing("Admit") {
		return room.Admission{}, room.ErrUnavailable // done, and not known
	}
	return in, err
}

func (s *spyStore) Sanction(ctx context.Context, name, user string, kind room.Sanction, until time.Time) error {
	s.calls.Add(1)
	return s.Store.Sanction(ctx, name, user, kind, until)
}

func (s *spyStore) Lift(ctx context.Context, name, user string, kind room.Sanction) error {
	s.calls.Add(1)
	return s.Store.Lift(ctx, name, user, kind)
}

func (s *spyStore) Dismiss(ctx context.Context, seat room.Seat) (bool, error) {
	s.calls.Add(1)
	if s.failing("Dismiss") {
		return false, room.ErrUnavailable
	}
	last, err := s.Store.Dismiss(ctx, seat)
	if s.dismissed != nil {
		s.dismissed(seat, last)
	}
	return last, err
}

func (s *spyStore) Members(ctx context.Context, name, after string, limit int) ([]room.Member, bool, error) {
	s.calls.Add(1)
	return s.Store.Members(ctx, name, after, limit)
}
