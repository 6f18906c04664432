package roomtest

import (
	"fmt"
	"slices"
	"time"
)

// RefuteMessage fails if a message with the default event has come in a room
// that was not expected, or comes within a time. Inside a bubble of
// testing/synctest that takes no time, and is exact.
func (c *Client) RefuteMessage(name string, within time.Duration) {
	c.t.Helper()
	c.RefuteEvent(name, "message", within)
}

// RefuteEvent is [Client.RefuteMessage] for the messages of another event.
func (c *Client) RefuteEvent(name, event string, within time.Duration) {
	c.t.Helper()
	c.refute(fmt.Sprintf("a message %q in %q", event, name), within, func(f *Frame) bool {
		return f.Type == "message" && f.Room == name && f.Event == event
	})
}

// Refute fails if a frame of a type has come in a room, or in any where name is
// empty, that was not expected, or comes within a time.
func (c *Client) Refute(typ, name string, within time.Duration) {
	c.t.Helper()
	c.refute(describeFrame(typ, name), within, ofType(typ, name))
}

// RefuteAll fails if anything at all has come that was not expected, or comes
// within a time, the end of the connection included.
func (c *Client) RefuteAll(within time.Duration) {
	c.t.Helper()
	c.refute("anything", within, func(*Frame) bool { return true })
	c.mu.Lock()
	ended := c.end != nil
	c.mu.Unlock()
	if ended {
		c.fail("expected nothing to happen within %v", within)
	}
}

func (c *Client) refute(what string, within time.Duration, match func(*Frame) bool) {
	c.t.Helper()
	// In a bubble even the shortest sleep lets everybody else finish first.
	if f := c.take(match, max(within, 1)); f != nil {
		c.fail("expected %s not to come within %v\nbut it came: %v", what, within, f)
	}
}

// Discard forgets what has come and was not expected, and returns it.
func (c *Client) Discard() []*Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	frames := slices.Clone(c.frames)
	c.frames = nil
	return frames
}
