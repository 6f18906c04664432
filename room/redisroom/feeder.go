package redisroom

// A feeder takes what comes through the channels of some rooms, so that the
// connection's reader has nothing to wait for but a full queue, or one with much
// in it. Then it does wait, and Redis with it.
type feeder struct {
	b  *Broker
	in chan arrival

	fed    []*feed // that have to be told when there is no more for now
	frames []frame // of one arrival
}

type arrival struct {
	feed *feed
	text string
}

const (
	feederQueue = 1024
	// maxArrived is how many bytes wait for all feeders together before the
	// readers do.
	maxArrived = 32 << 20
	// feederLot is how many arrivals are taken before the subscribers are told
	// that this is all for now.
	feederLot = 64
)

// arrive is called by the connection's reader.
func (b *Broker) arrive(channel, text string) {
	f := b.feedOf(channel)
	if f == nil {
		return
	}
	for b.arrived.Load() >= maxArrived {
		select {
		case <-b.taken:
		case <-b.ctx.Done():
			return
		}
	}
	b.arrived.Add(int64(len(text)))
	select {
	case f.feeder.in <- arrival{f, text}:
	case <-b.ctx.Done():
	}
}

// took notes that something that had arrived was taken.
func (b *Broker) took(text string) {
	b.arrived.Add(-int64(len(text)))
	select {
	case b.taken <- struct{}{}:
	default:
	}
}

func (w *feeder) run() {
	for {
		select {
		case <-w.b.ctx.Done():
			return
		case a := <-w.in:
			w.take(a)
		}
		for n := 1; n < feederLot && w.more(); n++ {
			continue
		}
		for i, f := range w.fed {
			f.fed = false
			f.rest()
			w.fed[i] = nil
		}
		w.fed = w.fed[:0]
	}
}

// more takes what has arrived meanwhile, and says whether there was anything.
func (w *feeder) more() bool {
	select {
	case a := <-w.in:
		w.take(a)
		return true
	default:
		return false
	}
}

func (w *feeder) take(a arrival) {
	f := a.feed
	list, err := decodeFrames(w.frames[:0], a.text)
	if err != nil {
		w.b.unreadable(f.keys.room, err)
		f.fill() // if it had a sequence number, there is a gap
	} else {
		f.take(list)
		if !f.fed {
			f.fed = true
			w.fed = append(w.fed, f)
		}
	}
	clear(list)
	w.frames = list[:0]
	w.b.took(a.text)
}
