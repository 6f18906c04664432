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
	buf  []byte
	n    atomic.Int64
	next atomic.Pointer[chunk]
}

var chunks = sync.Pool{New: func() any { return &chunk{buf: make([]byte, chunkSize)} }}

// newChunk returns an empty chunk with room for a frame of the given size.
func newChunk(frame int) *chunk {
	if frame > chunkSize {
		return &chunk{buf: make([]byte, frame)}
	}
	return chunks.Get().(*chunk)
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
