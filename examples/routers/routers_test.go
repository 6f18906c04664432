package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// On every router people are let in and refused, and talk.
func TestRouters(t *testing.T) {
	for name, mount := range routers() {
		t.Run(name, func(t *testing.T) {
			rooms, err := newRooms()
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(mount(rooms))
			defer server.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			defer func() {
				if err := rooms.Shutdown(ctx); err != nil {
					t.Error(err)
				}
			}()

			_, refused, err := websocket.Dial(ctx, server.URL+"/ws", nil)
			if err == nil || refused == nil || refused.StatusCode != http.StatusUnauthorized {
				t.Fatalf("without a token: %v, %v", refused, err)
			}

			ada, bob := dial(ctx, t, server.URL, "ada"), dial(ctx, t, server.URL, "bob")
			for _, c := range []*websocket.Conn{ada, bob} {
				say(ctx, t, c, `{"type":"join","ref":1,"room":"lobby"}`)
				expect(ctx, t, c, "reply")
			}
			say(ctx, t, ada, `{"type":"message","room":"lobby","data":"hello"}`)
			if m := expect(ctx, t, bob, "message"); m.From != "ada" || m.Data != "hello" {
				t.Errorf("bob got %+v", m)
			}
			for _, c := range []*websocket.Conn{ada, bob} {
				if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

type frame struct {
	Type string
	From string
	Data any
}

func dial(ctx context.Context, t *testing.T, url, user string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(ctx, url+"/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + user}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	expect(ctx, t, c, "welcome")
	return c
}

func say(ctx context.Context, t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// expect returns the next frame of a type and passes over others.
func expect(ctx context.Context, t *testing.T, c *websocket.Conn, kind string) frame {
	t.Helper()
	for {
		_, p, err := c.Read(ctx)
		if err != nil {
			t.Fatalf("waiting for %s: %v", kind, err)
		}
		var f frame
		if err := json.Unmarshal(p, &f); err != nil {
			t.Fatal(err)
		}
		if f.Type == kind {
			return f
		}
	}
}
