package roomtest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/wardroom/wardroom/room"
)

// PublishAll is a loop, with a bug.
func (b *mutantBroker) PublishAll(ctx context.Context, list []room.Publication) []room.Result {
	if b.has("lists are the broker's") {
		results := make([]room.Result, len(list))
		for i, p := range list {
			results[i].Receipt, results[i].Err = b.Publish(ctx, p.Message, p.Keep)
			list[i].Message.Data = nil
		}
		go b.again(list)
		return results
	}
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	if b.has("lists begin at the end") {
		slices.Reverse(order)
	}
	results := make([]room.Result, len(list))
	publish := func(i int) {
		p := list[i]
		switch {
		case b.has("lists have one retention"):
			p.Keep = list[0].Keep
		case b.has("lists have one room"):
			p.Message.Room = list[0].Message.Room
		}
		results[i].Receipt, results[i].Err = b.Publish(ctx, p.Message, p.Keep)
	}
	if b.has("lists are done at once") {
		var wg sync.WaitGroup
		for i := range list {
			wg.Go(func() { b.lag(i); publish(i) })
		}
		wg.Wait()
		return results
	}
	for _, i := range order {
		publish(i)
		if b.has("lists end with a duplicate") && results[i].Receipt.Duplicate {
			for ; i < len(list); i++ {
				results[i] = results[order[0]]
			}
			break
		}
	}
	switch {
	case b.has("lists are answered in brief"):
		return slices.CompactFunc(results, func(x, y room.Result) bool { return x.Receipt.Position == y.Receipt.Position })
	case b.has("lists are answered with the last receipt"):
		for i := range results {
			results[i] = results[len(results)-1]
		}
	}
	return results
}

// lag is shorter for what comes later.
func (b *mutantBroker) lag(i int) { time.Sleep(time.Duration(200-i) * time.Microsecond) }

// again publishes what the caller may have changed.
func (b *mutantBroker) again(list []room.Publication) {
	for _, p := range list[:1] {
		_, _ = b.Publish(context.Background(), p.Message, room.Retention{})
	}
}

func (b *mutantBroker) Follow(ctx context.Context, name string, deliver func(room.Message), delivered func()) (room.Position, func(), error) {
	at, cancel, err := b.Subscribe(ctx, name, func(m room.Message) {
		switch {
		case b.has("says delivered before"):
			delivered()
			deliver(m)
			return
		case b.has("says delivered meanwhile"):
			go delivered()
			deliver(m)
			return
		}
		deliver(m)
		if !b.has("never says delivered") {
			delivered()
		}
	})
	if b.has("says delivered in the end") {
		end := cancel
		cancel = func() { end(); go delivered() }
	}
	if b.has("followers begin anew") {
		at.Offset = 0
	}
	return at, cancel, err
}

func allBrokerMutants() []mutant { return slices.Concat(brokerMutants, togetherMutants) }

// togetherMutants are those of a BatchBroker.
var togetherMutants = []mutant{
	{bug: "lists are the broker's", by: "together"},
	{bug: "lists begin at the end", by: "together", real: true},
	{bug: "lists have one retention", by: "together"},
	{bug: "lists have one room", by: "together"},
	{bug: "lists end with a duplicate", by: "together"},
	{bug: "lists are answered in brief", by: "together"},
	{bug: "lists are answered with the last receipt", by: "together", real: true},
	{bug: "lists are done at once", by: "together, own order", real: true},
	{bug: "says delivered before", by: "follow", real: true},
	{bug: "says delivered meanwhile", by: "follow"},
	{bug: "never says delivered", by: "follow"},
	{bug: "says delivered in the end", by: "follow"},
	{bug: "followers begin anew", by: "follow"},
}
