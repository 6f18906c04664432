package faults

// view is what one client knows of one room. The client's reader alone uses it.
type view struct {
	o          *oracle
	user, room string
	history    bool
	in         bool
	// epoch and last are the position of the newest message seen.
	epoch string
	last  uint64
	// ids are the messages seen in an era of the oracle's.
	ids map[string]bool
	era int
	// missed are the offsets that were left out, which may yet come.
	missed map[uint64]bool
	// spoke is the last message of each sender, where there is no history.
	spoke map[string]string
}

// since is where to go on, nil at first.
func (v *view) since() *position {
	if v.epoch == "" || !v.history {
		return nil
	}
	return &position{Epoch: v.epoch, Offset: v.last}
}

// joined takes the reply to a join with since.
func (v *view) joined(since *position, r *joinReply) {
	v.in = true
	v.o.readmit(seatKey{v.user, v.room})
	if !v.history {
		return
	}
	v.o.count("joins", 1)
	for _, m := range r.Messages {
		if m.Epoch != r.Epoch {
			v.o.violate(disordered, "%s in %s: %s of epoch %s is replayed in %s", v.user, v.room, m.ID, m.Epoch, r.Epoch)
		}
	}
	switch {
	case since == nil:
		v.epoch, v.last = r.Epoch, r.Offset
		return
	case r.Recovered:
		v.o.count("recoveries", 1)
		if r.Epoch != since.Epoch {
			if !v.o.renewing() {
				v.o.violate(gap, "%s in %s: recovered from another epoch without a reason", v.user, v.room)
			}
			v.o.count("recoveries in an epoch that goes on", 1)
		}
	default:
		if v.o.keeps(place{v.room, since.Epoch, since.Offset}) {
			v.o.violate(refused, "%s in %s: since %v, now %s %d", v.user, v.room, *since, r.Epoch, r.Offset)
		}
		v.o.count("joins told that something is lost", 1)
		v.ids = nil // the client begins anew
		v.epoch, v.last = r.Epoch, r.Offset
		for i := range r.Messages {
			v.o.seen(place{v.room, r.Epoch, r.Messages[i].Offset}, r.Messages[i].ID, "replayed")
			v.has(r.Messages[i].ID)
		}
		return
	}
	for i := range r.Messages {
		v.next(&r.Messages[i], "replayed")
	}
	if v.last != r.Offset {
		v.o.violate(gap, "%s in %s: the replay ends at %d of %d", v.user, v.room, v.last, r.Offset)
	}
	v.epoch, v.last = r.Epoch, r.Offset
}

// message takes one that came by itself.
func (v *view) message(m *frame, link, node int) {
	v.o.delivered(v.user, v.room)
	if !v.in {
		v.o.violate(late, "%s got %s in %s, being out of it", v.user, m.ID, v.room)
		return
	}
	if !v.history {
		v.heard(m, link, node)
		return
	}
	v.next(m, "delivered")
}

func (v *view) next(m *frame, how string) {
	p := place{v.room, m.Epoch, m.Offset}
	v.o.seen(p, m.ID, how)
	if era := v.o.age(); era != v.era {
		v.era, v.ids = era, nil
	}
	switch {
	case m.Epoch != v.epoch:
		// The client sees it, and is told so that it can fetch what there is.
		switch {
		case !v.o.renewing():
			v.o.violate(gap, "%s in %s: epoch %s after %s without a reason", v.user, v.room, m.Epoch, v.epoch)
		case !v.o.losing() && m.Offset != v.last+1:
			v.o.violate(gap, "%s in %s: the new epoch goes on with %d after %d", v.user, v.room, m.Offset, v.last)
		case !v.o.losingAll() && m.Offset > v.last+1:
			v.o.violate(gap, "%s in %s: the new epoch leaves out what is between %d and %d", v.user, v.room, v.last, m.Offset)
		case !v.o.losing() && v.ids[m.ID]:
			v.o.violate(doubled, "%s in %s: %s once more in a new epoch", v.user, v.room, m.ID)
		}
		v.o.count("epochs that began while connected", 1)
	case m.Offset == v.last+1:
	case m.Offset > v.last:
		v.o.violate(gap, "%s in %s: %s %d after %d", v.user, v.room, how, m.Offset, v.last)
		v.missed = make(map[uint64]bool)
		for n := v.last + 1; n < m.Offset; n++ {
			v.missed[n] = true
		}
	case v.missed[m.Offset]:
		v.o.violate(disordered, "%s in %s: %s %d after %d", v.user, v.room, how, m.Offset, v.last)
		delete(v.missed, m.Offset)
		return
	default:
		v.o.violate(doubled, "%s in %s: %s %d after %d", v.user, v.room, how, m.Offset, v.last)
		return
	}
	if m.Epoch != v.epoch {
		v.missed = nil
	} else if v.ids[m.ID] && !v.o.losing() {
		v.o.violate(doubled, "%s in %s: %s once more, as %d", v.user, v.room, m.ID, m.Offset)
	}
	v.has(m.ID)
	v.epoch, v.last = m.Epoch, m.Offset
}

func (v *view) has(id string) {
	if v.ids == nil {
		v.ids = make(map[string]bool)
	}
	v.ids[id] = true
}

// heard takes a message without a place: once on each connection, and in its
// sender's order.
func (v *view) heard(m *frame, link, node int) {
	if v.spoke == nil {
		v.spoke = make(map[string]string)
	}
	later := ""
	if serial(m.ID) < serial(v.spoke[m.From]) {
		later = v.spoke[m.From]
	} else {
		v.spoke[m.From] = m.ID
	}
	v.o.heard(v.room, m.ID, v.user, link, node, later)
}

// gone says that the client is out of the room, or that its connection is.
func (v *view) gone() { v.in = false }
