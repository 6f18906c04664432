package transport

import (
	"encoding/binary"
	"sync"
	"testing"
)

func TestBatch(t *testing.T) {
	l, other := testLog(t, 1<<20), testLog(t, 1<<20)
	c, p := pair(t, false)
	join(l, c)
	join(other, c)
	var b Batch
	b.Hold(l)
	b.Hold(other)
	b.Hold(l)
	if !l.Held() || !other.Held() || len(b.logs) != 2 {
		t.Fatal("not held, or twice")
	}
	for _, payload := range []string{"one", "two"} {
		l.Append(Frame{Payload: []byte(payload)}, nil)
		Wake(l)
	}
	l.mu.Lock()
	owed := l.owed
	l.mu.Unlock()
	if !owed {
		t.Fatal("flushed while held")
	}
	b.Flush()
	p.expectText("one")
	p.expectText("two")
	if l.Held() || other.Held() {
		t.Fatal("still held")
	}
	l.settled(t)

	l.Append(Frame{Payload: []byte("three")}, nil)
	Wake(l)
	p.expectText("three")
	b.Flush() // of nothing
	l.settled(t)
}

// Two hold the same log: each flushes what it caused when it is done.
func TestBatchesOverlap(t *testing.T) {
	l := testLog(t, 1<<20)
	c, p := pair(t, false)
	join(l, c)
	var a, b Batch
	a.Hold(l)
	b.Hold(l)
	l.Append(Frame{Payload: []byte("of a")}, nil)
	a.Flush()
	p.expectText("of a")
	l.Append(Frame{Payload: []byte("of b")}, nil)
	Wake(l) // b still holds it
	b.Flush()
	p.expectText("of b")
	l.settled(t)
}

// The promise is over when its flush begins: who appends from then on has to
// see to it himself.
func TestPromiseEndsBeforeFlush(t *testing.T) {
	l := testLog(t, 1<<20)
	c, p := pair(t, false)
	join(l, c)
	var b Batch
	b.Hold(l)
	l.Append(Frame{Payload: []byte("x")}, nil)
	c.mu.Lock() // the flush gets as far as the member
	flushed := make(chan struct{})
	go func() { b.Flush(); close(flushed) }()
	eventually(t, "flush", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return !l.owed
	})
	if l.Held() {
		t.Error("held while being flushed")
	}
	c.mu.Unlock()
	<-flushed
	p.expectText("x")
}

// Whatever batches hold a log, a publisher that only wakes is never forgotten:
// what it appended is delivered though nothing else happens.
func TestWakeIsNeverLost(t *testing.T) {
	l := testLog(t, 1<<20)
	c, p := pair(t, false)
	join(l, c)
	var order sync.Mutex
	var n uint64
	publish := func() {
		order.Lock()
		defer order.Unlock()
		l.Append(Frame{Payload: binary.BigEndian.AppendUint64(nil, n)}, nil)
		n++
	}
	const rounds, batches, wakes = 300, 2, 2
	var want uint64
	for range rounds {
		var wg sync.WaitGroup
		for range batches {
			wg.Go(func() {
				var b Batch
				b.Hold(l)
				publish()
				b.Flush()
			})
		}
		for range wakes {
			wg.Go(func() {
				publish()
				Wake(l)
			})
		}
		wg.Wait()
		for range batches + wakes {
			if got := binary.BigEndian.Uint64([]byte(p.read().payload)); got != want {
				t.Fatalf("got %d, want %d", got, want)
			}
			want++
		}
	}
}

// While one flushes because it was woken, others leave to it what they have:
// it goes out together, and nothing is forgotten.
func TestWakesJoin(t *testing.T) {
	l := testLog(t, 1<<20)
	c, p := pair(t, false)
	join(l, c)
	l.wakes.Store(1) // somebody is at it
	for _, payload := range []string{"one", "two"} {
		l.Append(Frame{Payload: []byte(payload)}, nil)
		Wake(l)
	}
	l.mu.Lock()
	owed := l.owed
	l.mu.Unlock()
	if !owed || l.wakes.Load() != 3 {
		t.Fatalf("owed %t, %d wakes: flushed by who should have left it", owed, l.wakes.Load())
	}
	l.wakes.Store(0)
	Wake(l)
	p.expectText("one")
	if p.r.Buffered() == 0 {
		t.Error("the second frame did not come together with the first")
	}
	p.expectText("two")
	l.settled(t)

	var wg sync.WaitGroup
	for range 200 {
		l.Append(Frame{Payload: []byte("more")}, nil)
		wg.Go(func() { Wake(l) })
	}
	wg.Wait()
	for range 200 {
		p.expectText("more")
	}
	l.settled(t)
}

// What is appended while a batch is held does not wait for it when somebody
// says that it has been long enough.
func TestOverdue(t *testing.T) {
	l := testLog(t, 1<<20)
	c, p := pair(t, false)
	join(l, c)
	var b Batch
	b.Hold(l)
	for _, payload := range []string{"one", "two"} {
		l.Append(Frame{Payload: []byte(payload)}, nil)
		if !l.Remind() {
			t.Fatalf("%s: nobody is told to", payload)
		}
		if l.Remind() {
			t.Fatalf("%s: two are told to", payload)
		}
		Overdue(l, func() bool { return true })
		p.expectText(payload)
		if !l.Held() {
			t.Fatal("not held any more")
		}
	}
	b.Flush()
	l.settled(t)
}

// Where batches come and go, each flushes when it is done, and no pass is added.
func TestNotOverdue(t *testing.T) {
	l := testLog(t, 1<<20)
	c, p := pair(t, false)
	join(l, c)
	var b Batch
	b.Hold(l)
	l.Append(Frame{Payload: []byte("one")}, nil)
	if !l.Remind() {
		t.Fatal("nobody is told to")
	}
	waits := 0
	Overdue(l, func() bool {
		waits++
		if waits > 3 {
			l.Append(Frame{Payload: []byte("two")}, nil)
			return true
		}
		b.Flush()
		b.Hold(l)
		return true
	})
	if waits != 4 {
		t.Errorf("it waited %d times", waits)
	}
	p.expectText("one")
	p.expectText("two")
	b.Flush()
	b.Hold(l)
	l.Append(Frame{Payload: []byte("three")}, nil)
	if !l.Remind() {
		t.Fatal("nobody is told to")
	}
	Overdue(l, func() bool { b.Flush(); return true })
	if l.Remind() {
		l.reminded.Store(false)
	} else {
		t.Error("it has not ended")
	}
	p.expectText("three")
	l.settled(t)
}
