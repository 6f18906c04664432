package transport

// Batch collects the logs that one goroutine appended to, to flush each once.
// It belongs to one goroutine.
type Batch struct{ logs []*Log }

// Hold promises that l will be flushed by this batch. Call it before what may
// append to l.
func (b *Batch) Hold(l *Log) {
	for _, held := range b.logs {
		if held == l {
			return
		}
	}
	l.holds.Add(1)
	b.logs = append(b.logs, l)
}

// Flush flushes every log held and lets go of them.
func (b *Batch) Flush() {
	for i, l := range b.logs {
		// The promise ends first: an append that still saw it happened
		// before this flush, one that did not flushes by itself.
		l.holds.Add(-1)
		l.Flush()
		b.logs[i] = nil
	}
	b.logs = b.logs[:0]
}

// Wake flushes l unless a batch holds it. While one call does, further ones
// leave it to that: all that was appended during a pass over the members travels
// together in the next, instead of many passes that chase each other through
// the room, each with one frame.
func Wake(l *Log) {
	if l.holds.Load() == 0 {
		wake(l)
	}
}

func wake(l *Log) {
	if l.wakes.Add(1) > 1 {
		return
	}
	for n := int32(1); n > 0; {
		n = l.wakes.Load()
		l.Flush()
		n = l.wakes.Add(-n)
	}
}

// Held reports whether some batch has promised to flush l.
func (l *Log) Held() bool { return l.holds.Load() > 0 }

// Remind reports whether the caller, who has found l held, is to call Overdue:
// nobody else does at the moment.
func (l *Log) Remind() bool { return !l.reminded.Load() && l.reminded.CompareAndSwap(false, true) }

// Overdue flushes l if it is held and was not flushed for as long as wait takes:
// then a batch holds it that waits for something, which what was appended must
// not wait for. It ends when nothing holds l, or wait returns false.
func Overdue(l *Log, wait func() bool) {
	for {
		flushes := l.flushes.Load()
		goOn := wait()
		l.reminded.Store(false) // first: what is appended from now on has a reminder of its own
		if !l.Held() {
			return
		}
		if !goOn || l.flushes.Load() == flushes {
			wake(l)
			return
		}
		if !l.Remind() {
			return
		}
	}
}
