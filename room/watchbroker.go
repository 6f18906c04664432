package room

import "context"

// watchedBroker is a broker that is not in this process.
type watchedBroker struct {
	Broker
	w *watch
}

func (s *watchedBroker) Publish(ctx context.Context, m Message, keep Retention) (r Receipt, err error) {
	ctx, c := s.w.begin(ctx)
	// What is not kept may have been handed to this node alone.
	c.says = keep.Messages > 0 || m.Kind != KindMessage
	defer c.end(&err)
	return s.Broker.Publish(ctx, m, keep)
}

func (s *watchedBroker) Amend(ctx context.Context, m Message, author string, keep Retention) (r Receipt, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Broker.Amend(ctx, m, author, keep)
}

func (s *watchedBroker) Subscribe(ctx context.Context, room string, deliver func(Message)) (at Position, cancel func(), err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Broker.Subscribe(ctx, room, deliver)
}

func (s *watchedBroker) Replay(ctx context.Context, room string, ask Range) (r Page, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Broker.Replay(ctx, room, ask)
}

func (s *watchedBroker) Forget(ctx context.Context, room string) (err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Broker.Forget(ctx, room)
}

// watchedBatches is what a [BatchBroker] has besides.
type watchedBatches struct {
	BatchBroker
	w *watch
}

// PublishAll has one deadline for all. It has failed where one of them has.
func (s *watchedBatches) PublishAll(ctx context.Context, list []Publication) (results []Result) {
	var err error
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	results = s.BatchBroker.PublishAll(ctx, list)
	for i := range results {
		if err = results[i].Err; err != nil {
			break
		}
	}
	return results
}

func (s *watchedBatches) Follow(ctx context.Context, room string, deliver func(Message), delivered func()) (at Position, cancel func(), err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.BatchBroker.Follow(ctx, room, deliver, delivered)
}
