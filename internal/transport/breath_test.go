//go:build unix

package transport

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// Who writes to a crowd for long lets those through whose input comes
// meanwhile, also on a single processor, where nobody else looks at the
// network.
func TestBreath(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var heard atomic.Int64
	s := serve(t, overTCP(), testOptions())
	s.handle = func(*served, []byte, bool) { heard.Add(1) }
	p, _ := s.connect()
	time.Sleep(10 * time.Millisecond) // until its reader waits for the socket
	var breaths []int
	for range 21 {
		heard.Store(0)
		p.send(text("hello?"))
		n := 0
		for since := time.Now(); heard.Load() == 0; n++ {
			for time.Since(since) < breathEvery { // writing, say
			}
			since = lungs().take(since)
			if n == 1000 {
				t.Fatal("never heard")
			}
		}
		breaths = append(breaths, n)
	}
	// The scheduler itself would look once in ten.
	if slices.Sort(breaths); breaths[len(breaths)/2] > 2 {
		t.Fatalf("heard after so many breaths: %v", breaths)
	}
}

// Several may want to breathe at a time; those who cannot only yield.
func TestBreathTogether(t *testing.T) {
	done := make(chan struct{})
	for range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			if lungs().take(time.Time{}).IsZero() {
				t.Error("no breath although it was due")
			}
		}()
	}
	for range 8 {
		<-done
	}
}

func TestBreathAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	if n := testing.AllocsPerRun(100, func() { lungs().take(time.Time{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
