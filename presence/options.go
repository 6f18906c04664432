package presence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Options configure a [Tracker]. Where a zero value has no meaning of its own
// it stands for the default.
type Options struct {
	// Node is the node's name, for people to read; it may be empty. What tells
	// nodes apart is drawn at random, anew in every process: one that restarts
	// under its old name does not keep the connections of its predecessor alive.
	Node string

	// Beat is how often the node renews its lease. Default 30 s.
	Beat time.Duration
	// Timeout is how long after its last beat a node counts as dead, and its
	// connections are removed. Default 90 s. It must be greater than Beat.
	Timeout time.Duration
	// Check is how often, at least, the node looks for others that are dead. It
	// also does at the moment when it expects one to be. Default 30 s.
	Check time.Duration
	// Sweep is how often the node makes sure that the store has everything that
	// was written to it, with one call for each room that it has connections in.
	// Default 300 s. [Tracker.Sweep] does it at once, and more thoroughly.
	Sweep time.Duration

	// Grace is how long a connection that broke off is kept for. Default 10 s;
	// negative: not at all.
	Grace time.Duration
	// AwayAfter is after how long without [Conn.Active] a connection that is
	// Online is shown as Away. Zero: never.
	AwayAfter time.Duration

	// LargeRoom is from how many users on the changes in a room are written and
	// announced together, at most once in Window. Default 256; negative: never.
	LargeRoom int
	// Window is for how long changes in a large room are gathered. Those that
	// cancel out are neither written nor announced. Default 500 ms.
	Window time.Duration

	// MaxMeta is how many bytes of meta are taken. Default 4,096.
	MaxMeta int
	// StoreTimeout is the deadline of a call of the store. Default 2 s.
	StoreTimeout time.Duration
	// NotifyTimeout is the deadline of the context of Notify. Default 5 s.
	NotifyTimeout time.Duration
	// Parallel is for how many rooms at a time the store and Notify are called.
	// Default 16.
	Parallel int

	// Notify is told of events, as a list of one or more in one room. It is
	// required. For one room it is called by one goroutine at a time and in the
	// order of what has happened; for different rooms it is called concurrently.
	//
	// It returns how many events, from the first on, are dealt with. When these
	// are not all, whether there is an error or not, it is called again for the
	// others, after a pause that grows up to 5 s; until then no later changes of
	// that room are written or announced. If it panics the events are logged as
	// lost.
	//
	// The slice is Notify's. The context ends after NotifyTimeout, or when Close
	// gives up. Notify may call Active, List and Get, but no method that waits
	// (see Tracker): it might wait for itself.
	Notify func(ctx context.Context, events []Event) (n int, err error)

	// Logger is told when the store or Notify begins to fail, and when that is
	// over. Default: nowhere.
	Logger *slog.Logger
}

// longestPause is the longest pause before something that failed is tried again.
const longestPause = 5 * time.Second

// withDefaults returns o with its defaults filled in, or what is wrong with it.
func (o Options) withDefaults() (Options, error) {
	if o.Notify == nil {
		return o, errors.New("presence: Options.Notify is nil")
	}
	for _, d := range []struct {
		name     string
		value    *time.Duration
		fallback time.Duration
	}{
		{"Beat", &o.Beat, 30 * time.Second},
		{"Timeout", &o.Timeout, 90 * time.Second},
		{"Check", &o.Check, 30 * time.Second},
		{"Sweep", &o.Sweep, 300 * time.Second},
		{"Window", &o.Window, 500 * time.Millisecond},
		{"StoreTimeout", &o.StoreTimeout, 2 * time.Second},
		{"NotifyTimeout", &o.NotifyTimeout, 5 * time.Second},
		{"AwayAfter", &o.AwayAfter, 0},
	} {
		if *d.value < 0 {
			return o, fmt.Errorf("presence: Options.%s is negative: %v", d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	if o.Timeout <= o.Beat {
		return o, fmt.Errorf("presence: Options.Timeout (%v) must be greater than Beat (%v)", o.Timeout, o.Beat)
	}
	for _, n := range []struct {
		name     string
		value    *int
		fallback int
	}{
		{"MaxMeta", &o.MaxMeta, 4096},
		{"Parallel", &o.Parallel, 16},
	} {
		if *n.value < 0 {
			return o, fmt.Errorf("presence: Options.%s is negative: %d", n.name, *n.value)
		}
		if *n.value == 0 {
			*n.value = n.fallback
		}
	}
	if o.LargeRoom == 0 {
		o.LargeRoom = 256
	}
	switch {
	case o.Grace == 0:
		o.Grace = 10 * time.Second
	case o.Grace < 0:
		o.Grace = 0
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}
