package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// canary stands for a secret; no output may hold it.
const canary = "canary-4711"

// printed is v in every form in which a log may show it.
func printed(tb testing.TB, v any) string {
	tb.Helper()
	var out bytes.Buffer
	opts := &slog.HandlerOptions{Level: slog.LevelDebug}
	type outer struct{ Inner any }
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, opts), slog.NewJSONHandler(&out, opts)} {
		slog.New(h).Debug("event", "v", v, "nested", outer{v}, "list", []any{v})
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, format+"\n", v)
		fmt.Fprintf(&out, format+"\n", outer{v})
	}
	if err := json.NewEncoder(&out).Encode(v); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

func TestCredentialsAreNeverPrinted(t *testing.T) {
	r := httptest.NewRequest("GET", "/ws?token="+canary, nil)
	r.Header.Set("Authorization", "Bearer "+canary)
	c := Credentials{Token: canary, Source: SourceHeader, Request: r, RemoteIP: netip.MustParseAddr("192.0.2.7")}
	for _, v := range []any{c, &c} {
		out := printed(t, v)
		// %x and %d show strings as digits.
		for _, secret := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%d", []byte(canary)[:6])} {
			if strings.Contains(out, secret) {
				t.Errorf("%T shows its token:\n%s", v, out)
			}
		}
		for _, want := range []string{"header", "192.0.2.7"} {
			if !strings.Contains(out, want) {
				t.Errorf("%T does not show %q:\n%s", v, want, out)
			}
		}
	}
	if s := (Credentials{}).String(); !strings.Contains(s, "no token") {
		t.Error(s)
	}
}

func TestIdentityLogsNoPersonalData(t *testing.T) {
	id := Identity{ID: "ada", TokenID: "jti-1", Name: canary, Claims: map[string]any{"email": canary}}
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	log.Info("event", "user", id)
	log.Info(fmt.Sprintf("%v %+v %#v %s %d", id, id, id, &id, id))
	if strings.Contains(out.String(), canary) {
		t.Errorf("shows name or claims: %s", &out)
	}
	for _, want := range []string{"user.id=ada", "user.token_id=jti-1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("does not show %q: %s", want, &out)
		}
	}
}

// Personal data that a session or a ticket holds stays out of logs, wherever the value stands in one.
func TestSessionsAndTicketsLogNoPersonalData(t *testing.T) {
	id := Identity{ID: "ada", Name: canary, Claims: map[string]any{"email": canary}}
	s := Session{ID: "session-1", Identity: id, Node: "node-1", Connection: "connection-1"}
	ticket := Ticket{Identity: id}
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("event", "session", s, "ticket", ticket)
	}
	fmt.Fprintf(&out, "%v %+v %#v %v %+v %#v", s, s, s, ticket, ticket, ticket)
	if strings.Contains(out.String(), canary) {
		t.Error(out.String())
	}
	for _, want := range []string{"session.id=session-1", "session.user=ada", "session.node=node-1", "ticket.user=ada"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("does not show %q: %s", want, &out)
		}
	}
}

// No error of Tickets has a ticket in it, nor has what it returns but the ticket itself.
func TestTicketsAreNeverPrinted(t *testing.T) {
	tickets, err := NewTickets(NewMemoryTickets())
	if err != nil {
		t.Fatal(err)
	}
	ticket, _, err := tickets.Mint(t.Context(), Identity{ID: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	c := Credentials{Token: ticket, Source: SourceSubprotocol}
	var out strings.Builder
	for range 2 {
		id, err := tickets.Authenticate(t.Context(), c)
		fmt.Fprintf(&out, "%v %+v %#v %v %+v %#v", c, id, id, err, err, err)
	}
	fmt.Fprintf(&out, "%v %+v", tickets, tickets)
	if strings.Contains(out.String(), strings.TrimPrefix(ticket, TicketPrefix)) {
		t.Error(out.String())
	}
}
