// Command gws is github.com/lxzan/gws with its Broadcaster, which encodes and
// compresses once, and a list of members per room.
package main

import (
	"net/http"
	"slices"
	"sync"

	"github.com/lxzan/gws"

	"github.com/wardroom/wardroom/internal/bench/peers/serve"
)

type hub struct {
	gws.BuiltinEventHandler
	mu    sync.RWMutex // protects rooms; their slices are replaced, never changed
	rooms map[string][]*gws.Conn
}

func roomOf(c *gws.Conn) string {
	room, _ := c.Session().Load("room")
	return room.(string)
}

func (h *hub) OnOpen(c *gws.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rooms[roomOf(c)] = append(slices.Clone(h.rooms[roomOf(c)]), c)
}

func (h *hub) OnClose(c *gws.Conn, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rooms[roomOf(c)] = slices.DeleteFunc(slices.Clone(h.rooms[roomOf(c)]), func(other *gws.Conn) bool { return other == c })
}

func (h *hub) OnMessage(c *gws.Conn, message *gws.Message) {
	defer message.Close()
	h.mu.RLock()
	list := h.rooms[roomOf(c)]
	h.mu.RUnlock()
	b := gws.NewBroadcaster(gws.OpcodeText, message.Bytes())
	defer b.Close()
	for _, member := range list {
		_ = b.Broadcast(member)
	}
}

func main() {
	serve.Main(func(o serve.Options) (http.Handler, error) {
		upgrader := gws.NewUpgrader(&hub{rooms: make(map[string][]*gws.Conn)}, &gws.ServerOption{
			CheckUtf8Enabled:  true,
			PermessageDeflate: gws.PermessageDeflate{Enabled: o.Deflate, Threshold: 1024},
			Authorize: func(r *http.Request, session gws.SessionStorage) bool {
				session.Store("room", r.URL.Query().Get("room"))
				return true
			},
		})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if conn, err := upgrader.Upgrade(w, r); err == nil {
				go conn.ReadLoop() // the handler's own goroutine has a large stack
			}
		}), nil
	})
}
