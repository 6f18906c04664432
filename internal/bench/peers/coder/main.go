// Command coder is a plain hub on github.com/coder/websocket, after its chat
// example: a channel and a goroutine that writes per member, behind a lock.
// The library has no prepared messages: each member compresses anew.
package main

import (
	"context"
	"net/http"
	"sync"

	"github.com/coder/websocket"

	"github.com/wardroom/wardroom/internal/bench/peers/serve"
)

type member struct {
	send chan []byte
	slow context.CancelFunc
}

type room struct {
	mu      sync.Mutex // protects members
	members map[*member]struct{}
}

func (r *room) say(data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for m := range r.members {
		select {
		case m.send <- data:
		default:
			m.slow()
		}
	}
}

func main() {
	serve.Main(func(o serve.Options) (http.Handler, error) {
		accept := &websocket.AcceptOptions{InsecureSkipVerify: true}
		if o.Deflate {
			accept.CompressionMode = websocket.CompressionNoContextTakeover
		}
		var mu sync.Mutex
		rooms := make(map[string]*room)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, accept)
			if err != nil {
				return
			}
			defer func() { _ = conn.CloseNow() }()
			name := r.URL.Query().Get("room")
			mu.Lock()
			in := rooms[name]
			if in == nil {
				in = &room{members: make(map[*member]struct{})}
				rooms[name] = in
			}
			mu.Unlock()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			m := &member{send: make(chan []byte, 256), slow: cancel}
			in.mu.Lock()
			in.members[m] = struct{}{}
			in.mu.Unlock()
			defer func() {
				in.mu.Lock()
				delete(in.members, m)
				in.mu.Unlock()
			}()
			go func() {
				for {
					select {
					case data := <-m.send:
						if conn.Write(ctx, websocket.MessageText, data) != nil {
							cancel()
							return
						}
					case <-ctx.Done():
						return
					}
				}
			}()
			for {
				_, data, err := conn.Read(ctx)
				if err != nil {
					return
				}
				in.say(data)
			}
		}), nil
	})
}
