// Command melody is github.com/olahol/melody with a list of sessions per room,
// which is cheaper than its filter over all sessions.
package main

import (
	"net/http"
	"slices"
	"sync"

	"github.com/olahol/melody"

	"github.com/wardroom/wardroom/internal/bench/peers/serve"
)

func main() {
	serve.Main(func(o serve.Options) (http.Handler, error) {
		m := melody.New()
		m.Config.MessageBufferSize = 256
		m.Config.MaxMessageSize = 64 << 10
		m.Upgrader.CheckOrigin = func(*http.Request) bool { return true }
		m.Upgrader.EnableCompression = o.Deflate
		var mu sync.RWMutex
		rooms := make(map[string][]*melody.Session)
		room := func(s *melody.Session) string { return s.Request.URL.Query().Get("room") }
		m.HandleConnect(func(s *melody.Session) {
			name := room(s)
			s.Set("room", name)
			mu.Lock()
			defer mu.Unlock()
			rooms[name] = append(slices.Clone(rooms[name]), s)
		})
		m.HandleDisconnect(func(s *melody.Session) {
			name := room(s)
			mu.Lock()
			defer mu.Unlock()
			rooms[name] = slices.DeleteFunc(slices.Clone(rooms[name]), func(other *melody.Session) bool { return other == s })
		})
		m.HandleMessage(func(s *melody.Session, data []byte) {
			name, _ := s.Get("room")
			mu.RLock()
			list := rooms[name.(string)]
			mu.RUnlock()
			_ = m.BroadcastMultiple(data, list)
		})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = m.HandleRequest(w, r) }), nil
	})
}
