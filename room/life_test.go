package room

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A connection's context does what one of package context would, whoever asks
// first for what.
func TestLife(t *testing.T) {
	for name, before := range map[string]bool{"waited for": true, "not waited for": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l life
				if _, ok := l.Deadline(); ok || l.Err() != nil || l.Value("key") != nil {
					t.Error("a new one has something to say")
				}
				below, cancel := context.Background(), func() {}
				ended := false
				if before {
					below, cancel = context.WithTimeout(context.WithValue(&l, key{}, "value"), time.Hour)
					context.AfterFunc(&l, func() { ended = true })
					if below.Value(key{}) != "value" || below.Err() != nil {
						t.Error("the one below it", below.Value(key{}), below.Err())
					}
				}
				defer cancel()
				l.cancel()
				l.cancel()
				if !before {
					below, cancel = context.WithCancel(&l)
					defer cancel()
					context.AfterFunc(&l, func() { ended = true })
				}
				<-l.Done()
				<-below.Done()
				synctest.Wait()
				if !errors.Is(l.Err(), context.Canceled) || !errors.Is(below.Err(), context.Canceled) || !ended {
					t.Error(l.Err(), below.Err(), ended)
				}
			})
		})
	}
}

type key struct{}

// Contexts made of a connection's do not need a goroutine each.
func TestLifeIsKnownToContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l life
		made := testing.AllocsPerRun(10, func() {
			_, cancel := context.WithTimeout(&l, time.Hour)
			cancel()
		})
		own, end := context.WithCancel(context.Background())
		defer end()
		if want := testing.AllocsPerRun(10, func() {
			_, cancel := context.WithTimeout(own, time.Hour)
			cancel()
		}); made != want {
			t.Errorf("%v allocations, where a usual parent takes %v", made, want)
		}
		l.cancel()
	})
}
