package room_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/room"
)

// canary is in every secret that the tests of this file send.
const canary = "c4n4ry"

// watched is a server whose every record goes to a text handler, a JSON
// handler, both from debug on, and the audit handler.
type watched struct {
	*host
	texts, lines, audit *logbook
}

// watch starts a server under a subtree of paths and behind a trusted proxy,
// that takes tokens from everywhere.
func watch(t *testing.T, opts ...room.Option) *watched {
	t.Helper()
	w := &watched{texts: new(logbook), lines: new(logbook), audit: new(logbook)}
	debug := &slog.HandlerOptions{Level: slog.LevelDebug}
	srv, err := room.New(append([]room.Option{
		room.WithLogger(slog.New(both{slog.NewTextHandler(w.texts, debug), slog.NewJSONHandler(w.lines, debug)})),
		room.WithAudit(slog.NewJSONHandler(w.audit, nil)),
		room.WithLimits(calm()), room.WithCookie("session"), room.WithTrustedProxies("127.0.0.0/8"),
		room.AllowQueryToken(), room.AllowFirstMessageToken(),
		room.WithRooms("hall", room.Settings{Permission: room.Public, History: room.Keep(10, time.Hour), Moderators: []string{"mod"}}),
		room.WithRooms("club:*", room.Settings{Permission: room.Private, AllowCreate: true}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws/{rest...}", srv)
	web := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: patience}
	served := make(chan struct{})
	go func() { defer close(served); _ = web.Serve(listener) }()
	w.host = &host{t: t, srv: srv, log: w.texts, open: func() net.Conn {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx)
		_ = web.Close()
		<-served
	})
	return w
}

// both are two handlers as one.
type both [2]slog.Handler

func (b both) Enabled(ctx context.Context, l slog.Level) bool {
	return b[0].Enabled(ctx, l) || b[1].Enabled(ctx, l)
}

func (b both) Handle(ctx context.Context, r slog.Record) error {
	return errors.Join(b[0].Handle(ctx, r.Clone()), b[1].Handle(ctx, r.Clone()))
}

func (b both) WithAttrs(attrs []slog.Attr) slog.Handler {
	return both{b[0].WithAttrs(attrs), b[1].WithAttrs(attrs)}
}

func (b both) WithGroup(name string) slog.Handler {
	return both{b[0].WithGroup(name), b[1].WithGroup(name)}
}

// quiet waits until nobody is connected and returns what was logged.
func (w *watched) quiet() map[string]string {
	w.t.Helper()
	eventually(w.t, "all are gone", func() bool { return w.srv.Stats().Connections == 0 })
	return map[string]string{"text": w.texts.String(), "JSON": w.lines.String(), "audit": w.audit.String()}
}

// unlogged checks that no secret is in any log, and that something is.
func (w *watched) unlogged(secret string, events ...string) {
	w.t.Helper()
	for name, log := range w.quiet() {
		for line := range strings.Lines(log) {
			if strings.Contains(strings.ToLower(line), secret) {
				w.t.Errorf("%s log: %s", name, line)
			}
		}
		for _, event := range events {
			if !strings.Contains(log, `"msg":"`+event+`"`) && !strings.Contains(log, "msg="+event+" ") {
				w.t.Errorf("no %s in the %s log", event, name)
			}
		}
	}
}

// shows that a refusal repeats nothing: neither its body nor its headers, nor
// a frame, nor the reason of a close frame.
func (w *watched) repeatsNothing(what string, said ...string) {
	w.t.Helper()
	for _, s := range said {
		if strings.Contains(strings.ToLower(s), canary) {
			w.t.Errorf("the answer to %s repeats it: %s", what, s)
		}
	}
}

// keeper accepts tokens that begin with the canary and a dot. Everything about
// whom they name, but the ID, has the canary too.
func keeper(_ context.Context, c auth.Credentials) (auth.Identity, error) {
	user, ok := strings.CutPrefix(c.Token, canary+".")
	if !ok {
		return auth.Identity{}, auth.ErrUnauthenticated
	}
	user, _, stale := strings.Cut(user, ".stale")
	if stale {
		return auth.Identity{}, fmt.Errorf("key 7: %w", auth.ErrExpired)
	}
	id := auth.Identity{ID: user, Name: canary + " name", Claims: map[string]any{"email": canary + "@example.com"}, Roles: []string{canary}}
	if user == "mod" {
		id.Roles = append(id.Roles, "mod")
	}
	return id, nil
}

// secretLines are handshakes with a secret in every place that a request has.
func secretLines() map[string][]string {
	bare := func(more ...string) []string {
		return replace(upgrade(more...), "GET /ws HTTP/1.1", "GET /ws/ HTTP/1.1")
	}
	target := func(target string, more ...string) []string {
		return replace(bare(more...), "GET /ws/ HTTP/1.1", "GET "+target+" HTTP/1.1")
	}
	good, bad := canary+".ada", "bad-"+canary
	own := "Origin: http://chat.example"
	basic := []string{"Authorization: Bearer " + good}
	lines := map[string][]string{
		"Authorization":                  bare("Authorization: Bearer " + bad),
		"Authorization, accepted":        bare(basic...),
		"Authorization of another kind":  bare("Authorization: Basic " + canary),
		"Authorization twice":            bare(append(basic, "Authorization: Bearer "+bad)...),
		"Authorization, malformed":       bare("Authorization: Bearer {" + canary + "}"),
		"Authorization, too long":        bare("Authorization: Bearer " + strings.Repeat(canary, 2000)),
		"cookie":                         bare("Cookie: session="+bad, own),
		"cookie, accepted":               bare("Cookie: session="+good, own),
		"cookie without Origin":          bare("Cookie: session=" + good),
		"two cookies":                    bare("Cookie: session="+bad+"; session="+good, own),
		"another cookie":                 bare("Cookie: " + canary + "=" + canary),
		"subprotocol":                    bare("Sec-WebSocket-Protocol: wardroom.v1.json, bearer." + bad),
		"subprotocol, accepted":          bare("Sec-WebSocket-Protocol: wardroom.v1.json, bearer." + good),
		"subprotocol, twice":             bare("Sec-WebSocket-Protocol: wardroom.v1.json, bearer." + good + ", bearer." + bad),
		"subprotocol alone":              bare("Sec-WebSocket-Protocol: bearer." + good),
		"a subprotocol of the client's":  bare("Sec-WebSocket-Protocol: " + canary),
		"query":                          target("/ws/?token=" + bad),
		"query, accepted":                target("/ws/?token=" + good),
		"query, twice":                   target("/ws/?token=" + good + "&token=" + bad),
		"query, malformed":               target("/ws/?token=%zz" + canary),
		"another parameter":              target("/ws/?"+canary+"="+canary, basic...),
		"path":                           target("/ws/"+canary, basic...),
		"path, refused":                  target("/ws/"+canary+"%0A"+canary, "Authorization: Bearer bad"),
		"absolute target":                target("http://"+canary+".example/ws/"+canary, basic...),
		"Origin":                         bare(append(basic, "Origin: https://"+canary+".example")...),
		"Origin, malformed":              bare(append(basic, "Origin: "+canary)...),
		"Origin twice":                   bare(append(basic, own, "Origin: http://"+canary)...),
		"X-Forwarded-For":                bare(append(basic, "X-Forwarded-For: "+canary)...),
		"X-Forwarded-For with addresses": bare(append(basic, "X-Forwarded-For: "+canary+", 203.0.113.7")...),
		"X-Forwarded-For, refused":       bare("X-Forwarded-For: 203.0.113.7, "+canary, "Authorization: Bearer "+bad),
		"other headers of proxies":       bare(append(basic, "X-Real-IP: "+canary, "Forwarded: for="+canary, "X-Forwarded-Host: "+canary)...),
		"headers that browsers send":     bare(append(basic, "User-Agent: "+canary, "Referer: http://"+canary+"/", "Accept-Language: "+canary)...),
		"a header of one's own":          bare(append(basic, "X-"+canary+": "+canary)...),
		"extension":                      bare(append(basic, "Sec-WebSocket-Extensions: "+canary)...),
		"extension's parameter":          bare(append(basic, "Sec-WebSocket-Extensions: permessage-deflate; "+canary+"="+canary)...),
		"version":                        replace(bare(basic...), "Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: "+canary),
		"key":                            replace(bare(basic...), "Sec-WebSocket-Key: "+sampleKey, "Sec-WebSocket-Key: "+canary),
		"Upgrade":                        replace(bare(basic...), "Upgrade: websocket", "Upgrade: "+canary),
		"Connection":                     replace(bare(basic...), "Connection: Upgrade", "Connection: "+canary),
		"method":                         replace(bare(basic...), "GET /ws/ HTTP/1.1", strings.ToUpper(canary)+" /ws/ HTTP/1.1"),
		"Host":                           replace(bare(basic...), "Host: chat.example", "Host: "+canary+".example"),
		"Host and Origin":                replace(bare(append(basic, "Origin: https://"+canary+".example")...), "Host: chat.example", "Host: "+canary+".example"),
	}
	return lines
}

// secretRequests are envelopes with a secret in every place that one has; a
// signed-in member of hall sends them. The IDs of rooms and users that exist
// are logged, so none of them is a secret here.
func secretRequests() []string {
	const c = canary
	long := strings.Repeat(c, 200)
	return []string{
		// Not a request at all, or none that there is.
		c, `{"` + c, `"` + c + `"`, `["` + c + `"]`, `{"type":"` + c + `"}`, `{"` + c + `":1}`, `{"type":1,"` + c + `":1}`,
		`{"type":"ping","type":"` + c + `"}`, `{"type":"ping","ref":"` + c + `"}`, `{"type":"ping","` + c + `":"` + c + `"}`,
		`{"type":"ping","__proto__":"` + c + `"}`, "{\"type\":\"ping\",\"x\":\"" + c + "\u0001\"}",
		// Renewal.
		`{"type":"auth","token":"` + c + `.ada"}`, `{"type":"auth","token":"` + c + `.bob"}`, `{"type":"auth","token":"bad-` + c + `"}`,
		`{"type":"auth","token":"` + c + `.ada.stale"}`, `{"type":"auth","token":"` + c + `\n"}`, `{"type":"auth","token":"` + strings.Repeat(c, 2000) + `"}`,
		`{"type":"auth","token":["` + c + `"]}`,
		// Rooms.
		`{"type":"join","room":"` + c + `"}`, `{"type":"join","room":"` + c + `/{x}"}`, `{"type":"join","room":"` + long + `"}`,
		`{"type":"join","room":"hall","since":{"epoch":"` + c + `","offset":3}}`, `{"type":"join","room":"hall","since":"` + c + `"}`,
		`{"type":"leave","room":"` + c + `"}`, `{"type":"history","room":"` + c + `"}`, `{"type":"members","room":"hall","after":"` + c + `"}`,
		`{"type":"history","room":"hall","after":"` + c + `"}`, `{"type":"create","room":"` + c + `"}`,
		`{"type":"create","room":"club:a","permission":"` + c + `"}`, `{"type":"create","room":"club:a","roles":["` + c + `{}"]}`,
		`{"type":"create","room":"club:a","invited":["` + c + `{}"]}`, `{"type":"create","room":"club:a","roles":["` + c + `"],"invited":["` + c + `"]}`,
		`{"type":"update","room":"club:a","max_members":99999,"roles":["` + c + `"]}`, `{"type":"update","room":"club:a","invited":["` + c + `"]}`,
		// What is said.
		`{"type":"message","room":"hall","data":"` + c + `"}`, `{"type":"message","room":"hall","event":"` + c + `","data":{"` + c + `":"` + c + `"}}`,
		`{"type":"message","room":"hall","event":"` + c + `/","data":1}`, `{"type":"message","room":"hall","id":"` + c + `","data":1}`,
		`{"type":"message","room":"hall","id":"` + long + `","data":1}`, `{"type":"message","room":"hall","data":"` + long + `"}`,
		`{"type":"message","room":"` + c + `","data":"` + c + `"}`, `{"type":"message","room":"hall","data":["` + c + `",90071992547409930]}`,
		`{"type":"message","room":"hall","data":[[[[[[[[[[["` + c + `"]]]]]]]]]]]}`, `{"type":"message","room":"hall","data":{"a":"` + c + `","a":"` + c + `"}}`,
		`{"type":"message","room":"hall","data":["` + c + `\ud800"]}`,
		`{"type":"edit","room":"hall","target":1,"data":"` + c + `"}`, `{"type":"edit","room":"hall","target":1,"data":"` + long + `"}`,
		`{"type":"edit","room":"hall","target":"` + c + `","data":1}`,
		`{"type":"redact","room":"hall","target":1,"reason":"` + c + `"}`, `{"type":"redact","room":"hall","target":99,"reason":"` + long + `"}`,
		// Presence.
		`{"type":"presence","status":"` + c + `"}`, `{"type":"presence","status":"away","meta":{"` + c + `":"` + c + `"}}`,
		`{"type":"presence","status":"away","meta":"` + c + `"}`, `{"type":"presence","status":"away","meta":{"__proto__":"` + c + `"}}`,
		`{"type":"presence","room":"` + c + `","status":"away"}`,
		// Moderation.
		`{"type":"kick","room":"hall","user":"` + c + `{}","reason":"` + c + `"}`, `{"type":"kick","room":"hall","user":"bob","reason":"` + c + `"}`,
		`{"type":"ban","room":"hall","user":"bob","reason":"` + c + `","for_ms":1}`, `{"type":"mute","room":"hall","user":"bob","reason":"` + long + `"}`,
		`{"type":"mute","room":"hall","user":"bob","for_ms":"` + c + `"}`, `{"type":"invite","room":"` + c + `","user":"` + c + `"}`,
		// Calls.
		`{"type":"call","event":"` + c + `"}`, `{"type":"call","event":"` + c + `{}"}`, `{"type":"call","event":"add","data":"` + c + `"}`,
		`{"type":"call","event":"add","room":"` + c + `","data":1}`, `{"type":"call","event":"tell","data":"` + c + `"}`,
	}
}

// A secret in every place where a client can put one is in no log, whatever
// its form and level, and in no refusal.
func TestCanary(t *testing.T) {
	tickets, err := auth.NewTickets(auth.NewMemoryTickets())
	if err != nil {
		t.Fatal(err)
	}
	w := watch(t, room.WithAuthenticator(auth.Any(tickets, auth.AuthenticatorFunc(keeper))))
	room.Handle(w.srv, "add", func(_ context.Context, _ *room.Conn, n int) (int, error) { return n + 1, nil })
	room.Handle(w.srv, "tell", func(context.Context, *room.Conn, string) (int, error) { return 0, errors.New("disk full") })
	for what, lines := range secretLines() {
		c, status, header, body := w.handshake(lines...)
		if status != http.StatusSwitchingProtocols {
			w.repeatsNothing(what, body, fmt.Sprint(header))
			continue
		}
		w.repeatsNothing(what, fmt.Sprint(header))
		c.bye()
	}

	// The first message, of which each is the last unless it signs in.
	for _, first := range append(secretRequests(), `{"type":"auth","token":"bad-`+canary+`","ref":1}`, `{"type":"auth","token":"`+canary+`.ada"}`) {
		c, _, _, _ := w.handshake(replace(upgrade(), "GET /ws HTTP/1.1", "GET /ws/ HTTP/1.1")...)
		c.send(first)
		c.send("{}")
		for f := c.next(); f.Type == "error" || f.Type == "reply"; f = c.next() {
			if f.Error != nil {
				w.repeatsNothing(first, f.text)
			}
			if f.Error != nil && f.Error.Code == "bad_request" {
				break
			}
		}
		c.hangUp()
	}

	for _, user := range []string{"ada", "mod"} {
		c, status, _, body := w.handshake(replace(upgrade("Authorization: Bearer "+canary+"."+user), "GET /ws HTTP/1.1", "GET /ws/ HTTP/1.1")...)
		if status != http.StatusSwitchingProtocols {
			t.Fatalf("%d %s", status, body)
		}
		c.expect("welcome")
		c.must("join", inRoom("hall"))
		for _, text := range secretRequests() {
			c.send(text)
		}
		c.sendBinary(`{"type":"message","room":"hall","id":"`+canary+`"}`, []byte(canary))
		c.sendBinary(`{"type":"message","room":"hall","`+canary+`"}`, []byte(canary))
		c.write(opPing, []byte(canary))
		c.request("ping")
		for _, f := range c.unread {
			if f.Error != nil {
				w.repeatsNothing("a request", f.text)
			}
		}
		c.unread = nil
		if user == "mod" {
			c.write(opClose, append([]byte{0x03, 0xE8}, canary...))
		} else {
			c.write(opText, []byte(canary+"\xff")) // closes with 1007
		}
		f := c.next()
		for ; f.Type != "close"; f = c.next() {
			continue
		}
		if user != "mod" {
			w.repeatsNothing("text that is no UTF-8", f.Reason)
		}
		c.hangUp()
	}

	// Tickets are as secret as tokens, before and after their one use.
	ticket, _, err := tickets.Mint(t.Context(), auth.Identity{ID: "tia"})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{ticket, ticket, auth.TicketPrefix + canary, ticket + canary} {
		c, status, header, body := w.handshake(replace(upgrade("Sec-WebSocket-Protocol: wardroom.v1.json, bearer."+token), "GET /ws HTTP/1.1", "GET /ws/ HTTP/1.1")...)
		if strings.Contains(body+fmt.Sprint(header), token) {
			t.Errorf("the answer repeats the ticket: %v %s", header, body)
		}
		if status == http.StatusSwitchingProtocols {
			c.expect("welcome")
			c.sendf(`{"type":"auth","token":%q}`, ticket)
			c.next()
			c.bye()
		}
	}
	w.unlogged(strings.ToLower(ticket))
	w.unlogged(canary, "connect", "disconnect", "refuse", "refuse_renew", "renew", "join", "refuse_join", "leave", "invalid", "moderate")
}

// Nothing that a client sends begins a line of a log, not even where the
// host's own code puts it into an error.
func TestLogLinesCannotBeForged(t *testing.T) {
	forged := []string{"\nforged", "\r\nforged", "\u2028forged", "\u0085forged", "\x1b[2J\nforged", "\"\nforged"}
	w := watch(t, room.WithAuthenticator(auth.AuthenticatorFunc(func(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
		if user, ok := strings.CutPrefix(c.Token, "no-"); ok {
			return auth.Identity{}, errors.New("no such user:" + forged[len(user)])
		}
		return gate(ctx, c)
	})), room.OnMessage(func(_ context.Context, _ *room.Conn, m *room.Message) error {
		var text string
		if err := json.Unmarshal(m.Data, &text); err != nil {
			return err
		}
		if strings.HasPrefix(text, "panic") {
			panic(text)
		}
		return errors.New(text)
	}))
	line := "GET /ws/%0Aforged%0D%0A HTTP/1.1"
	for i := range forged {
		w.handshake(replace(upgrade("Authorization: Bearer no-"+strings.Repeat("x", i)), "GET /ws HTTP/1.1", line)...)
	}
	c, _, _, _ := w.handshake(replace(upgrade("Authorization: Bearer ada~role.mod"), "GET /ws HTTP/1.1", line)...)
	c.expect("welcome")
	c.must("join", inRoom("hall"))
	for _, f := range forged {
		quoted, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		text := string(quoted)
		c.send(`{"type":"join","room":` + text + `}`)
		c.send(`{"type":"kick","room":"hall","user":` + text + `}`)
		c.send(`{"type":"kick","room":"hall","user":"bob","reason":` + text + `}`)
		c.send(`{"type":` + text + `}`)
		c.send(`{"type":"auth","token":` + text + `}`)
		c.send(`{"type":"message","room":"hall","data":` + text + `}`)
		c.send(`{"type":"message","room":"hall","data":"panic` + text[1:] + `}`)
	}
	c.forget()
	c.bye()
	logs := w.quiet()
	for name, log := range logs {
		if name != "audit" && strings.Count(log, "forged") < 2*len(forged) {
			t.Errorf("%s: the host's errors are not logged:\n%s", name, log)
		}
		for line := range strings.Lines(log) {
			ok := strings.HasPrefix(line, "time=") && strings.Contains(line, " level=") && !strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\r\x1b\u2028\u0085")
			if name != "text" {
				var record struct {
					Time time.Time `json:"time"`
				}
				ok = json.Unmarshal([]byte(line), &record) == nil && !record.Time.IsZero()
			}
			if !ok {
				t.Errorf("%s: not a record: %q", name, line)
			}
		}
	}
}
