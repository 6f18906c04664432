//go:build unix

package transport

import (
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// breath lets a goroutine that writes for long give way to those whose sockets
// have become readable meanwhile. runtime.Gosched alone does not: while there
// is anything to run, the scheduler looks at the network only every 10 ms. A
// goroutine that waits for the network itself is behind all that is ready.
type breath struct {
	mu   sync.Mutex // held while one waits
	r, w *os.File
	raw  syscall.RawConn
	read func(fd uintptr) bool
	sent bool
}

// breathEvery is for how long one may go on without a breath.
const breathEvery = time.Millisecond

// lungs are the process's. They stay: two descriptors are not worth counting
// who uses them.
var lungs = sync.OnceValue(newBreath)

// newBreath returns nil where the system has no pipe to spare.
func newBreath() *breath {
	r, w, err := os.Pipe()
	if err != nil {
		return nil
	}
	b := &breath{r: r, w: w}
	b.raw, err = r.SyscallConn()
	if err != nil {
		_, _ = r.Close(), w.Close()
		return nil
	}
	b.read = b.tryRead
	return b
}

// take is called between writes by who began, or took a breath, at since. It
// returns since, or now.
func (b *breath) take(since time.Time) time.Time {
	if time.Since(since) < breathEvery {
		runtime.Gosched()
		return since
	}
	if b == nil || !b.mu.TryLock() {
		runtime.Gosched()
		return time.Now()
	}
	defer b.mu.Unlock()
	b.sent = false
	_ = b.raw.Read(b.read)
	return time.Now()
}

// tryRead makes its own input become ready when it is called first, and says
// that it has to be waited for.
func (b *breath) tryRead(fd uintptr) bool {
	if !b.sent {
		b.sent = true
		_, err := b.w.Write([]byte{0})
		return err != nil
	}
	var one [1]byte
	_, _ = syscall.Read(int(fd), one[:])
	return true
}
