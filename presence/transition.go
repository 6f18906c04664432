package presence

import "slices"

// events are what others see of a flight that has landed.
func (t *Tracker) events(l *lane, f *flight, out *Outcome) []Event {
	var events []Event
	for i := range out.Transitions {
		tr := &out.Transitions[i]
		why := f.why(tr.User)
		before := tr.Before
		switch {
		case anyVisible(tr.After):
			if f.returned(tr, l.lost) {
				before = nil
			}
		case l.lost:
			before = append(slices.Clone(before), f.forgotten(tr)...)
		}
		events = appendEvents(events, before, tr.After, why, Event{
			Room:       l.scope.Room,
			User:       tr.User,
			Connection: why.connection,
			At:         f.batch.At,
			Revision:   out.Revision,
		})
	}
	return events
}

// A motive is what a batch did to a user.
type motive struct {
	connection string
	removed    bool
	reason     Reason // if removed
}

func (f *flight) why(user string) motive {
	var m motive
	named := false
	for i := range f.causes {
		ch := &f.batch.Changes[i]
		switch {
		case ch.Action == RemoveNode:
			if !named {
				m = motive{removed: true, reason: f.causes[i].reason}
			}
		case ch.Entry.User != user:
		case ch.Action == Remove || ch.Action == RemoveUser:
			m, named = motive{connection: ch.Entry.Connection, removed: true, reason: f.causes[i].reason}, true
		default:
			m.connection, named = ch.Entry.Connection, true
		}
	}
	return m
}

// forgotten are the entries that others still see, and that a flight removes or
// hides, but that the store did not have any more because it has lost its data.
func (f *flight) forgotten(tr *Transition) []Entry {
	var list []Entry
	for i := range f.causes {
		e := &f.batch.Changes[i].Entry
		s := f.causes[i].seat
		if s == nil || e.User != tr.User || !s.shown {
			continue
		}
		if !slices.ContainsFunc(tr.Before, func(other Entry) bool { return other.Connection == e.Connection && other.Status.visible() }) {
			gone := *e
			gone.Status = Online
			list = append(list, gone)
		}
	}
	return list
}

// returned reports whether a user had an entry, before a flight, that others have
// been told is gone: the store, gone back to older data, had it again. So of who
// came since they were not told. It is one that the flight removes with a node,
// and of which it knows nothing else, or if data was lost, one that was hidden.
func (f *flight) returned(tr *Transition, lost bool) bool {
	for i := range f.causes {
		ch, c := &f.batch.Changes[i], &f.causes[i]
		for j := range tr.Before {
			e := &tr.Before[j]
			switch {
			case !e.Status.visible():
			case ch.Action == RemoveNode:
				if !c.handed && e.Node == ch.Entry.Node && !f.removes(e) && !slices.ContainsFunc(tr.After, func(other Entry) bool { return other.Connection == e.Connection }) {
					return true
				}
			case lost && c.seat != nil && !c.seat.shown && e.User == ch.Entry.User && e.Connection == ch.Entry.Connection:
				return true
			}
		}
	}
	return false
}

// removes reports whether a flight is to remove an entry.
func (f *flight) removes(e *Entry) bool {
	return slices.ContainsFunc(f.batch.Changes, func(ch Change) bool {
		return ch.Entry.User == e.User && (ch.Action == RemoveUser || ch.Action == Remove && ch.Entry.Connection == e.Connection)
	})
}

// appendEvents appends to list what others see when a user who had the entries
// before has those after. What is common to all events is filled in.
func appendEvents(list []Event, before, after []Entry, why motive, e Event) []Event {
	was, is := merge(before), merge(after)
	seen, sees := was.Connections > 0, is.Connections > 0
	e.Name, e.Status, e.Meta = is.Name, is.Status, is.Meta
	switch {
	case sees && !seen:
		e.Kind = Joined
		list = append(list, e)
		if len(before) > 0 || is.Status != Online || len(is.Meta) > 0 {
			e.Kind = Updated
			list = append(list, e)
		}
	case sees && !was.looksLike(&is):
		e.Kind = Updated
		list = append(list, e)
	case seen && !sees && why.removed:
		// Also when an invisible connection stays, which is nobody's business.
		if why.reason == ReasonSilent {
			return list
		}
		e.Kind, e.Name, e.Reason = Left, was.Name, why.reason
		list = append(list, e)
	case seen && !sees:
		e.Kind, e.Name = Updated, was.Name
		list = append(list, e)
	}
	return list
}
