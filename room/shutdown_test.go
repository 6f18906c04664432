package room_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
)

// A server that drains tells everyone when to come back and closes them with
// 4200, refuses who comes, and is done when they are gone.
func TestShutdown(t *testing.T) {
	h := serve(t, house())
	const people = 250 // several batches
	list := make([]*visitor, people)
	for i := range list {
		list[i] = h.in(fmt.Sprintf("user%d", i), "hall")
	}
	done := make(chan error, 2)
	for range 2 { // calling it twice is calling it once
		go func() { done <- h.srv.Shutdown(context.Background()) }()
	}
	delays := make(map[int64]bool)
	var mu sync.Mutex // protects delays
	var reading sync.WaitGroup
	for _, v := range list {
		reading.Go(func() {
			v.unread = nil
			for {
				f := v.next()
				switch f.Type {
				case "goaway":
					if f.Delay < 0 || f.Delay > 5000 {
						t.Errorf("got %s", f)
					}
					mu.Lock()
					delays[f.Delay] = true
					mu.Unlock()
					if f = v.next(); f.Type != "close" || f.status != 4200 {
						t.Errorf("behind the goaway came %s", f)
					}
					_ = v.conn.Close()
					return
				case "user_joined", "user_left":
				default:
					t.Errorf("unexpected %s", f)
					return
				}
			}
		})
	}
	for {
		if _, status, header, _ := h.handshake(upgrade("Authorization: Bearer late")...); status == http.StatusServiceUnavailable {
			if header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			break
		}
	}
	reading.Wait()
	for range 2 {
		if err := <-done; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
	if len(delays) < people/4 {
		t.Errorf("%d clients were given %d different delays", people, len(delays))
	}
	if st := h.srv.Stats(); st != (room.Stats{}) {
		t.Errorf("left behind: %+v", st)
	}
	if err := h.srv.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown of what is shut down: %v", err)
	}
}

// A batch at a time, with pauses, so that those who come back do not come all
// at once.
func TestShutdownIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house())
		const people = 301
		var reading sync.WaitGroup
		var mu sync.Mutex // protects last
		began, last := time.Now(), time.Time{}
		for i := range people {
			v := h.connect(fmt.Sprintf("user%d", i))
			reading.Go(func() {
				v.expect("goaway")
				mu.Lock()
				last = time.Now()
				mu.Unlock()
				v.expectClose(4200)
				_ = v.conn.Close()
			})
		}
		if err := h.srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		reading.Wait()
		if took := last.Sub(began); took < 300*time.Millisecond || took > 5*time.Second {
			t.Errorf("%d clients within %v", people, took)
		}
	})
}

// Clients that answer nothing are cut off when the context ends.
func TestShutdownCutsOff(t *testing.T) {
	h := serve(t, house())
	const people = 20
	list := make([]*visitor, people)
	for i := range list {
		list[i] = h.in(fmt.Sprintf("user%d", i), "hall") // who will not read
	}
	// Their sockets are full as well.
	for range 50 {
		if _, err := h.srv.Room("hall").Publish(context.Background(), "blob", make([]byte, 200<<10)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := h.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	if st := h.srv.Stats(); st != (room.Stats{}) {
		t.Errorf("left behind: %+v", st)
	}
}

// Without the context's help a client that answers nothing is gone when the
// closing handshake has had its time.
func TestShutdownWaitsForClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house())
		h.connect("ada")
		began := time.Now()
		if err := h.srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A handshake that is waiting for the host is not waited for longer than the
// rest.
func TestShutdownEndsHandshakes(t *testing.T) {
	asked := make(chan struct{}, 2)
	h := serve(t, house(), room.OnConnect(func(ctx context.Context, _ *room.Conn, _ *http.Request) error {
		asked <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}))
	var dialing sync.WaitGroup
	for _, token := range []string{"ada", "slow"} {
		dialing.Go(func() {
			if _, status, _, body := h.handshake(upgrade("Authorization: Bearer " + token)...); status != http.StatusServiceUnavailable {
				t.Errorf("%s: %d %s", token, status, body)
			}
		})
	}
	<-asked
	time.Sleep(10 * time.Millisecond) // for the one that no hook sees
	began := time.Now()
	if err := h.srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	dialing.Wait()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A server that nobody used is shut down at once, and before any use.
func TestShutdownUnused(t *testing.T) {
	h := serve(t, house())
	if err := h.srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if _, status, _, _ := h.handshake(upgrade("Authorization: Bearer ada")...); status != http.StatusServiceUnavailable {
		t.Errorf("a handshake after it: %d", status)
	}
}

// Handshakes that race with the shutdown are refused or served to the end, and
// none is left.
func TestShutdownRacesHandshakes(t *testing.T) {
	h := serve(t, house())
	var dialing sync.WaitGroup
	for i := range 40 {
		dialing.Go(func() {
			c, status, _, _ := h.handshake(upgrade(fmt.Sprintf("Authorization: Bearer user%d", i))...)
			switch status {
			case http.StatusSwitchingProtocols:
				c.expectClose(4200)
				_ = c.conn.Close()
			case http.StatusServiceUnavailable:
			default:
				t.Errorf("got %d", status)
			}
		})
	}
	time.Sleep(time.Millisecond)
	if err := h.srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if st := h.srv.Stats(); st.Connections != 0 {
		t.Errorf("left behind: %+v", st)
	}
	dialing.Wait()
}
