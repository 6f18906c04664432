package roomtest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/wardroom/wardroom/room"
)

// wildcard is the type of Anything.
type wildcard string

// Anything stands for data that a test does not care about.
const Anything wildcard = "anything"

// ExpectMessage waits for a message in a room and compares it with data, which
// is marshalled to JSON, or a []byte for a binary message, or [Anything].
//
// It is the oldest message with the default event, "message", that the room has
// for this client and that has not been expected yet: with several, expecting
// them in turn shows that they came in that order.
func (c *Client) ExpectMessage(name string, data any) *Frame {
	c.t.Helper()
	return c.ExpectEvent(name, "message", data)
}

// ExpectEvent is [Client.ExpectMessage] for the messages of another event.
func (c *Client) ExpectEvent(name, event string, data any) *Frame {
	c.t.Helper()
	want, err := newWant(data)
	if err != nil {
		c.t.Fatalf("roomtest: %s: the data expected cannot be written as JSON: %v", c.name, err)
	}
	f := c.Await(fmt.Sprintf("%s %q in %q with %v", "a message", event, name, want), func(f *Frame) bool {
		return f.Type == "message" && f.Room == name && f.Event == event
	})
	if !want.is(f) {
		c.fail("expected a message %q in %q with %v\nbut the next one is %v", event, name, want, f)
	}
	return f
}

// want is the data that a test expects.
type want struct {
	any     bool
	binary  bool
	payload []byte // or JSON
}

func newWant(data any) (want, error) {
	switch data := data.(type) {
	case wildcard:
		return want{any: true}, nil
	case []byte:
		return want{binary: true, payload: data}, nil
	}
	b, err := json.Marshal(data)
	return want{payload: b}, err
}

func (w want) String() string {
	switch {
	case w.any:
		return "any data"
	case w.binary:
		return fmt.Sprintf("%d bytes %.60q", len(w.payload), w.payload)
	}
	return fmt.Sprintf("%.600s", w.payload)
}

func (w want) is(f *Frame) bool {
	switch {
	case w.any:
		return true
	case w.binary:
		return f.Binary && bytes.Equal(f.Payload, w.payload)
	case f.Binary:
		return false
	}
	a, b := jsontext.Value(w.payload).Clone(), jsontext.Value(f.Data).Clone()
	return a.Canonicalize() == nil && b.Canonicalize() == nil && bytes.Equal(a, b)
}

// ExpectJoined waits for a user_joined in a room, which must be of this user.
func (c *Client) ExpectJoined(name, user string) *Frame {
	c.t.Helper()
	return c.ofUser("user_joined", name, user)
}

// ExpectLeft waits for a user_left in a room, which must be of this user.
func (c *Client) ExpectLeft(name, user string) *Frame {
	c.t.Helper()
	return c.ofUser("user_left", name, user)
}

func (c *Client) ofUser(typ, name, user string) *Frame {
	c.t.Helper()
	f := c.Await(fmt.Sprintf("%s of %q in %q", typ, user, name), ofType(typ, name))
	if f.User != user {
		c.fail("expected %s of %q in %q\nbut the next one is %v", typ, user, name, f)
	}
	return f
}

// Expect waits for the oldest frame of a type, such as room_updated, in a room,
// or in any where name is empty, that has not been expected yet.
func (c *Client) Expect(typ, name string) *Frame {
	c.t.Helper()
	return c.Await(describeFrame(typ, name), ofType(typ, name))
}

func ofType(typ, name string) func(*Frame) bool {
	return func(f *Frame) bool { return f.Type == typ && (name == "" || f.Room == name) }
}

func describeFrame(typ, name string) string {
	if name == "" {
		return typ
	}
	return fmt.Sprintf("%s in %q", typ, name)
}

// ExpectError waits for an error that answers no request, which must have this
// code. One that answers a request is [Pending.ExpectError]'s.
func (c *Client) ExpectError(code room.Code) *Fault {
	c.t.Helper()
	f := c.Await("an error "+string(code), ofType("error", ""))
	if f.Fault == nil || f.Fault.Code != code {
		c.fail("expected an error %s\nbut the next one is %v", code, f)
	}
	return f.Fault
}

// ExpectRemoved waits for the news that the client is no longer in a room, for
// a reason such as "kicked".
func (c *Client) ExpectRemoved(name, code string) *Frame {
	c.t.Helper()
	f := c.Expect("removed", name)
	if f.Code != code {
		c.fail("expected to be removed from %q because of %q\nbut it is %v", name, code, f)
	}
	return f
}

// Await waits for the oldest frame that matches and has not been expected yet.
// what describes it in a failure.
func (c *Client) Await(what string, match func(*Frame) bool) *Frame {
	c.t.Helper()
	f := c.take(match, c.patience)
	if f == nil {
		c.fail("waited for %s", what)
	}
	return f
}

// ExpectClose waits for the server to close the connection, which must be with
// this code; 1006 stands for no close frame at all.
func (c *Client) ExpectClose(code int) *Closed {
	c.t.Helper()
	timeout := time.NewTimer(c.patience)
	defer timeout.Stop()
	select {
	case <-c.done:
	case <-timeout.C:
		c.fail("waited for the server to close the connection with %d", code)
	}
	c.mu.Lock()
	end := c.end
	c.mu.Unlock()
	if end.Code != code {
		c.fail("expected the connection to be closed with %d", code)
	}
	return end
}
