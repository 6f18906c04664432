package room_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
)

// The tests of this file are both sides of every row of docs/DESIGN.md,
// "Defaults": what is just allowed is done, and one more gets the exact code.

// byDefault are the options of a server of which nothing is changed.
func byDefault() room.Option {
	return room.Options(room.WithLimits(room.DefaultLimits()), house(),
		room.WithRooms(strings.Repeat("r", 64), room.Settings{Permission: room.Public, Moderators: []string{"mod"}}),
		room.WithRooms("many:*", room.Settings{Permission: room.Public, Standing: true}))
}

// arrays, list and object are JSON of some depth, length and number of keys.
func arrays(depth int) string {
	return strings.Repeat("[", depth) + strings.Repeat("]", depth)
}

func list(n int) string { return "[" + strings.Repeat("0,", n-1) + "0]" }

func object(keys int) string {
	var b strings.Builder
	for i := range keys {
		fmt.Fprintf(&b, `%c"k%d":0`, "{,"[min(i, 1)], i)
	}
	return b.String() + "}"
}

func TestDefaultContent(t *testing.T) {
	h := serve(t, byDefault())
	bob := h.in("bob", "hall")
	ada := h.in("ada~role.mod", "hall")
	bob.expect("user_joined")
	const hall = `"room":"hall"`
	data := func(json string) string { return `{"type":"message","ref":1,` + hall + `,"data":` + json + `}` }
	padded := func(size int) string { return `["` + strings.Repeat("x", size-4) + `"]` }
	for name, tt := range map[string]struct {
		within, beyond string
		code           string
	}{
		"text":          {data(`"` + strings.Repeat("é", 1000) + `"`), data(`"` + strings.Repeat("é", 1001) + `"`), "too_large"},
		"text, escaped": {data(`"` + strings.Repeat(`\u00e9`, 1000) + `"`), data(`"` + strings.Repeat(`\u00e9`, 1001) + `"`), "too_large"},
		"JSON":          {data(padded(512 << 10)), data(padded(512<<10 + 1)), "too_large"},
		"depth":         {data(arrays(10)), data(arrays(11)), "too_deep"},
		"elements":      {data(list(1000)), data(list(1001)), "too_many_elements"},
		"keys":          {data(object(100)), data(object(101)), "too_many_keys"},
		"integer":       {data(`9007199254740991`), data(`9007199254740992`), "bad_request"},
		"event": {
			`{"type":"message","ref":1,` + hall + `,"data":1,"event":"` + strings.Repeat("e", 64) + `"}`,
			`{"type":"message","ref":1,` + hall + `,"data":1,"event":"` + strings.Repeat("e", 65) + `"}`, "invalid_event",
		},
		"event's characters": {
			`{"type":"message","ref":1,` + hall + `,"data":1,"event":"AZaz09_-.:"}`,
			`{"type":"message","ref":1,` + hall + `,"data":1,"event":"a@b"}`, "invalid_event",
		},
		"message ID": {
			`{"type":"message","ref":1,` + hall + `,"data":1,"id":"` + strings.Repeat("é", 64) + `"}`,
			`{"type":"message","ref":1,` + hall + `,"data":1,"id":"` + strings.Repeat("é", 65) + `"}`, "bad_request",
		},
		"room": {
			`{"type":"join","ref":1,"room":"` + strings.Repeat("r", 64) + `"}`,
			`{"type":"join","ref":1,"room":"` + strings.Repeat("r", 65) + `"}`, "invalid_room",
		},
		"room's characters": {
			`{"type":"join","ref":1,"room":"many:AZaz09_-."}`,
			`{"type":"join","ref":1,"room":"many:a|b"}`, "invalid_room",
		},
		"user": {
			`{"type":"kick","ref":1,"room":"` + strings.Repeat("r", 64) + `","user":"` + strings.Repeat("u", 128) + `"}`,
			`{"type":"kick","ref":1,"room":"` + strings.Repeat("r", 64) + `","user":"` + strings.Repeat("u", 129) + `"}`, "bad_request",
		},
		"user's characters": {
			`{"type":"kick","ref":1,"room":"` + strings.Repeat("r", 64) + `","user":"AZaz09_-.:@+|"}`,
			`{"type":"kick","ref":1,"room":"` + strings.Repeat("r", 64) + `","user":"a/b"}`, "bad_request",
		},
	} {
		t.Run(name, func(t *testing.T) {
			ada.t, bob.t = t, t
			ada.send(tt.beyond)
			if f := ada.reply(1); f.Error == nil || f.Error.Code != tt.code {
				t.Errorf("one more: %s, want %s", f, tt.code)
			}
			bob.silent() // nothing of it was fanned out
			ada.send(tt.within)
			f := ada.reply(1)
			if f.Error != nil {
				t.Errorf("just allowed: %.300s", f.text)
			}
			if strings.HasPrefix(tt.within, `{"type":"message"`) {
				bob.expect("message")
			}
			ada.unread = nil
		})
	}
	// The user ID that an authenticator gives.
	if _, status, _, _ := h.handshake(upgrade("Authorization: Bearer " + strings.Repeat("u", 129))...); status != http.StatusUnauthorized {
		t.Errorf("a user ID of 129 bytes: %d", status)
	}
	h.connect(strings.Repeat("u", 128)).bye()
}

func TestDefaultFrames(t *testing.T) {
	h := serve(t, byDefault())
	ping := func(size int) []byte {
		const open, end = `{"type":"ping","ref":1,"padding":"`, `"}`
		return []byte(open + strings.Repeat("p", size-len(open+end)) + end)
	}
	ink := func(header, payload int) []byte {
		const open, end = `{"type":"message","ref":1,"room":"lounge","echo":false,"padding":"`, `"}`
		return binaryMessage(open+strings.Repeat("p", header-len(open+end))+end, make([]byte, payload))
	}
	deflated := func(message []byte) []byte {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(message); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xFF, 0xFF})
	}
	const compressed = 0x40
	for name, tt := range map[string]struct {
		op      byte
		message []byte
		code    string // of the reply; "closed" for 1009
	}{
		"text of 1 MiB":                         {opText, ping(1 << 20), ""},
		"text of a byte more":                   {opText, ping(1<<20 + 1), "closed"},
		"text that inflates to 1 MiB":           {opText | compressed, deflated(ping(1 << 20)), ""},
		"text that inflates to more":            {opText | compressed, deflated(ping(1<<20 + 1)), "closed"},
		"payload of 5 MiB":                      {opBinary, ink(4<<10, 5<<20), ""},
		"payload of a byte more":                {opBinary, ink(100, 5<<20+1), "too_large"},
		"payload that inflates to 5 MiB":        {opBinary | compressed, deflated(ink(100, 5<<20)), ""},
		"payload and envelope of a byte more":   {opBinary, ink(4<<10, 5<<20+1), "closed"},
		"header of a byte more than 4 KiB":      {opBinary, ink(4<<10+1, 1), "too_large"},
		"payload that inflates to far too much": {opBinary | compressed, deflated(ink(100, 16<<20)), "closed"},
		"text that inflates to far too much":    {opText | compressed, deflated(ping(1 << 24)), "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			h.t = t
			v := h.connect("ada", "Sec-WebSocket-Extensions: permessage-deflate")
			v.must("join", inRoom("lounge"))
			v.ref = 1
			_ = v.tryWrite(tt.op, tt.message) // what is too big may not be taken to its end
			if tt.code == "closed" {
				v.expectClose(1009)
				return
			}
			f := v.next()
			for f.Type == "user_left" || f.Type == "user_joined" { // of the visit before
				f = v.next()
			}
			if f.Type != "reply" && f.Type != "error" || (f.Error == nil) != (tt.code == "") || f.Error != nil && f.Error.Code != tt.code {
				t.Errorf("got %s, want %q", f, tt.code)
			}
			v.bye()
		})
	}
}

func TestDefaultCompression(t *testing.T) {
	h := serve(t, byDefault())
	v := h.connect("ada", "Sec-WebSocket-Extensions: permessage-deflate")
	v.must("join", inRoom("lounge"))
	sizes := make(map[int]bool)
	for n := 800; len(sizes) < 2 && n < 1000; n++ {
		v.send(`{"type":"message","room":"lounge","data":"` + strings.Repeat("z", n) + `"}`)
		f := v.expect("message")
		size := len(f.text)
		if f.compressed != (size > 1024) {
			t.Errorf("a frame of %d bytes: compressed is %v", size, f.compressed)
		}
		if size == 1024 || size == 1025 {
			sizes[size] = true
		}
		if n == 800 {
			n += 1024 - size - 3
		}
	}
	if len(sizes) != 2 {
		t.Errorf("only %v were sent", sizes)
	}
}

func TestDefaultRates(t *testing.T) {
	say := func(v *visitor) frame { return v.request("message", inRoom("lounge"), saying("1"), `"echo":false`) }
	limited := func(f frame) bool { return f.Error != nil && f.Error.Code == "rate_limited" }
	// people are so many visitors of the lounge, by a second for each 20.
	people := func(h *host, n int, token func(int) string) []*visitor {
		all := make([]*visitor, n)
		for i := range all {
			if i%20 == 0 {
				time.Sleep(time.Second)
			}
			all[i] = h.in(token(i), "lounge")
		}
		time.Sleep(time.Second)
		return all
	}
	ada := func(int) string { return "ada" }
	each := func(i int) string { return fmt.Sprintf("user-%d", i) }
	for name, tt := range map[string]struct {
		people int
		token  func(int) string
		burst  int // between them
		ask    func(*visitor) frame
	}{
		"messages of a connection": {1, ada, 50, say},
		"messages of a user":       {3, ada, 100, say},
		"messages to a room":       {21, each, 1000, say},
		"joins":                    {1, ada, 10, func(v *visitor) frame { return v.request("join", inRoom("hall")) }},
		"other requests":           {1, ada, 50, func(v *visitor) frame { return v.request("ping") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := servePipes(t, byDefault())
				all := people(h, tt.people, tt.token)
				for range 2 { // a second later it is the same again
					for i := range tt.burst {
						if f := tt.ask(all[i%len(all)]); f.Error != nil {
							t.Fatalf("request %d: %s", i+1, f)
						}
					}
					if f := tt.ask(all[tt.burst%len(all)]); !limited(f) {
						t.Fatalf("request %d: %s", tt.burst+1, f)
					}
					time.Sleep(time.Second)
				}
				for _, v := range all {
					v.hangUp()
				}
			})
		})
	}
	t.Run("connects", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := servePipes(t, byDefault())
			for i := range 20 {
				h.connect(each(i))
			}
			_, status, header, body := h.handshake(upgrade("Authorization: Bearer ada")...)
			if status != http.StatusTooManyRequests || !strings.Contains(body, `"rate_limited"`) || header.Get("Retry-After") == "" {
				t.Errorf("the 21st: %d %s", status, body)
			}
			time.Sleep(50 * time.Millisecond)
			h.connect("ada")
		})
	})
	t.Run("abuse", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := servePipes(t, byDefault())
			v := h.connect("ada")
			for i := range 150 {
				if f := v.request("ping"); limited(f) != (i >= 50) {
					t.Fatalf("request %d: %s", i+1, f)
				}
			}
			if err := v.tryWrite(opText, []byte(`{"type":"ping"}`)); err != nil {
				t.Fatal(err)
			}
			v.expectClose(4008)
		})
	})
}

func TestDefaultNumbers(t *testing.T) {
	tooMany := func(t *testing.T, h *host, token string) {
		t.Helper()
		_, status, header, body := h.handshake(upgrade("Authorization: Bearer " + token)...)
		if status != http.StatusTooManyRequests || !strings.Contains(body, `"too_many_connections"`) || header.Get("Retry-After") == "" {
			t.Errorf("one more: %d %s", status, body)
		}
	}
	// connect makes n connections, no faster than is allowed.
	connect := func(h *host, n int, token func(int) string) (last *visitor) {
		for i := range n {
			if i%20 == 0 {
				time.Sleep(time.Second)
			}
			last = h.connect(token(i))
		}
		time.Sleep(time.Second)
		return last
	}
	t.Run("connections of a user", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := servePipes(t, byDefault())
			last := connect(h, 20, func(int) string { return "ada" })
			tooMany(t, h, "ada")
			h.connect("bob")
			last.bye()
			synctest.Wait()
			h.connect("ada")
		})
	})
	t.Run("connections of an address", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := servePipes(t, byDefault())
			last := connect(h, 100, func(i int) string { return fmt.Sprintf("user-%d", i) })
			tooMany(t, h, "ada")
			last.bye()
			synctest.Wait()
			h.connect("ada")
		})
	})
	t.Run("rooms of a connection", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := servePipes(t, byDefault())
			v := h.connect("ada")
			for i := range 128 {
				if i%10 == 0 {
					v.pass(time.Second)
				}
				v.must("join", inRoom(fmt.Sprintf("many:%d", i)))
			}
			v.pass(time.Second)
			v.refused("too_many_rooms", "join", inRoom("many:128"))
			v.must("join", inRoom("many:0")) // again is not more
			v.must("leave", inRoom("many:1"))
			v.must("join", inRoom("many:128"))
		})
	})
	t.Run("members of a room", func(t *testing.T) {
		store := room.NewMemoryStore()
		h := serve(t, byDefault(), room.WithStore(store))
		for i := range 999 {
			id := fmt.Sprintf("user-%d", i)
			if _, err := store.Admit(t.Context(), room.Seat{Room: "hall", User: id, Connection: id, Node: "another"}, 0, 1000); err != nil {
				t.Fatal(err)
			}
		}
		ada, bob := h.connect("ada"), h.connect("bob")
		ada.must("join", inRoom("hall"))
		bob.refused("room_full", "join", inRoom("hall"))
		ada.must("leave", inRoom("hall"))
		bob.must("join", inRoom("hall"))
		ada.refused("room_full", "join", inRoom("hall"))
	})
	t.Run("connections of a node", func(t *testing.T) {
		// 100,000 connections are more than a test should open; the cap itself
		// is met with another number.
		if n := room.DefaultLimits().ConnectionsPerNode; n != 100_000 {
			t.Errorf("the default is %d", n)
		}
		h := serve(t, house(), limits(func(l *room.Limits) { l.ConnectionsPerNode = 3 }))
		for i := range 3 {
			h.connect(fmt.Sprintf("user-%d", i))
		}
		tooMany(t, h, "ada")
	})
}

func TestDefaultTimes(t *testing.T) {
	t.Run("authentication", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := servePipes(t, byDefault(), room.WithAuthenticator(auth.AuthenticatorFunc(func(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
				d, err := time.ParseDuration(c.Token)
				if err != nil {
					return auth.Identity{}, err
				}
				select {
				case <-time.After(d):
					return auth.Identity{ID: "ada"}, nil
				case <-ctx.Done():
					return auth.Identity{}, ctx.Err()
				}
			})))
			h.connect("9999ms")
			began := time.Now()
			_, status, header, body := h.handshake(upgrade("Authorization: Bearer 10001ms")...)
			if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || time.Since(began) != 10*time.Second {
				t.Errorf("%d %s after %v", status, body, time.Since(began))
			}
		})
	})
	t.Run("first message", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := servePipes(t, byDefault(), room.AllowFirstMessageToken())
			for _, d := range []time.Duration{4999 * time.Millisecond, 5001 * time.Millisecond} {
				c, _, _, _ := h.handshake(upgrade()...)
				began := time.Now()
				if d < 5*time.Second {
					time.Sleep(d)
					c.must("auth", `"token":"ada"`)
					continue
				}
				c.expectClose(4100)
				if after := time.Since(began); after != 5*time.Second {
					t.Errorf("closed after %v", after)
				}
			}
		})
	})
	t.Run("heartbeat", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := servePipes(t, byDefault())
			ada, bob := h.connect("ada"), h.connect("bob")
			began := time.Now()
			for i, v := range []*visitor{ada, bob, ada, bob} {
				// Two pings to each, that nobody answers.
				_ = v.conn.SetReadDeadline(time.Now().Add(time.Hour))
				first, _, err := v.readFrame()
				if want := time.Duration(i/2+1) * 25 * time.Second; err != nil || first != 0x80|opPing || time.Since(began) != want {
					t.Fatalf("ping %d: %#x after %v, %v", i+1, first, time.Since(began), err)
				}
			}
			time.Sleep(24999 * time.Millisecond)
			bob.write(opPong, nil)
			ada.expectCloseOrEnd(4102)
			if after := time.Since(began); after != 75*time.Second {
				t.Errorf("closed after %v", after)
			}
			bob.request("ping")
		})
	})
	t.Run("grace", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := servePipes(t, byDefault())
			bob, ada := h.in("bob", "hall"), h.in("ada", "hall")
			bob.expect("user_joined")
			ada.hangUp()
			sessions := func() int {
				list, err := h.srv.User("ada").Sessions(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return len(list)
			}
			bob.pass(9999 * time.Millisecond)
			bob.silent()
			if n := sessions(); n != 1 {
				t.Errorf("%d sessions within the grace", n)
			}
			bob.pass(2 * time.Millisecond)
			if f := bob.expect("user_left"); f.User != "ada" || f.Reason != "disconnected" {
				t.Errorf("got %s", f)
			}
			if n := sessions(); n != 0 {
				t.Errorf("%d sessions after the grace", n)
			}
		})
	})
	t.Run("session", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			sessions := auth.NewMemorySessions()
			h := servePipes(t, byDefault(), room.WithSessions(sessions))
			v := h.connect("ada")
			abandoned, err := sessions.Create(t.Context(), auth.Session{Identity: auth.Identity{ID: "ada"}})
			if err != nil {
				t.Fatal(err)
			}
			v.pass(24*time.Hour - time.Second)
			if _, err := sessions.Get(t.Context(), abandoned.ID); err != nil {
				t.Errorf("just before its time: %v", err)
			}
			v.pass(2 * time.Second)
			if _, err := sessions.Get(t.Context(), abandoned.ID); err == nil {
				t.Error("a session without activity lives for more than 24 h")
			}
			list, err := h.srv.User("ada").Sessions(t.Context())
			if err != nil || len(list) != 1 || list[0].Connection == "" {
				t.Errorf("the session of a connection that lives: %v, %v", list, err)
			}
		})
	})
	t.Run("presence", func(t *testing.T) {
		// What these times do is shown in package presence.
		l := room.DefaultLimits()
		if l.PresenceBeat != 30*time.Second || l.PresenceTimeout != 90*time.Second || l.PresenceSweep != 300*time.Second {
			t.Errorf("%v, %v, %v", l.PresenceBeat, l.PresenceTimeout, l.PresenceSweep)
		}
	})
}

// expectCloseOrEnd is expectClose for a connection whose close frame may be
// lost with it.
func (c *client) expectCloseOrEnd(status int) {
	c.t.Helper()
	f := c.next()
	for ; f.Type != "close"; f = c.next() {
		continue
	}
	if f.status != status && f.status != 1006 {
		c.t.Errorf("closed with %d, want %d", f.status, status)
	}
}

// A client is told what its limits are.
func TestDefaultsAreAnnounced(t *testing.T) {
	v := serve(t, byDefault()).connect("ada")
	var welcome struct {
		Limits    map[string]int64 `json:"limits"`
		Heartbeat int64            `json:"heartbeat_ms"`
	}
	if err := json.Unmarshal([]byte(v.welcome.text), &welcome); err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{
		"text_frame_bytes": 1 << 20, "text_chars": 1000, "json_bytes": 512 << 10, "binary_bytes": 5 << 20,
		"json_depth": 10, "array_elements": 1000, "object_keys": 100, "rooms": 128, "room_members": 1000, "connections_user": 20,
		"messages_per_second": 50, "messages_per_second_user": 100, "messages_per_second_room": 1000,
		"requests_per_second": 50, "joins_per_second": 10, "history_per_second": 50, "bytes_per_second": 4 << 20,
	}
	if !maps.Equal(welcome.Limits, want) || welcome.Heartbeat != 25_000 {
		t.Errorf("%v, heartbeat %d", welcome.Limits, welcome.Heartbeat)
	}
	if d := room.DefaultLimits(); d.Abuse != (limit.Rate{Events: 100, Per: 10 * time.Second}) || auth.DefaultSessionTTL != 24*time.Hour {
		t.Errorf("abuse %v, session TTL %v", d.Abuse, auth.DefaultSessionTTL)
	}
}
