package transport

import (
	"sync"
	"sync/atomic"
)

// chunkSize holds a burst of some hundred small messages; a room has a chunk
// only while some member has not got everything.
const chunkSize = 32 << 10

// chunk is a piece of a log. Bytes before n never change; those after it
// belong to the log's appender. A frame never straddles two chunks, so a chunk
// starts with a frame.
type chunk struct {
	start int64 // the log's position where the chunk begins
	buf   []byte
	n     atomic.Int64
	next  atomic.Pointer[chunk]
}

var chunks = sync.Pool{New: func() any { return &chunk{buf: make([]byte, chunkSize)} }}

// newChunk returns an empty chunk with room for a frame of the given size.
func newChunk(frame int, start int64) *chunk {
	if frame > chunkSize {
		return &chunk{start: start, buf: make([]byte, frame)}
	}
	c := chunks.Get().(*chunk)
	c.start = start
	return c
}

// release gives a chunk back that nobody reads any more.
func (c *chunk) release() {
	if len(c.buf) != chunkSize {
		return
	}
	c.n.Store(0)
	c.next.Store(nil)
	chunks.Put(c)
}

func (c *chunk) room() int { return len(c.buf) - int(c.n.Load()) }

// find returns the chunk, at or after c, and the offset in it of a position
// between the start of c and the log's head.
func (c *chunk) find(pos int64) (*chunk, int64) {
	for pos-c.start >= c.n.Load() {
		next := c.next.Load()
		if next == nil {
			break
		}
		c = next
	}
	return c, pos - c.start
}
