package room_test

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/wardroom/wardroom/room"
)

// What a hook keeps with a connection is there for the others until the
// connection is over, and for no other connection of the user.
func TestValues(t *testing.T) {
	type key int
	last := make(chan any, 2)
	h := serve(t, house(),
		room.OnConnect(func(_ context.Context, c *room.Conn, r *http.Request) error {
			if c.Value(key(1)) != nil {
				t.Error("there is a value before there can be one")
			}
			c.SetValue(key(2), nil) // takes nothing away
			c.SetValue(key(1), r.Header.Get("X-Device"))
			c.SetValue(1, "another key")
			return nil
		}),
		room.OnDisconnect(func(_ context.Context, c *room.Conn) { last <- c.Value(key(1)) }))
	room.Handle(h.srv, "get", func(_ context.Context, c *room.Conn, _ any) (any, error) {
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() { c.SetValue(key(10+i), i); _ = c.Value(key(10)) })
		}
		all.Wait()
		return []any{c.Value(key(1)), c.Value(1), c.Value(key(2)), c.Value(key(19))}, nil
	})
	room.Handle(h.srv, "drop", func(_ context.Context, c *room.Conn, _ any) (any, error) {
		c.SetValue(key(1), nil)
		return c.Value(key(1)), nil
	})
	tabs := make(map[string]*client)
	for _, device := range []string{"phone", "laptop"} {
		c, status, _, body := h.handshake(upgrade("Authorization: Bearer ada", "X-Device: "+device)...)
		if c == nil {
			t.Fatal(status, body)
		}
		c.expect("welcome")
		tabs[device] = c
	}
	for device, c := range tabs {
		f := c.request("call", `"event":"get"`)
		if want := `["` + device + `","another key",null,9]`; string(f.Data) != want {
			t.Errorf("%s: got %s, want %s", device, f, want)
		}
	}
	if f := tabs["phone"].request("call", `"event":"drop"`); string(f.Data) != "null" {
		t.Errorf("got %s", f)
	}
	tabs["phone"].bye()
	if v := <-last; v != nil {
		t.Errorf("dropped, and at the end %v", v)
	}
	tabs["laptop"].bye()
	if v := <-last; v != "laptop" {
		t.Errorf("at the end %v", v)
	}
}
