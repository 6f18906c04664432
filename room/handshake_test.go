package room_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
)

// walkHandshake goes through the handshake table.
func walkHandshake(s *transcript) {
	h := serve(s, house(), limits(func(l *room.Limits) { l.Authentication = 50 * time.Millisecond }))
	const bearer = "Authorization: Bearer ada"

	s.about("sound handshakes")
	for _, lines := range [][]string{
		upgrade(bearer),
		upgrade(bearer, "Sec-WebSocket-Protocol: wardroom.v1.json"),
		upgrade(bearer, "Sec-WebSocket-Protocol: chat, wardroom.v1.json"),
		upgrade(bearer, "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: wardroom.v1.json"),
		upgrade("Sec-WebSocket-Protocol: wardroom.v1.json, bearer.ada"),
		upgrade("Sec-WebSocket-Protocol: bearer.ada, wardroom.v1.json"),
		upgrade(bearer, "Origin: http://chat.example"),
		upgrade(bearer, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
		replace(upgrade(bearer), "Connection: Upgrade", "connection: keep-alive, UPGRADE"),
		replace(upgrade(bearer), "Upgrade: websocket", "upgrade: WebSocket"),
	} {
		s.handshake(h, 101, lines)
	}

	s.about("not a WebSocket request: 426")
	for _, lines := range [][]string{
		{"GET /ws HTTP/1.1", "Host: chat.example", bearer},
		replace(upgrade(bearer), "Connection: Upgrade", "Connection: keep-alive"),
		replace(upgrade(bearer), "Upgrade: websocket", "Upgrade: h2c"),
		replace(upgrade(bearer), "GET /ws HTTP/1.1", "GET /ws HTTP/1.0"),
		replace(upgrade(bearer), "Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"),
		without(upgrade(bearer), "Sec-WebSocket-Version"),
	} {
		s.handshake(h, 426, lines)
	}

	s.about("malformed: 400")
	for _, lines := range [][]string{
		replace(upgrade(bearer), "GET /ws HTTP/1.1", "POST /ws HTTP/1.1"),
		without(upgrade(bearer), "Sec-WebSocket-Key"),
		upgrade(bearer, "Sec-WebSocket-Key: "+sampleKey),
		upgrade(bearer, "Content-Length: 5"),
		upgrade(bearer, "Transfer-Encoding: chunked"),
		replace(upgrade(bearer), "Sec-WebSocket-Key: "+sampleKey, "Sec-WebSocket-Key: c2hvcnQ="),
		replace(upgrade(bearer), "Sec-WebSocket-Key: "+sampleKey, "Sec-WebSocket-Key: not base64 at all!!!!"),
		upgrade(bearer, "Sec-WebSocket-Protocol: chat"),
		upgrade(bearer, "Sec-WebSocket-Protocol: Wardroom.v1.json"),
		upgrade("Sec-WebSocket-Protocol: bearer.ada"),
	} {
		s.handshake(h, 400, lines)
	}

	s.about("no credential, or none that is good: 401")
	for _, lines := range [][]string{
		upgrade(),
		upgrade("Authorization: Bearer bad"),
		upgrade("Authorization: Bearer stale"),
		upgrade("Authorization: Bearer odd"),
		upgrade("Authorization: Bearer nobody"),
		upgrade("Authorization: Bearer ada~exp.-1s"),
		upgrade("Authorization: Basic YWRhOmFkYQ=="),
		upgrade("Authorization: Bearer"),
		upgrade(bearer, bearer),
		upgrade("Sec-WebSocket-Protocol: wardroom.v1.json, bearer.ada, bearer.bob"),
		replace(upgrade(), "GET /ws HTTP/1.1", "GET /ws?token=ada HTTP/1.1"),
	} {
		s.handshake(h, 401, lines)
	}

	s.about("who is asked cannot say now: 503")
	for _, token := range []string{"down", "panic", "slow"} {
		s.handshake(h, 503, upgrade("Authorization: Bearer "+token))
	}

	s.about("the page of another origin: 403")
	for _, lines := range [][]string{
		upgrade(bearer, "Origin: https://evil.example"),
		upgrade(bearer, "Origin: null"),
		upgrade(bearer, "Origin: http://chat.example.evil.example"),
		upgrade(bearer, "Origin: http://chat.example:8080"),
		upgrade(bearer, "Origin: http://chat.example/path"),
		upgrade(bearer, "Origin: http://chat.example", "Origin: http://chat.example"),
	} {
		s.handshake(h, 403, lines)
	}
	s.about("a cookie comes with the Origin of a page, or it is not taken: 403")
	cookies := serve(s, house(), room.WithCookie("session"))
	s.handshake(cookies, 403, upgrade("Cookie: session=ada"))
	s.handshake(cookies, 101, upgrade("Cookie: session=ada", "Origin: http://chat.example"))

	s.about("the host's own hook refuses: 401, 403, 429, 503")
	hooked := serve(s, house(), room.OnConnect(func(_ context.Context, c *room.Conn, _ *http.Request) error {
		switch c.Identity().ID {
		case "bob":
			return &room.Error{Code: room.CodeForbidden, Message: "Not today."}
		case "cyd":
			return &room.Error{Code: room.CodeRateLimited, RetryAfter: 1500 * time.Millisecond}
		case "dan":
			return &room.Error{Code: room.CodeUnavailable}
		case "fay":
			return &room.Error{Code: room.CodeUnauthenticated}
		}
		return fmt.Errorf("the text of a host's own error is not told")
	}))
	s.handshake(hooked, 401, upgrade("Authorization: Bearer fay"))
	s.handshake(hooked, 403, upgrade("Authorization: Bearer bob"))
	s.handshake(hooked, 429, upgrade("Authorization: Bearer cyd"))
	s.handshake(hooked, 503, upgrade("Authorization: Bearer dan"))
	s.handshake(hooked, 503, upgrade("Authorization: Bearer eve"))

	s.about("too fast, or too many: 429")
	fast := serve(s, house(), limits(func(l *room.Limits) { l.ConnectsPerIP = limit.PerMinute(1) }))
	s.handshake(fast, 101, upgrade(bearer))
	s.handshake(fast, 429, upgrade(bearer))
	for _, change := range []func(*room.Limits){
		func(l *room.Limits) { l.ConnectionsPerIP = 1 },
		func(l *room.Limits) { l.ConnectionsPerNode = 1 },
		func(l *room.Limits) { l.ConnectionsPerUser = 1 },
	} {
		h := serve(s, house(), limits(change))
		h.connect("ada")
		s.handshake(h, 429, upgrade(bearer))
	}

	s.about("the server drains: 503")
	drained := serve(s, house())
	late := drained.connect("ada")
	done := make(chan error, 1)
	go func() { done <- drained.srv.Shutdown(context.Background()) }()
	late.expect("goaway")
	s.handshake(drained, 503, upgrade(bearer))
	late.hangUp()
	if err := <-done; err != nil {
		s.Errorf("Shutdown: %v", err)
	}
	s.handshake(drained, 503, upgrade(bearer))
}

// handshake makes a handshake and writes down both sides of it.
func (s *transcript) handshake(h *host, want int, lines []string) {
	s.Helper()
	c, status, header, body := h.handshake(lines...)
	if status != want {
		s.Errorf("%v: got %d %s, want %d", lines, status, body, want)
	}
	for _, name := range []string{"Date", "Content-Length"} { // net/http's own
		header.Del(name)
	}
	if wait := header.Get("Retry-After"); wait != "" {
		if n, err := strconv.Atoi(wait); err != nil || n < 1 || n > 62 {
			s.Errorf("Retry-After %q", wait)
		}
		header.Set("Retry-After", "SECONDS")
	} else if status == 429 || status == 503 {
		s.Errorf("%d without Retry-After", status)
	}
	request := make([]string, len(lines))
	for i, line := range lines {
		request[i] = quoted(line)
	}
	answer := make([]string, 0, len(header))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			answer = append(answer, quoted(name)+":"+quoted(value))
		}
	}
	pairs := []string{"request", "[" + strings.Join(request, ",") + "]", "status", strconv.Itoa(status), "header", "{" + strings.Join(answer, ",") + "}"}
	if status == http.StatusSwitchingProtocols {
		if token := "bearer."; strings.Contains(strings.Join(answer, " "), token) {
			s.Errorf("the answer repeats the token: %v", answer)
		}
		c.expect("welcome")
		c.bye()
		// The connection is counted until the server is done with it.
		eventually(s, "the connection is gone", func() bool { return h.srv.Stats().Connections == 0 })
	} else {
		if !strings.HasSuffix(body, "}\n") {
			s.Errorf("body %q", body)
		}
		pairs = append(pairs, "body", s.steady(strings.TrimSuffix(body, "\n")))
	}
	s.add(pairs...)
}

// replace and without change lines of a handshake.
func replace(lines []string, line, by string) []string {
	i := slices.Index(lines, line)
	lines[i] = by
	return lines
}

func without(lines []string, name string) []string {
	return slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, name+":") })
}

// The first place that has a credential decides, in the order of the protocol.
func TestCredentialOrder(t *testing.T) {
	places := []struct {
		name string
		add  func(lines []string, token string) []string
	}{
		{"header", func(lines []string, token string) []string { return append(lines, "Authorization: Bearer "+token) }},
		{"cookie", func(lines []string, token string) []string { return append(lines, "Cookie: session="+token) }},
		{"subprotocol", func(lines []string, token string) []string {
			return append(lines, "Sec-WebSocket-Protocol: wardroom.v1.json, bearer."+token)
		}},
		{"query", func(lines []string, token string) []string {
			return replace(lines, "GET /ws HTTP/1.1", "GET /ws?token="+token+" HTTP/1.1")
		}},
	}
	h := serve(t, house(), room.WithCookie("session"), room.AllowQueryToken(), room.AllowFirstMessageToken())
	for i, place := range places {
		t.Run(place.name, func(t *testing.T) {
			// Every place from this one on has a credential, each another user's.
			lines := upgrade("Origin: http://chat.example")
			for j := i; j < len(places); j++ {
				lines = places[j].add(lines, "user"+strconv.Itoa(j))
			}
			c, status, _, body := h.handshake(lines...)
			if status != http.StatusSwitchingProtocols {
				t.Fatalf("%d %s", status, body)
			}
			if got, want := c.expect("welcome").User, "user"+strconv.Itoa(i); got != want {
				t.Errorf("signed in as %s, want %s", got, want)
			}

			// One that is no good is not made up for by the next.
			lines = place.add(upgrade("Origin: http://chat.example"), "bad")
			for j := i + 1; j < len(places); j++ {
				lines = places[j].add(lines, "ada")
			}
			if _, status, _, _ := h.handshake(lines...); status != http.StatusUnauthorized {
				t.Errorf("a bad token before good ones: %d, want 401", status)
			}
		})
	}
	t.Run("frame", func(t *testing.T) {
		c, _, _, _ := h.handshake(upgrade("Origin: http://chat.example")...)
		if r := c.must("auth", `"token":"ada"`); r.User != "ada" {
			t.Errorf("signed in as %q", r.User)
		}
	})
}

// What the host did not opt in to is not looked at.
func TestCredentialPlacesAreOptIn(t *testing.T) {
	h := serve(t, house())
	for name, lines := range map[string][]string{
		"cookie": upgrade("Cookie: session=ada", "Origin: http://chat.example"),
		"query":  replace(upgrade(), "GET /ws HTTP/1.1", "GET /ws?token=ada HTTP/1.1"),
		"frame":  upgrade(),
	} {
		if _, status, _, body := h.handshake(lines...); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s, want 401", name, status, body)
		}
	}
}

// Refusals come before any work on a token.
func TestAddressBeforeToken(t *testing.T) {
	h := serve(t, house(), limits(func(l *room.Limits) { l.ConnectsPerIP = limit.PerMinute(1) }))
	if _, status, _, _ := h.handshake(upgrade("Authorization: Bearer bad")...); status != http.StatusUnauthorized {
		t.Fatalf("the first: %d", status)
	}
	if _, status, _, _ := h.handshake(upgrade("Authorization: Bearer panic")...); status != http.StatusTooManyRequests {
		t.Errorf("the second: %d, want 429", status)
	}
	if strings.Contains(h.log.String(), `"panic"`) {
		t.Error("the token was looked at")
	}
}

// A token that was sent in every place it can be sent is nowhere in the log,
// nor is a query.
func TestTokensAreNotLogged(t *testing.T) {
	const canary = "canary-5f1e"
	h := serve(t, house(), room.WithCookie("session"), room.AllowQueryToken(), room.AllowFirstMessageToken())
	for _, token := range []string{canary + "~name.Canary", canary + "~what.unknown", canary + "/=="} {
		for _, lines := range [][]string{
			upgrade("Authorization: Bearer " + token),
			upgrade("Authorization: Bearer "+token, "Authorization: Bearer "+token),
			upgrade("Cookie: session="+token, "Origin: http://chat.example"),
			upgrade("Cookie: session=" + token),
			upgrade("Sec-WebSocket-Protocol: wardroom.v1.json, bearer." + token),
			upgrade("Sec-WebSocket-Protocol: bearer." + token),
			replace(upgrade(), "GET /ws HTTP/1.1", "GET /ws?token="+token+" HTTP/1.1"),
			replace(upgrade("Origin: http://"+canary), "GET /ws HTTP/1.1", "GET /ws?token="+token+"&x=%zz HTTP/1.1"),
		} {
			if c, status, _, body := h.handshake(lines...); status == http.StatusSwitchingProtocols {
				c.expect("welcome")
				c.sendf(`{"type":"auth","token":"x%s"}`, token)
				c.sendf(`{"type":"auth","token":"%s~what.unknown"}`, token)
				c.forget()
				c.bye()
			} else if strings.Contains(body, canary) {
				t.Errorf("the body repeats the token: %s", body)
			}
		}
		c, _, _, _ := h.handshake(upgrade()...)
		c.sendf(`{"type":"auth","ref":1,"token":%q}`, token)
		c.next()
		c.hangUp()
	}
	eventually(t, "all are gone", func() bool { return h.srv.Stats().Connections == 0 })
	log := h.log.String()
	if !strings.Contains(log, `"msg":"connect"`) || !strings.Contains(log, `"msg":"refuse"`) {
		t.Fatal("nothing was logged")
	}
	for line := range strings.Lines(log) {
		// The user's ID is the token up to the ~, and may be logged.
		if strings.Contains(line, "~") || strings.Contains(line, canary+"/") || strings.Contains(line, "token=") || strings.Contains(line, "%zz") {
			t.Errorf("logged: %s", line)
		}
	}
}
