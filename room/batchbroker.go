package room

import "context"

// Publication is what [BatchBroker.PublishAll] publishes: the arguments of one
// Publish.
type Publication struct {
	Message Message
	Keep    Retention
}

// Result is what one Publish returns.
type Result struct {
	Receipt Receipt
	Err     error
}

// BatchBroker is a [Broker] for which several messages at once cost less than
// one after the other. Where a server's broker is one, what a client says in one
// breath is published together, and what arrives together is written together.
//
// roomtest.TestBroker checks it with all else, where the broker has it.
type BatchBroker interface {
	Broker

	// PublishAll does what Publish with each of them does, and returns a result
	// for each at the same index. Messages of the same room take their places in
	// the order of the list, as if each had been published when the one before
	// it was done; what is in different rooms may be done at the same time. One
	// that fails does not stop the others.
	//
	// The context's deadline is for all of them together. The broker keeps each
	// Data, and nothing else: the list is the caller's again.
	PublishAll(ctx context.Context, list []Publication) []Result

	// Follow is Subscribe for who gathers what it is given: when deliver has
	// been called, once or several times in a row, delivered is called, at the
	// latest before anything is waited for. It may be called when there was
	// nothing. What Subscribe says about deliver holds for both of them
	// together.
	Follow(ctx context.Context, room string, deliver func(Message), delivered func()) (at Position, cancel func(), err error)
}
