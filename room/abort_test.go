package room_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/room"
)

// explosive is a middleware's writer that panics.
type explosive struct{ http.ResponseWriter }

func (explosive) Hijack() (net.Conn, *bufio.ReadWriter, error) { panic("hijack") }

// A handshake that the host's code ends, by a panic or as testing.T.Fatal does,
// counts no connection and leaves no session.
func TestHandshakeIsCutShort(t *testing.T) {
	for _, name := range []string{"panic", "exit"} {
		t.Run(name, func(t *testing.T) {
			var bad atomic.Bool
			bad.Store(true)
			came := make(chan struct{}, 2)
			sessions := auth.NewMemorySessions()
			wrap := func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if bad.Load() && name == "panic" {
						w = explosive{w}
					}
					next.ServeHTTP(w, r)
				})
			}
			h := serveThrough(t, wrap, house(), room.WithSessions(sessions),
				limits(func(l *room.Limits) { l.ConnectionsPerUser, l.ConnectionsPerIP, l.ConnectionsPerNode = 1, 1, 1 }),
				room.OnConnect(func(context.Context, *room.Conn, *http.Request) error {
					came <- struct{}{}
					if bad.Load() && name == "exit" {
						runtime.Goexit()
					}
					return nil
				}))
			conn := h.open()
			if _, err := io.WriteString(conn, strings.Join(upgrade("Authorization: Bearer ada"), "\r\n")+"\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			<-came
			if name == "panic" { // else net/http forgets the connection
				_, _ = io.ReadAll(conn)
			}
			gone := func() bool {
				list, err := sessions.List(t.Context(), "ada", 10)
				return err == nil && len(list) == 0
			}
			tables := func() bool {
				n := room.Tables(h.srv, nil, nil)
				return n["per user"] == 0 && n["per address"] == 0 && n["per node"] == 0
			}
			eventually(t, "nothing is counted", tables)
			eventually(t, "there is no session", gone)
			_ = conn.Close()
			bad.Store(false)
			h.connect("ada")
		})
	}
}
