package presence

import (
	"bytes"
	"time"
)

// A Member is a user in a room, merged from their connections.
type Member struct {
	User string
	Name string
	// Status is Offline for a user who is not there or not visible.
	Status Status
	// Meta is what was last set; nil if nothing was. Nobody modifies its bytes.
	Meta []byte
	// Since is when the oldest of the connections came.
	Since time.Time
	// Connections is how many connections there are.
	Connections int
	// Seen is when a user who is not visible any more last was. It is known for
	// presence everywhere, and the zero time when it is not.
	Seen time.Time
}

// merge returns what others see of a user with these connections. Without a
// visible one it is a Member with status Offline and no connections.
func merge(entries []Entry) Member {
	return mergeIf(entries, func(e *Entry) bool { return e.Status.visible() })
}

// mergeOwn returns what the user themselves see: as merge does when they are
// visible, and their invisible connections when they are not.
func mergeOwn(entries []Entry) Member {
	if m := merge(entries); m.Connections > 0 {
		return m
	}
	return mergeIf(entries, func(*Entry) bool { return true })
}

func mergeIf(entries []Entry, counts func(*Entry) bool) Member {
	m := Member{Status: Offline}
	var newest, latest *Entry // of the connections; of the metas
	for i := range entries {
		e := &entries[i]
		if !counts(e) {
			continue
		}
		m.Connections++
		m.User = e.User
		if e.Status == Online || m.Status == Offline {
			m.Status = e.Status
		}
		if m.Since.IsZero() || e.Since.Before(m.Since) {
			m.Since = e.Since
		}
		if newest == nil || later(e.Since, newest.Since, e, newest) {
			newest = e
		}
		if !e.MetaAt.IsZero() && (latest == nil || later(e.MetaAt, latest.MetaAt, e, latest)) {
			latest = e
		}
	}
	if newest != nil {
		m.Name = newest.Name
	}
	if latest != nil {
		m.Meta = latest.Meta
	}
	return m
}

// later orders by time, and where that is equal by connection, so that every
// node comes to the same result.
func later(a, b time.Time, ea, eb *Entry) bool {
	if a.Equal(b) {
		return ea.Connection > eb.Connection
	}
	return a.After(b)
}

// looksLike reports whether others would see no difference worth telling.
func (m *Member) looksLike(other *Member) bool {
	return m.Status == other.Status && bytes.Equal(m.Meta, other.Meta)
}
