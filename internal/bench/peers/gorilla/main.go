// Command gorilla is the hub that github.com/gorilla/websocket shows in its
// chat example, one per room: a goroutine that owns the members, a channel of
// 256 messages and a goroutine that writes per member. A member whose channel
// is full is dropped. Messages are prepared once where they are compressed.
package main

import (
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/wardroom/wardroom/internal/bench/peers/serve"
)

type member struct {
	conn *websocket.Conn
	send chan *websocket.PreparedMessage
}

type hub struct {
	enter, leave chan *member
	say          chan []byte
}

func newHub() *hub {
	h := &hub{enter: make(chan *member), leave: make(chan *member), say: make(chan []byte)}
	go h.run()
	return h
}

func (h *hub) run() {
	members := make(map[*member]bool)
	drop := func(m *member) {
		if members[m] {
			delete(members, m)
			close(m.send)
		}
	}
	for {
		select {
		case m := <-h.enter:
			members[m] = true
		case m := <-h.leave:
			drop(m)
		case data := <-h.say:
			message, err := websocket.NewPreparedMessage(websocket.TextMessage, data)
			if err != nil {
				continue
			}
			for m := range members {
				select {
				case m.send <- message:
				default:
					drop(m)
				}
			}
		}
	}
}

func (m *member) write() {
	defer m.conn.Close()
	for message := range m.send {
		if err := m.conn.WritePreparedMessage(message); err != nil {
			return
		}
	}
}

func main() {
	serve.Main(func(o serve.Options) (http.Handler, error) {
		upgrader := websocket.Upgrader{
			ReadBufferSize: 1024, WriteBufferSize: 1024, EnableCompression: o.Deflate,
			CheckOrigin: func(*http.Request) bool { return true },
		}
		var mu sync.Mutex
		hubs := make(map[string]*hub)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			room := r.URL.Query().Get("room")
			mu.Lock()
			h := hubs[room]
			if h == nil {
				h = newHub()
				hubs[room] = h
			}
			mu.Unlock()
			m := &member{conn: conn, send: make(chan *websocket.PreparedMessage, 256)}
			h.enter <- m
			go m.write()
			defer func() { h.leave <- m; conn.Close() }()
			for {
				_, data, err := conn.ReadMessage()
				if err != nil {
					return
				}
				h.say <- data
			}
		}), nil
	})
}
