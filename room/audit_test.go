package room_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
)

// record is one log record; groups are names with a dot.
type record struct {
	event string
	level slog.Level
	attrs map[string]slog.Value
}

func (r record) String() string { return fmt.Sprint(r.event, " ", r.level, " ", r.attrs) }

// recorder is a slog.Handler that keeps records.
type recorder struct {
	level slog.Level

	mu      sync.Mutex // protects records
	records []record
}

func (r *recorder) Enabled(_ context.Context, l slog.Level) bool { return l >= r.level }

func (r *recorder) Handle(_ context.Context, in slog.Record) error {
	out := record{event: in.Message, level: in.Level, attrs: make(map[string]slog.Value)}
	in.Attrs(func(a slog.Attr) bool {
		v := a.Value.Resolve()
		if v.Kind() != slog.KindGroup {
			out.attrs[a.Key] = v
			return true
		}
		for _, b := range v.Group() {
			out.attrs[a.Key+"."+b.Key] = b.Value.Resolve()
		}
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, out)
	return nil
}

func (r *recorder) WithAttrs([]slog.Attr) slog.Handler {
	panic("the server adds attributes to each record")
}

func (r *recorder) WithGroup(string) slog.Handler { panic("the server opens no groups") }

// take returns the records of an event, of all for "", and forgets them all.
func (r *recorder) take(event string) []record {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := slices.DeleteFunc(r.records, func(r record) bool { return event != "" && r.event != event })
	r.records = nil
	return list
}

// documented is a row of the table of log events in docs/SECURITY-MODEL.md.
type documented struct {
	levels         []string
	always, others []string
	sampled        bool
}

func documentedEvents(t *testing.T) map[string]documented {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("..", "docs", "SECURITY-MODEL.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(doc), "\n## Log events\n")
	if !ok {
		t.Fatal("there is no section of log events")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	events := make(map[string]documented)
	attr := regexp.MustCompile("`([a-z_]+)`(\\??)")
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 7 || !strings.HasPrefix(line, "| `") {
			continue
		}
		var row documented
		for _, a := range attr.FindAllStringSubmatch(cells[3], -1) {
			if a[2] == "?" {
				row.others = append(row.others, a[1])
			} else {
				row.always = append(row.always, a[1])
			}
		}
		row.levels = strings.Split(strings.ToUpper(strings.TrimSpace(cells[2])), ", ")
		row.sampled = strings.TrimSpace(cells[5]) == "yes"
		events[strings.Trim(cells[1], " `")] = row
	}
	return events
}

// The table of events has a row for each name in audit.go, and no other.
func TestEventsAreDocumented(t *testing.T) {
	events := documentedEvents(t)
	file, err := parser.ParseFile(token.NewFileSet(), "audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "event") {
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		return true
	})
	slices.Sort(names)
	if rows := slices.Sorted(maps.Keys(events)); !slices.Equal(names, rows) {
		t.Errorf("audit.go has %v, the table has %v", names, rows)
	}
}

// Every event is emitted, at its level and with its attributes, to the logger
// and to the audit handler, whose own level does not matter.
func TestEvents(t *testing.T) {
	events := documentedEvents(t)
	synctest.Test(t, func(t *testing.T) {
		log, audit := &recorder{level: slog.LevelDebug}, &recorder{level: slog.LevelError + 1}
		l := calm()
		l.Joins, l.Abuse = limit.PerMinute(5), limit.Rate{Events: 3, Per: time.Minute}
		broker, limiter, store := room.NewMemoryBroker(), new(frailty), room.NewMemoryStore().(room.NodeStore)
		h := servePipes(t, house(), room.WithBroker(broker), room.WithStore(store), room.WithLimiter(frailLimiter{limit.NewMemory(), limiter}), room.WithLogger(slog.New(log)), room.WithAudit(audit), room.WithLimits(l),
			room.AllowFirstMessageToken(),
			room.WithRooms("brief:*", room.Settings{Permission: room.Public, AllowCreate: true, KeepEmpty: time.Second}),
			room.OnMessage(func(_ context.Context, _ *room.Conn, m *room.Message) error {
				if m.Event == "panic" {
					panic("host")
				}
				if m.Event == "fail" {
					return errors.New("disk full")
				}
				return nil
			}))
		last := func(event string, attrs ...string) {
			t.Helper()
			synctest.Wait()
			list := log.take(event)
			if len(list) != 1 {
				t.Fatalf("%d records of %s: %v", len(list), event, list)
			}
			r := list[0]
			for i := 0; i < len(attrs); i += 2 {
				if got := r.attrs[attrs[i]].String(); got != attrs[i+1] {
					t.Errorf("%s: %s is %q, want %q", event, attrs[i], got, attrs[i+1])
				}
			}
			conforms(t, r, events)
		}

		_, status, _, _ := h.handshake(upgrade("Authorization: Bearer bad")...)
		if status != http.StatusUnauthorized {
			t.Fatal(status)
		}
		last("refuse", "status", "401", "code", "unauthenticated", "route", "/ws", "error", auth.ErrUnauthenticated.Error(), "conn.user", "", "conn.ip", "192.0.2.1")
		h.handshake(upgrade("Authorization: Bearer down")...)
		last("refuse", "status", "503", "code", "unavailable")
		// A writer that cannot be taken over is a mistake of the host's.
		r := httptest.NewRequest(http.MethodGet, "/ws", nil)
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
			"Sec-WebSocket-Key": sampleKey, "Authorization": "Bearer ada",
		} {
			r.Header.Set(name, value)
		}
		h.srv.ServeHTTP(httptest.NewRecorder(), r)
		last("refuse", "conn.user", "ada")
		first, _, _, _ := h.handshake(upgrade()...)
		first.send(`{"type":"auth","token":"bad"}`)
		first.expectClose(4001)
		last("refuse", "code", "unauthenticated")
		first.hangUp()

		ada := h.connect("ada")
		last("connect", "conn.user", "ada", "conn.id", adaID(h), "conn.ip", "192.0.2.1")
		ada.must("join", inRoom("hall"))
		last("join", "conn.user", "ada", "room", "hall")
		ada.refused("forbidden", "join", inRoom("vault"))
		last("refuse_join", "type", "join", "room", "vault", "code", "forbidden")
		ada.refused("forbidden", "join", inRoom("no-room-of-ours"))
		last("refuse_join", "room", "", "code", "forbidden")
		ada.must("auth", `"token":"ada"`)
		last("renew", "conn.user", "ada")
		ada.refused("forbidden", "auth", `"token":"bob"`)
		last("refuse_renew", "conn.user", "ada", "code", "forbidden")
		ada.must("create", inRoom("brief:a"))
		last("moderate", "type", "create", "room", "brief:a")
		ada.must("ban", inRoom("brief:a"), ofUser("bob"), `"reason":"why not"`)
		last("moderate", "type", "ban", "room", "brief:a", "target", "bob")
		ada.refused("invalid_event", "message", inRoom("hall"), saying("1"), `"event":"{}"`)
		last("invalid", "type", "message", "room", "hall", "code", "invalid_event")
		ada.send("{")
		ada.expect("error")
		last("invalid", "code", "invalid_json")
		ada.refused("internal", "message", inRoom("hall"), saying("1"), `"event":"panic"`)
		last("panic", "panic", "host")
		ada.refused("internal", "message", inRoom("hall"), saying("1"), `"event":"fail"`)
		last("error", "code", "internal", "error", "disk full", "conn.user", "ada")
		ada.must("leave", inRoom("hall"))
		last("leave", "room", "hall", "reason", "left")

		eve := h.connect("eve")
		for range 5 {
			eve.must("join", inRoom("hall"))
		}
		synctest.Wait()
		log.take("")
		eve.refused("rate_limited", "join", inRoom("hall"))
		last("limit", "type", "join", "room", "hall", "code", "rate_limited")
		for range 10 { // more than is allowed, all at once: told once
			_ = eve.tryWrite(opText, []byte(`{"type":"join","room":"hall"}`))
		}
		eve.expectClose(4008)
		last("abuse", "conn.user", "eve")

		bob := h.connect("bob")
		synctest.Wait()
		log.take("")
		if err := h.srv.User("bob").Revoke(t.Context()); err != nil {
			t.Fatal(err)
		}
		bob.expectClose(4004)
		synctest.Wait()
		closed := log.take("")
		for i, want := range []string{"revoke", "disconnect"} {
			if i >= len(closed) || closed[i].event != want || closed[i].attrs["conn.user"].String() != "bob" {
				t.Fatalf("%v, want %s of bob's", closed, want)
			}
			conforms(t, closed[i], events)
		}
		if code := closed[1].attrs["code"].Int64(); code != 4004 || closed[1].attrs["by_peer"].Bool() {
			t.Errorf("%v", closed[1])
		}

		ada.must("join", inRoom("hall"))
		ada.must("message", inRoom("hall"), saying("1"))
		log.take("")
		limiter.become(fails)
		ada.must("message", inRoom("hall"), saying("1"))
		last("health", "component", "limiter", "ok", "false", "error", room.ErrUnavailable.Error())
		limiter.become(well)
		ada.pass(5 * time.Second)
		last("health", "component", "limiter", "ok", "true")

		for i := range 66 { // of 33 users
			v := h.connect(fmt.Sprint("guest", i/2))
			v.must("join", inRoom("lounge"))
			defer v.hangUp()
		}
		synctest.Wait()
		grown := log.take("size")
		if len(grown) != 1 {
			t.Fatalf("%v, want one record of a room's size", grown)
		}
		conforms(t, grown[0], events)
		if grown[0].attrs["connections"].Int64() != 64 || grown[0].attrs["room"].String() != "lounge" {
			t.Errorf("%v", grown[0])
		}
		rooms := h.srv.Rooms()
		i := slices.IndexFunc(rooms, func(r room.RoomStats) bool { return r.Room == "lounge" })
		if i < 0 || rooms[i].Connections != 66 || rooms[i].Members != 33 || rooms[i].Delivered < 33 {
			t.Errorf("rooms are %+v", rooms)
		}
		if !slices.IsSortedFunc(rooms, func(a, b room.RoomStats) int { return strings.Compare(a.Room, b.Room) }) {
			t.Errorf("rooms are not in order: %+v", rooms)
		}

		// A node that says hello and then nothing.
		if _, err := broker.Publish(t.Context(), room.Message{Kind: room.KindHello, Room: "*control", From: "x", Name: "node9"}, room.Retention{}); err != nil {
			t.Fatal(err)
		}
		if err := h.srv.Room("hall").Kick(t.Context(), "eve", "why not"); err == nil {
			t.Error("a node that does not answer is no error")
		}
		last("unconfirmed", "type", "kick", "room", "hall", "nodes", "[node9]")
		ada.pass(time.Minute)
		last("expire", "room", "brief:a")

		// A node that has died.
		_, err := store.Beat(t.Context(), "node9", 0)
		if err == nil {
			_, err = store.Admit(t.Context(), room.Seat{Room: "hall", User: "zoe", Connection: "9", Node: "node9"}, 0, 10)
		}
		if err != nil {
			t.Fatal(err)
		}
		ada.pass(time.Minute)
		last("reap", "seats", "1", "users", "1")
		done := make(chan error, 1)
		go func() { done <- h.srv.Shutdown(context.Background()) }()
		ada.expectClose(4200)
		ada.hangUp()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		last("drain", "connections", "1")

		seen := make(map[string]bool)
		for _, r := range audit.take("") {
			conforms(t, r, events)
			seen[r.event] = true
		}
		for event := range events {
			if seen[event] == (event == "error") {
				t.Errorf("%s: sent to the audit handler: %v", event, seen[event])
			}
		}
	})
}

// adaID is the ID of the only connection that ada has.
func adaID(h *host) string {
	list, err := h.srv.User("ada").Sessions(context.Background())
	if err != nil || len(list) == 0 {
		h.t.Fatalf("%v, %v", list, err)
	}
	return list[0].Connection
}

// conforms compares a record with its row.
func conforms(t *testing.T, r record, events map[string]documented) {
	t.Helper()
	row, ok := events[r.event]
	if !ok {
		t.Errorf("%s is not in the table of events", r)
		return
	}
	if !slices.Contains(row.levels, r.level.String()) {
		t.Errorf("%s: the table has the levels %v", r, row.levels)
	}
	have := make(map[string]bool)
	for name := range r.attrs {
		name, _, _ = strings.Cut(name, ".")
		have[name] = true
		if name != "suppressed" && !slices.Contains(row.always, name) && !slices.Contains(row.others, name) {
			t.Errorf("%s: %s is not in the table of events", r, name)
		}
	}
	for _, name := range row.always {
		if !have[name] {
			t.Errorf("%s has no %s", r, name)
		}
	}
}

// A flood writes a bounded number of records of each kind, and the next one
// says how many were left out.
func TestFloodsAreSampled(t *testing.T) {
	const (
		flood = 500
		burst = 200
	)
	floods := map[string]func(*host, *visitor){
		"refuse_join":  func(h *host, v *visitor) { v.refused("forbidden", "join", inRoom("vault")) },
		"refuse_renew": func(h *host, v *visitor) { v.refused("forbidden", "auth", `"token":"bob"`) },
		"limit":        func(h *host, v *visitor) { v.refused("rate_limited", "history", inRoom("hall")) },
		"invalid":      func(h *host, v *visitor) { v.refused("invalid_room", "leave", inRoom("{}")) },
		"error":        func(h *host, v *visitor) { v.refused("internal", "message", inRoom("hall"), saying("1")) },
		"panic":        func(h *host, v *visitor) { v.refused("internal", "call", `"event":"panic"`) },
		"refuse": func(h *host, v *visitor) {
			r := httptest.NewRequest(http.MethodGet, "/ws", nil)
			h.srv.ServeHTTP(httptest.NewRecorder(), r)
		},
	}
	for event, row := range documentedEvents(t) {
		if row.sampled != (floods[event] != nil) {
			t.Errorf("%s: sampled is %v in the table", event, row.sampled)
		}
	}
	for event, once := range floods {
		t.Run(event, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, audit := &recorder{level: slog.LevelDebug}, &recorder{}
				h := servePipes(t, house(), room.WithLogger(slog.New(log)), room.WithAudit(audit),
					limits(func(l *room.Limits) { l.History, l.Abuse = limit.Rate{Events: 1, Per: time.Hour}, limit.Rate{} }),
					room.OnMessage(func(context.Context, *room.Conn, *room.Message) error { return errors.New("disk full") }))
				room.Handle(h.srv, "panic", func(context.Context, *room.Conn, struct{}) (int, error) { panic("host") })
				v := h.in("ada", "hall")
				v.must("history", inRoom("hall"))
				for range flood {
					once(h, v)
				}
				if n := len(log.take(event)); n != burst {
					t.Errorf("%d records of %d", n, flood)
				}
				if n := len(audit.take(event)); n != burst && event != "error" {
					t.Errorf("%d records of %d in the audit", n, flood)
				}
				// A flood of one event hides no other.
				v.must("leave", inRoom("hall"))
				if n := len(log.take("leave")); n != 1 {
					t.Errorf("%d records of another event", n)
				}
				v.must("join", inRoom("hall"))
				v.pass(49 * time.Millisecond)
				once(h, v)
				v.pass(time.Millisecond)
				log.take("")
				once(h, v)
				once(h, v)
				list := log.take(event)
				if len(list) != 1 || list[0].attrs["suppressed"].Kind() != slog.KindInt64 || list[0].attrs["suppressed"].Int64() != flood-burst+1 {
					t.Errorf("afterwards: %v, want one with suppressed=%d", list, flood-burst+1)
				}
				v.pass(10 * time.Second)
				once(h, v)
				once(h, v)
				list = log.take(event)
				if len(list) != 2 || list[0].attrs["suppressed"].Int64() != 1 || list[1].attrs["suppressed"].Kind() == slog.KindInt64 {
					t.Errorf("in the end: %v", list)
				}
				v.hangUp()
			})
		})
	}
}
