package auth

import (
	"container/heap"
	"time"
)

// expiring is the part of an entry that a queue orders by.
type expiring struct {
	at    time.Time // zero: never
	index int       // in the queue; -1 when it is not there
}

func (e *expiring) expires() *expiring { return e }

// queue holds entries by when they expire, the next one first. Those that never do come last.
type queue[E interface{ expires() *expiring }] []E

// push adds an entry.
func (q *queue[E]) push(e E) { heap.Push((*heapOf[E])(q), e) }

// moved puts an entry in its place after its time has changed.
func (q *queue[E]) moved(e E) { heap.Fix((*heapOf[E])(q), e.expires().index) }

// remove takes an entry out.
func (q *queue[E]) remove(e E) { heap.Remove((*heapOf[E])(q), e.expires().index) }

// due returns the next entry if it has expired.
func (q *queue[E]) due(now time.Time) (e E, ok bool) {
	if len(*q) == 0 {
		return e, false
	}
	e = (*q)[0]
	at := e.expires().at
	return e, !at.IsZero() && !now.Before(at)
}

// heapOf has the methods that container/heap wants, out of sight of those who use a queue.
type heapOf[E interface{ expires() *expiring }] []E

func (h heapOf[E]) Len() int { return len(h) }

func (h heapOf[E]) Less(i, j int) bool {
	a, b := h[i].expires().at, h[j].expires().at
	if a.IsZero() || b.IsZero() {
		return !a.IsZero()
	}
	return a.Before(b)
}

func (h heapOf[E]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].expires().index = i
	h[j].expires().index = j
}

func (h *heapOf[E]) Push(x any) {
	e := x.(E)
	e.expires().index = len(*h)
	*h = append(*h, e)
}

func (h *heapOf[E]) Pop() any {
	old := *h
	last := len(old) - 1
	e := old[last]
	e.expires().index = -1
	var none E
	old[last] = none
	*h = old[:last]
	return e
}
