package room_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// client is the other side of docs/PROTOCOL.md, written from that document and
// RFC 6455: a socket, frames made by hand, encoding/json. It shares no code
// with the library, so that a mistake cannot be made on both sides.
//
// One goroutine uses it at a time.
type client struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader

	subprotocol string
	deflate     bool
	patience    time.Duration
	lag         time.Duration // before a ping is answered
	ref         int64
	unread      []frame // came while a reply was waited for
	ended       bool
}

// patience is how long a client waits for what must come.
const patience = 30 * time.Second

// sampleKey is that of RFC 6455, section 1.3, with its answer.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// frame is one message from the server, with the members of the envelope that
// tests look at. A closing handshake is a frame with the type "close".
type frame struct {
	Type   string          `json:"type"`
	Ref    int64           `json:"ref"`
	OK     *bool           `json:"ok"`
	Data   json.RawMessage `json:"data"`
	Error  *fault          `json:"error"`
	Room   string          `json:"room"`
	Event  string          `json:"event"`
	From   string          `json:"from"`
	User   string          `json:"user"`
	Name   string          `json:"name"`
	Reason string          `json:"reason"`
	Code   string          `json:"code"`
	ID     string          `json:"id"`
	Epoch  string          `json:"epoch"`
	Offset uint64          `json:"offset"`
	Target uint64          `json:"target"`
	At     int64           `json:"at"`
	InMS   int64           `json:"in_ms"`
	Delay  int64           `json:"reconnect_in_ms"`

	text       string // as it came; of a binary message, its header
	binary     bool
	payload    []byte
	compressed bool
	status     int // of a close frame; 1005 for none, 1006 for no close frame at all
}

type fault struct {
	Code         string `json:"code"`
	Message      string `json:"message"`
	RetryAfterMS int64  `json:"retry_after_ms"`
	ID           string `json:"id"`
}

func (f frame) String() string {
	if f.Type == "close" {
		return fmt.Sprintf("close %d %q", f.status, f.Reason)
	}
	return f.text
}

// dial makes a handshake of the request line and header lines, and returns the
// client with the server's answer. The body of an answer other than 101 has
// been read. The caller closes conn.
func dial(t testing.TB, conn net.Conn, lines ...string) (*client, *http.Response, string) {
	t.Helper()
	c := &client{t: t, conn: conn, in: bufio.NewReader(conn), patience: patience}
	if _, ok := conn.LocalAddr().(*net.TCPAddr); !ok {
		// A bubble of testing/synctest: waiting costs nothing, and without a
		// lag the answer to a ping would come before the ping was over.
		c.patience, c.lag = 24*time.Hour, time.Millisecond
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatalf("handshake: %v", err)
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatalf("handshake: %v", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("body of %s: %v", resp.Status, err)
		}
		_ = resp.Body.Close()
		_ = conn.Close()
		return c, resp, string(body)
	}
	_ = conn.SetDeadline(time.Time{})
	c.subprotocol = resp.Header.Get("Sec-WebSocket-Protocol")
	c.deflate = strings.Contains(resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
	return c, resp, ""
}

// write sends one frame (RFC 6455, section 5.2), masked as a client must.
func (c *client) write(op byte, payload []byte) {
	c.t.Helper()
	if err := c.tryWrite(op, payload); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *client) tryWrite(op byte, payload []byte) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.patience))
	_, err := c.conn.Write(masked(nil, op, payload))
	return err
}

// masked appends a frame to dst.
func masked(dst []byte, op byte, payload []byte) []byte {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	dst = append(dst, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n <= 0xFFFF:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = append(dst, key[:]...)
	for i, b := range payload {
		dst = append(dst, b^key[i%4])
	}
	return dst
}

// send sends a text message.
func (c *client) send(text string) {
	c.t.Helper()
	c.write(opText, []byte(text))
}

// sendf sends a text message.
func (c *client) sendf(format string, args ...any) {
	c.t.Helper()
	c.send(fmt.Sprintf(format, args...))
}

// sendBinary sends a binary message of a header and a payload.
func (c *client) sendBinary(header string, payload []byte) {
	c.t.Helper()
	c.write(opBinary, binaryMessage(header, payload))
}

func binaryMessage(header string, payload []byte) []byte {
	message := binary.BigEndian.AppendUint16(nil, uint16(len(header)))
	return append(append(message, header...), payload...)
}

// read returns the next frame from the socket. Pings are answered. After the
// close frame, or the end of the connection, it returns that for ever.
func (c *client) read() (frame, error) {
	for {
		first, payload, err := c.readFrame()
		if err != nil {
			return frame{}, err
		}
		op, compressed := first&0x0F, first&0x40 != 0
		switch op {
		case opPing:
			time.Sleep(c.lag)
			if err := c.tryWrite(opPong, payload); err != nil {
				return frame{}, err
			}
			continue
		case opPong:
			continue
		case opClose:
			f := frame{Type: "close", status: 1005}
			if len(payload) >= 2 {
				f.status, f.Reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
			}
			_ = c.tryWrite(opClose, payload) // the socket may be gone already
			return f, nil
		case opText, opBinary:
		default:
			return frame{}, fmt.Errorf("opcode %#x", op)
		}
		if compressed {
			// RFC 7692, section 7.2.2.
			z := flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
			if payload, err = io.ReadAll(z); err != nil {
				return frame{}, fmt.Errorf("inflate: %w", err)
			}
		}
		f, err := parse(payload, op == opBinary)
		f.compressed = compressed
		return f, err
	}
}

// readFrame returns the first byte and the payload of a frame. A server's
// frames are not masked, and this one does not split messages.
func (c *client) readFrame() (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, nil, err
	}
	first = head[0]
	switch {
	case first&0x80 == 0:
		return 0, nil, errors.New("fragmented")
	case first&0x30 != 0, first&0x40 != 0 && (!c.deflate || first&0x08 != 0):
		return 0, nil, fmt.Errorf("reserved bits in %#x", first)
	case head[1]&0x80 != 0:
		return 0, nil, errors.New("masked")
	}
	size := uint64(head[1])
	switch size {
	case 126:
		var b [2]byte
		if _, err := io.ReadFull(c.in, b[:]); err != nil {
			return 0, nil, err
		}
		if size = uint64(binary.BigEndian.Uint16(b[:])); size < 126 {
			return 0, nil, errors.New("length not minimal")
		}
	case 127:
		var b [8]byte
		if _, err := io.ReadFull(c.in, b[:]); err != nil {
			return 0, nil, err
		}
		if size = binary.BigEndian.Uint64(b[:]); size <= 0xFFFF {
			return 0, nil, errors.New("length not minimal")
		}
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(c.in, payload)
	return first, payload, err
}

// parse reads a message of the server.
func parse(message []byte, isBinary bool) (frame, error) {
	f := frame{text: string(message), binary: isBinary}
	if isBinary {
		n := int(binary.BigEndian.Uint16(message))
		f.text, f.payload = string(message[2:2+n]), message[2+n:]
	}
	if err := json.Unmarshal([]byte(f.text), &f); err != nil {
		return f, fmt.Errorf("%q: %w", f.text, err)
	}
	return f, nil
}

// next returns the frame that comes next, one that came while a reply was
// waited for first.
func (c *client) next() frame {
	c.t.Helper()
	if len(c.unread) > 0 {
		f := c.unread[0]
		c.unread = c.unread[1:]
		return f
	}
	return c.fresh()
}

// fresh returns the next frame from the socket.
func (c *client) fresh() frame {
	c.t.Helper()
	if c.ended {
		c.t.Fatal("nothing comes after a close frame")
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(c.patience))
	f, err := c.read()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe), err != nil && strings.Contains(err.Error(), "connection reset"):
		f = frame{Type: "close", status: 1006}
	case err != nil:
		c.t.Fatalf("read: %v", err)
	}
	c.ended = f.Type == "close"
	return f
}

// expect is next for a frame of one type.
func (c *client) expect(typ string) frame {
	c.t.Helper()
	f := c.next()
	if f.Type != typ {
		c.t.Fatalf("got %s, want a frame of type %s", f, typ)
	}
	return f
}

// expectClose skips what was still on its way and returns the close frame.
func (c *client) expectClose(status int) frame {
	c.t.Helper()
	for {
		f := c.next()
		if f.Type != "close" {
			continue
		}
		if f.status != status {
			c.t.Fatalf("closed with %d %q, want %d", f.status, f.Reason, status)
		}
		return f
	}
}

// request sends a request with a ref and returns its reply. What comes before
// the reply is kept for next. members are those of the envelope beside type
// and ref, such as `"room":"hall"`.
func (c *client) request(typ string, members ...string) frame {
	c.t.Helper()
	c.ref++
	c.send(envelope(c.ref, typ, members...))
	return c.reply(c.ref)
}

func envelope(ref int64, typ string, members ...string) string {
	return fmt.Sprintf(`{"type":%q,"ref":%d%s}`, typ, ref, strings.Join(append([]string{""}, members...), ","))
}

// reply returns the reply that bears ref.
func (c *client) reply(ref int64) frame {
	c.t.Helper()
	for {
		f := c.fresh()
		switch {
		case f.Type != "reply":
			c.unread = append(c.unread, f)
			if f.Type == "close" {
				c.t.Fatalf("%s in place of a reply", f)
			}
		case f.Ref != ref:
			c.t.Fatalf("got %s, want the reply to %d", f, ref)
		case f.OK == nil, *f.OK == (f.Error != nil), *f.OK != (f.Data != nil):
			c.t.Fatalf("%s is neither a success nor a refusal", f)
		default:
			return f
		}
	}
}

// must is request for one that succeeds. It returns the reply's data.
func (c *client) must(typ string, members ...string) result {
	c.t.Helper()
	f := c.request(typ, members...)
	if f.Error != nil {
		c.t.Fatalf("%s %s: %s", typ, strings.Join(members, ","), f)
	}
	r, err := parseResult(f)
	if err != nil {
		c.t.Fatalf("%s: %v", f, err)
	}
	return r
}

func parseResult(f frame) (r result, err error) {
	err = json.Unmarshal(f.Data, &r)
	r.raw = string(f.Data)
	return r, err
}

// refused is request for one that is refused with the code.
func (c *client) refused(code, typ string, members ...string) *fault {
	c.t.Helper()
	f := c.request(typ, members...)
	if f.Error == nil || f.Error.Code != code {
		c.t.Fatalf("%s %s: got %s, want %s", typ, strings.Join(members, ","), f, code)
	}
	return f.Error
}

// silent checks that nothing has come but what was read: the next frame is the
// reply to a ping, behind which everything stands that was sent before.
func (c *client) silent() {
	c.t.Helper()
	if len(c.unread) > 0 {
		c.t.Fatalf("unexpected %s", c.unread[0])
	}
	c.request("ping")
	if len(c.unread) > 0 {
		c.t.Fatalf("unexpected %s", c.unread[0])
	}
}

// forget drops what has come so far.
func (c *client) forget() {
	c.t.Helper()
	c.request("ping")
	c.unread = nil
}

// pass lets time go by. Pings are answered, and what comes is kept for next.
func (c *client) pass(d time.Duration) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(d))
	for {
		f, err := c.read()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil:
			c.t.Fatalf("read: %v", err)
		}
		c.unread = append(c.unread, f)
		if f.Type == "close" {
			c.t.Fatalf("closed: %s", f)
		}
	}
}

// hangUp ends the TCP connection without a close frame.
func (c *client) hangUp() { _ = c.conn.Close() }

// bye does the closing handshake from the client's side.
func (c *client) bye() {
	c.t.Helper()
	c.write(opClose, []byte{0x03, 0xE8})
	c.expectClose(1000)
	_ = c.conn.Close()
}

// result has the members of replies' data that tests look at.
type result struct {
	Room       string   `json:"room"`
	User       string   `json:"user"`
	Permission string   `json:"permission"`
	Members    []member `json:"members"`
	Next       string   `json:"next"`
	Messages   []frame  `json:"messages"`
	Epoch      string   `json:"epoch"`
	Offset     uint64   `json:"offset"`
	Recovered  bool     `json:"recovered"`
	Duplicate  bool     `json:"duplicate"`
	More       bool     `json:"more"`
	At         int64    `json:"at"`
	ExpiresAt  int64    `json:"expires_at"`
	Owner      string   `json:"owner"`
	Version    int64    `json:"version"`
	Invited    []string `json:"invited"`
	MaxMembers int      `json:"max_members"`

	raw string
}

type member struct {
	User        string `json:"user"`
	Name        string `json:"name"`
	Status      string `json:"status"`
	Since       int64  `json:"since"`
	Connections int    `json:"connections"`
}

// texts are the data of messages, offsets their offsets.
func texts(messages []frame) []string {
	list := make([]string, len(messages))
	for i, m := range messages {
		list[i] = string(m.Data)
	}
	return list
}

func offsets(messages []frame) []uint64 {
	list := make([]uint64, len(messages))
	for i, m := range messages {
		list[i] = m.Offset
	}
	return list
}

// users are the members' IDs.
func users(members []member) []string {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = m.User
	}
	return list
}
