package roomtest_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/roomtest"
)

// wrapped is a ResponseWriter as middleware makes them.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewServer(t, lobby(), room.WithCookie("session"), room.InsecureAnyOrigin())
		var requests []string
		mux := http.NewServeMux()
		mux.Handle("GET /ws", srv)
		mux.HandleFunc("GET /old", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ws", http.StatusFound) })
		mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
		mux.HandleFunc("GET /quiet", func(http.ResponseWriter, *http.Request) {})
		app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests = append(requests, r.Method+" "+r.RequestURI+" "+r.Host+" "+r.URL.Path+" "+r.Proto)
			if b, err := io.ReadAll(r.Body); err != nil || len(b) > 0 {
				t.Errorf("the request has the body %q, error %v", b, err)
			}
			mux.ServeHTTP(wrapped{w}, r)
		})

		ada, refused := roomtest.Dial(t, app, roomtest.WithTarget("/ws?x=1"), roomtest.WithToken(roomtest.Token("ada", "staff")))
		if refused != nil {
			t.Fatal(refused)
		}
		ada.Join("staff")
		if want := "GET /ws?x=1 roomtest.example /ws HTTP/1.1"; requests[0] != want {
			t.Errorf("the request was %q, want %q", requests[0], want)
		}
		cookie := roomtest.WithHeader("Cookie", "session="+roomtest.Token("bob"))
		bob, refused := roomtest.Dial(t, app, roomtest.WithTarget("/ws"), cookie, roomtest.WithHeader("Origin", "https://app.example"))
		if refused != nil {
			t.Fatal(refused)
		}
		if got := bob.Expect("welcome", "").User; got != "bob" {
			t.Errorf("welcome, %s", got)
		}

		for _, tt := range []struct {
			target string
			status int
			body   string
		}{
			{"/", 404, "404 page not found\n"},
			{"/page", 200, "hello"},
			{"/quiet", 200, ""},
			{"/old", 302, "<a href=\"/ws\">Found</a>.\n\n"},
		} {
			c, refused := roomtest.Dial(t, app, roomtest.WithTarget(tt.target))
			if c != nil || refused.Status != tt.status || refused.Body != tt.body || refused.Code != "" {
				t.Errorf("at %s: %v", tt.target, refused)
			}
		}
		if _, refused := roomtest.Dial(t, app, roomtest.WithTarget("/ws")); refused.Code != room.CodeUnauthenticated {
			t.Errorf("refused with %v", refused)
		}
	})
}

// A hijacked connection is the handler's: it writes nothing else, and its
// request's context ends when it returns.
func TestHijack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewServer(t, lobby())
		var ended <-chan struct{}
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ended = r.Context().Done()
			srv.ServeHTTP(w, r)
			if _, err := io.WriteString(w, "more"); !errors.Is(err, http.ErrHijacked) {
				t.Errorf("writing after the upgrade: %v", err)
			}
			if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrHijacked) {
				t.Errorf("hijacking twice: %v", err)
			}
			select {
			case <-ended:
				t.Error("the context ended before the handler")
			default:
			}
		})
		ada, _ := roomtest.Dial(t, h, roomtest.WithToken(roomtest.Token("ada")))
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Error("the handler's context outlives it")
		}
		ada.Join("lobby")
	})
}

func TestDialFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		h    http.HandlerFunc
		want string
	}{
		{"panic", func(http.ResponseWriter, *http.Request) { panic("oh no") }, "the handler panicked: oh no"},
		{"never answers", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "did not answer the handshake"},
		{"not a WebSocket", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) }, "protocol violation"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failure := failureOf(t, func(t testing.TB) {
					roomtest.Dial(t, tt.h, roomtest.WithToken(roomtest.Token("ada")))
				})
				if !strings.Contains(failure, tt.want) {
					t.Errorf("failed with %q, want %q in it", failure, tt.want)
				}
			})
		})
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	srv := roomtest.NewServer(t, lobby())
	if first := srv.URL(); first != srv.URL() {
		t.Error("URL changes")
	}
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("status %d", resp.StatusCode)
	}
	client.CloseIdleConnections()
}
