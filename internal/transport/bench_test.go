package transport

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

const benchPayload = 200 // bytes of a chat message in its envelope

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{benchPayload, 4 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l := testLog(b, 1<<60)
			payload := make([]byte, size)
			nc, _ := net.Pipe()
			m := l.Attach(bare(b, nc, testOptions()))
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				l.Append(Frame{Payload: payload}, nil)
				if l.tail.room() < size { // as if everyone had read it
					l.tail.n.Store(0)
				}
			}
			m.Detach(false)
		})
	}
}

// One message to everyone in a room, and a burst of ten.
func BenchmarkFlush(b *testing.B) {
	payload := make([]byte, benchPayload)
	for _, members := range []int{1, 10, 100, 1000} {
		for _, burst := range []int{1, 10} {
			b.Run(fmt.Sprintf("members=%d/burst=%d", members, burst), func(b *testing.B) {
				f := newFan(b, members)
				b.ReportAllocs()
				for b.Loop() {
					for range burst {
						f.log.Append(Frame{Payload: payload}, nil)
					}
					f.log.Flush()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*members*burst), "ns/delivery")
			})
		}
	}
}

// A small message from the socket to the handler: alone, and in bursts that one
// system call brings.
func BenchmarkRead(b *testing.B) {
	for _, burst := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("burst=%d", burst), func(b *testing.B) {
			s := serve(b, overTCP(), testOptions())
			heard := make(chan struct{})
			n := 0
			s.handle = func(*served, []byte, bool) {
				if n++; n%burst == 0 {
					heard <- struct{}{}
				}
			}
			p, _ := s.connect()
			frames := []byte(strings.Repeat(string(text(strings.Repeat("x", 50))), burst))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.nc.Write(frames); err != nil {
					b.Fatal(err)
				}
				<-heard
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*burst), "ns/message")
		})
	}
}

// The same without a socket: what our reader and the library's cost.
func BenchmarkReadInMemory(b *testing.B) {
	for _, size := range []int{50, 1000, 50_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			frame := text(strings.Repeat("x", size))
			src := &repeat{frame: frame, n: b.N}
			heard := 0
			c, err := acceptFake(src, testOptions())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(int64(size))
			b.ResetTimer()
			serveTo(c, func([]byte, bool) { heard++ }, func() {})
			if heard != b.N {
				b.Fatalf("heard %d of %d", heard, b.N)
			}
		})
	}
}

// repeat is a peer that sends one frame n times, as much at once as is taken.
type repeat struct {
	deaf
	frame []byte
	at, n int
}

func (r *repeat) Read(p []byte) (n int, err error) {
	for n < len(p) && r.n > 0 {
		m := copy(p[n:], r.frame[r.at:])
		n += m
		if r.at += m; r.at == len(r.frame) {
			r.at = 0
			r.n--
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func BenchmarkEcho(b *testing.B) {
	for _, n := range networks() {
		b.Run(n.name, func(b *testing.B) {
			s := serve(b, n, testOptions())
			p, _ := s.connect()
			frame := text(strings.Repeat("x", 50))
			buf := make([]byte, 52)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.nc.Write(frame); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(p.r, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDeflate(b *testing.B) {
	payload := []byte(strings.Repeat(`{"type":"message","room":"lobby","data":"hello"}`, 50))
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	var dst []byte
	for b.Loop() {
		dst = Deflate(dst[:0], payload)
	}
}
