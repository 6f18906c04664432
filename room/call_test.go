package room_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/validate"
)

type vote struct {
	Choice string `json:"choice"`
	Weight int    `json:"weight"`
}

type tally struct {
	Votes map[string]int `json:"votes"`
	HTML  string         `json:"html"`
}

// A typed handler is given what the client sent and answers what it returns.
func TestCall(t *testing.T) {
	h := serve(t, house())
	room.Handle(h.srv, "vote", func(ctx context.Context, c *room.Conn, v vote) (tally, error) {
		return tally{Votes: map[string]int{v.Choice: v.Weight}, HTML: "<b>" + c.Identity().ID + "</b>" + room.CallRoom(ctx)}, nil
	})
	ada := h.in("ada", "hall")
	for data, want := range map[string]string{
		`{"choice":"tea","weight":2}`:    `{"votes":{"tea":2},"html":"\u003cb\u003eada\u003c/b\u003ehall"}`,
		`{"choice":"tea","unknown":[1]}`: `{"votes":{"tea":0},"html":"\u003cb\u003eada\u003c/b\u003ehall"}`,
		`{}`:                             `{"votes":{"":0},"html":"\u003cb\u003eada\u003c/b\u003ehall"}`,
	} {
		if f := ada.request("call", `"event":"vote"`, inRoom("hall"), saying(data)); f.Error != nil || string(f.Data) != want {
			t.Errorf("%s: got %s, want %s", data, f, want)
		}
	}
	for data, where := range map[string]string{
		`[]`: "The data", `"tea"`: "The data", `1`: "The data",
		`{"choice":1}`: "data.choice", `{"weight":"two"}`: "data.weight", `{"weight":1.5}`: "data.weight",
	} {
		e := ada.refused("bad_request", "call", `"event":"vote"`, inRoom("hall"), saying(data))
		if e.ID != "" || e.Message != where+" is not what this call takes." {
			t.Errorf("%s: nothing is hidden, and it is %s: %+v", data, where, e)
		}
	}
	room.Handle(h.srv, "count", func(_ context.Context, _ *room.Conn, in map[string][]int) (int, error) { return len(in), nil })
	e := ada.refused("bad_request", "call", `"event":"count"`, saying(`{"what somebody wrote":[1,"two"]}`))
	if e.Message != "data.*.1 is not what this call takes." {
		t.Errorf("got %+v", e)
	}
	ada.refused("not_member", "call", `"event":"vote"`, inRoom("lounge"), saying(`{}`))
	ada.refused("invalid_room", "call", `"event":"vote"`, inRoom("a b"), saying(`{}`))
	ada.refused("unsupported_call", "call", `"event":"votes"`, saying(`{}`))
	ada.refused("too_deep", "call", `"event":"vote"`, saying(`{"choice":`+strings.Repeat("[", 11)+strings.Repeat("]", 11)+`}`))
	ada.silent()
}

// What a handler fails with is not told unless it was meant to be.
func TestCallErrors(t *testing.T) {
	const secret = "secret-4711"
	h := serve(t, house())
	outcomes := map[string]struct {
		err     error
		code    string
		message string
		hidden  bool
	}{
		"told":     {&room.Error{Code: room.CodeConflict, Message: "Voting is over."}, "conflict", "Voting is over.", false},
		"standard": {&room.Error{Code: room.CodeForbidden}, "forbidden", "You may not do this.", false},
		"cause":    {&room.Error{Code: room.CodeUnavailable, Cause: errors.New(secret)}, "unavailable", "", true},
		"wrapped":  {fmt.Errorf("%s: %w", secret, &room.Error{Code: room.CodeConflict}), "conflict", "", false},
		"plain":    {errors.New(secret), "internal", "Something went wrong on the server.", true},
		"deadline": {fmt.Errorf("%s: %w", secret, context.DeadlineExceeded), "timeout", "It took too long.", true},
		"store":    {fmt.Errorf("%s: %w", secret, room.ErrUnavailable), "unavailable", "", true},
		"own code": {&room.Error{Code: "out_of_tea", Message: "There is no tea."}, "out_of_tea", "There is no tea.", false},
		"no text":  {&room.Error{Code: "out_of_milk", Cause: errors.New(secret)}, "out_of_milk", "Something went wrong on the server.", true},
	}
	room.Handle(h.srv, "try", func(_ context.Context, _ *room.Conn, what string) (int, error) {
		if what == "panic" {
			panic(secret)
		}
		return 0, outcomes[what].err
	})
	room.Handle(h.srv, "channel", func(context.Context, *room.Conn, struct{}) (chan int, error) { return make(chan int), nil })
	ada := h.connect("ada")
	for what, want := range outcomes {
		e := ada.refused(want.code, "call", `"event":"try"`, saying(`"`+what+`"`))
		if strings.Contains(e.Message, secret) || want.message != "" && e.Message != want.message {
			t.Errorf("%s: the client is told %q", what, e.Message)
		}
		if (e.ID != "") != want.hidden {
			t.Errorf("%s: id %q", what, e.ID)
		}
		if e.ID != "" && !lineHolds(h.log.String(), e.ID, secret) {
			t.Errorf("%s: the log does not have the cause beside the id", what)
		}
	}
	for _, request := range [][]string{{`"event":"try"`, saying(`"panic"`)}, {`"event":"channel"`}} {
		if e := ada.refused("internal", "call", request...); e.ID == "" || strings.Contains(e.Message, secret) {
			t.Errorf("%v: %+v", request, e)
		}
	}
	ada.silent()
}

// lineHolds reports whether one line of the log holds both.
func lineHolds(log, one, other string) bool {
	for line := range strings.Lines(log) {
		if strings.Contains(line, one) && strings.Contains(line, other) {
			return true
		}
	}
	return false
}

// The last handler of an event is the one that counts, also while it is served.
func TestCallIsReplaced(t *testing.T) {
	h := serve(t, house())
	ada := h.connect("ada")
	ada.refused("unsupported_call", "call", `"event":"n"`)
	for n := range 3 {
		room.Handle(h.srv, "n", func(context.Context, *room.Conn, struct{}) (int, error) { return n, nil })
		if f := ada.request("call", `"event":"n"`); string(f.Data) != fmt.Sprint(n) {
			t.Errorf("got %s, want %d", f, n)
		}
	}
}

// An event that cannot be one is a mistake of the program.
func TestHandlePanics(t *testing.T) {
	h := serve(t, house())
	for _, event := range []string{"", "a b", "{}", strings.Repeat("e", 65)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Handle(%q) did not panic", event)
				}
			}()
			room.Handle(h.srv, event, func(context.Context, *room.Conn, int) (int, error) { return 0, nil })
		}()
	}
}

// Requests of one connection are done one after the other, those of others
// meanwhile.
func TestCallsOfOneConnectionKeepOrder(t *testing.T) {
	h := serve(t, house())
	release := make(chan struct{})
	room.Handle(h.srv, "wait", func(context.Context, *room.Conn, struct{}) (int, error) { <-release; return 1, nil })
	ada, bob := h.connect("ada"), h.connect("bob")
	ada.send(`{"type":"call","ref":50,"event":"wait"}`)
	ada.send(`{"type":"ping","ref":51}`)
	bob.must("ping")
	close(release)
	ada.reply(50)
	ada.reply(51)
}

// What breaks a rule for content is told with its place, unless that is all of
// it, and without what somebody wrote.
func TestFaultsSayWhere(t *testing.T) {
	short := validate.Rules{
		Limits: validate.Limits{Keys: 2, TextChars: 5},
		Schema: validate.SchemaFunc(func(data []byte) error {
			if string(data) == `{"option":4}` {
				return &validate.Error{Code: validate.CodeBadRequest, Path: "data.option", Message: "There are three options."}
			}
			return nil
		}),
	}
	h := serve(t, room.WithRooms("hall", room.Settings{Permission: room.Public, Rules: &short}))
	ada := h.in("ada", "hall")
	for data, want := range map[string]string{
		`{"option":4}`:                     "There are three options. (data.option)",
		`{"a":[{"b":1,"c":2,"d":3}]}`:      "An object has more than 2 keys. (data.a[0])",
		`{"my diary":{"b":1,"c":2,"d":3}}`: "An object has more than 2 keys. (data.*)",
		`{"b":1,"c":2,"d":3}`:              "An object has more than 2 keys.",
		`"too long"`:                       "The text is longer than 5 characters.",
	} {
		f := ada.request("message", inRoom("hall"), saying(data))
		if f.Error == nil || f.Error.Message != want || f.Error.ID != "" {
			t.Errorf("%s: got %s, want %q", data, f, want)
		}
	}
	ada.silent()
}
