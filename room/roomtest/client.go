package roomtest

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Client is one connection of one user. Everything that comes is kept until it
// is expected, so that the order in which a test looks at different things does
// not matter.
//
// What does not go as the test says ends it with t.Fatal, so a Client is for
// the goroutine that runs the test.
type Client struct {
	t        testing.TB
	name     string
	patience time.Duration
	ws       *websocket.Conn
	conn     *valve
	first    *Frame         // the welcome, once it has come
	ref      int64          // the last that was used
	wait     sync.WaitGroup // the handshake's handler, and who fills conn
	done     chan struct{}  // closed when read has returned

	mu      sync.Mutex    // protects what follows
	frames  []*Frame      // not expected yet, oldest first
	end     *Closed       // how the connection ended
	changed chan struct{} // closed, and replaced, when one of them changes
}

// Closed says how a connection ended.
type Closed struct {
	// Code is that of the server's close frame, 1006 when there was none.
	Code   int
	Reason string
}

// through remembers the conn beneath the WebSocket.
func (c *Client) through(conn net.Conn) *valve {
	c.conn = newValve(conn)
	c.wait.Go(c.conn.fill)
	return c.conn
}

// read keeps what comes until nothing comes any more.
func (c *Client) read() {
	defer close(c.done)
	for {
		kind, data, err := c.ws.Read(context.Background())
		if err != nil {
			_ = c.ws.CloseNow()
			_ = c.conn.Close()
			c.mu.Lock()
			c.end = closed(err)
			c.notify()
			c.mu.Unlock()
			return
		}
		f := parse(data, kind == websocket.MessageBinary)
		c.mu.Lock()
		c.frames = append(c.frames, f)
		c.notify()
		c.mu.Unlock()
	}
}

// notify wakes whoever waits. The caller holds mu.
func (c *Client) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func closed(err error) *Closed {
	var frame websocket.CloseError
	if errors.As(err, &frame) {
		return &Closed{Code: int(frame.Code), Reason: frame.Reason}
	}
	return &Closed{Code: int(websocket.StatusAbnormalClosure), Reason: err.Error()}
}

// take waits for the oldest frame that matches and takes it away from those
// that are kept. It returns nil when patience, or the connection, ends first.
func (c *Client) take(match func(*Frame) bool, patience time.Duration) *Frame {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		if i := slices.IndexFunc(c.frames, match); i >= 0 {
			f := c.frames[i]
			c.frames = slices.Delete(c.frames, i, i+1)
			c.mu.Unlock()
			return f
		}
		changed, ended := c.changed, c.end != nil
		c.mu.Unlock()
		if ended {
			return nil
		}
		select {
		case <-changed:
		case <-timeout.C:
			return nil
		}
	}
}

func (c *Client) welcome() {
	c.t.Helper()
	c.first = c.take(func(f *Frame) bool { return f.Type == "welcome" }, c.patience)
	if c.first == nil {
		c.fail("waited for its welcome; a client without a token is welcome after Auth")
	}
}

// Welcome is the frame with which the server greeted the client. It waits for
// the one of a client whose token Dial knew nothing of, such as one in a cookie.
func (c *Client) Welcome() *Frame {
	c.t.Helper()
	if c.first == nil {
		c.welcome()
	}
	return c.first
}

// Auth presents a token in the first message, for a client that connected
// [WithoutToken], and waits for the welcome. Later it renews the token.
func (c *Client) Auth(token string) *Frame {
	c.t.Helper()
	reply := c.Request("auth", Fields{"token": token}).ExpectOK()
	if c.first == nil {
		c.welcome()
	}
	return reply
}

// Close says goodbye, and returns when the connection is over.
func (c *Client) Close() {
	_ = c.ws.Close(websocket.StatusNormalClosure, "")
	<-c.done
	c.wait.Wait()
}

// Disconnect cuts the connection off without a word, like a phone that loses
// its network and is told so. Others hear of it when Limits.Grace has passed,
// by default 10 seconds: in a bubble of testing/synctest that is no time, but
// more than their patience; see [WithPatience].
func (c *Client) Disconnect() {
	_ = c.conn.Close()
	<-c.done
	c.wait.Wait()
}

// Freeze stops reading, like a phone in a tunnel: nothing that the server sends
// gets through any more, pings included, and the connection stays open. As with
// a socket the server does not notice until some 64 KiB have not been read.
func (c *Client) Freeze() { c.conn.hold(true) }

// Thaw ends [Client.Freeze].
func (c *Client) Thaw() { c.conn.hold(false) }

// Write sends a text message as it is, for tests of what is malformed.
func (c *Client) Write(text string) {
	c.t.Helper()
	c.write(websocket.MessageText, []byte(text))
}

// WriteBinary sends a binary message as it is.
func (c *Client) WriteBinary(message []byte) {
	c.t.Helper()
	c.write(websocket.MessageBinary, message)
}

func (c *Client) write(kind websocket.MessageType, message []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.t.Context()), c.patience)
	defer cancel()
	if err := c.ws.Write(ctx, kind, message); err != nil {
		// The reader finds out why, if the server closed the connection.
		select {
		case <-c.done:
		case <-ctx.Done():
		}
		c.fail("cannot send %.200s: %v", message, err)
	}
}
