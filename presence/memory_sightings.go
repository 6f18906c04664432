package presence

import "time"

// sightings are when users were last visible, a bounded number of them, in a
// list from the longest ago to the latest.
type sightings struct {
	users          map[string]*sighting
	oldest, newest *sighting
	most           int
	keep           time.Duration
}

type sighting struct {
	user       string
	at         time.Time
	prev, next *sighting
}

func (s *sightings) get(user string, now time.Time) time.Time {
	if p := s.users[user]; p != nil && now.Sub(p.at) < s.keep {
		return p.at
	}
	return time.Time{}
}

func (s *sightings) put(user string, at time.Time) {
	s.forget(user)
	if len(s.users) >= s.most {
		s.forget(s.oldest.user)
	}
	p := &sighting{user: user, at: at, prev: s.newest}
	if s.newest != nil {
		s.newest.next = p
	} else {
		s.oldest = p
	}
	s.newest = p
	s.users[user] = p
}

func (s *sightings) forget(user string) {
	p := s.users[user]
	if p == nil {
		return
	}
	delete(s.users, user)
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		s.oldest = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		s.newest = p.prev
	}
}

// tidy forgets a few of those that are too old.
func (s *sightings) tidy(now time.Time) {
	for range 4 {
		if s.oldest == nil || now.Sub(s.oldest.at) < s.keep {
			return
		}
		s.forget(s.oldest.user)
	}
}
