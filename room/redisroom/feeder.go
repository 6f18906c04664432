package redisroom

// A feeder takes what comes through the channels of some rooms, so that the
// connection's reader has nothing to wait for but a full queue. When that is
// full it does wait, and Redis with it.
type feeder struct {
	b  *Broker
	in chan arrival
}

type arrival struct {
	feed *feed
	text string
}

const feederQueue = 1024

// arrive is called by the connection's reader.
func (b *Broker) arrive(channel, text string) {
	f := b.feedOf(channel)
	if f == nil {
		return
	}
	select {
	case f.feeder.in <- arrival{f, text}:
	case <-b.ctx.Done():
	}
}

func (w *feeder) run() {
	for {
		select {
		case <-w.b.ctx.Done():
			return
		case a := <-w.in:
			fr, err := decodeFrame(a.text)
			if err != nil {
				w.b.unreadable(a.feed.keys.room, err)
				a.feed.fill() // if it had a sequence number, there is a gap
				continue
			}
			a.feed.take(fr)
		}
	}
}
