package roomtest

import (
	"encoding/binary"
	stdjson "encoding/json"
	"maps"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/wardroom/wardroom/room"
)

// Fields are those of a request, beside type and ref.
type Fields map[string]any

// Pending is a request whose reply has not been looked at.
type Pending struct {
	c    *Client
	ref  int64
	what string
}

// Request sends a request of any type and does not wait:
//
//	ada.Request("join", roomtest.Fields{"room": "staff"}).ExpectError(room.CodeForbidden)
func (c *Client) Request(typ string, fields Fields) *Pending {
	c.t.Helper()
	p, envelope := c.envelope(typ, fields)
	c.Write(string(envelope))
	return p
}

// RequestBinary sends a binary message. The fields are those of a message but
// for its data.
func (c *Client) RequestBinary(fields Fields, payload []byte) *Pending {
	c.t.Helper()
	p, envelope := c.envelope("message", fields)
	message := binary.BigEndian.AppendUint16(nil, uint16(len(envelope)))
	c.WriteBinary(append(append(message, envelope...), payload...))
	return p
}

func (c *Client) envelope(typ string, fields Fields) (*Pending, []byte) {
	c.t.Helper()
	c.ref++
	all := maps.Clone(fields)
	if all == nil {
		all = make(Fields)
	}
	all["type"], all["ref"] = typ, c.ref
	envelope, err := json.Marshal(all, json.Deterministic(true))
	if err != nil {
		c.t.Fatalf("roomtest: %s: a request of type %s cannot be written as JSON: %v", c.name, typ, err)
	}
	return &Pending{c: c, ref: c.ref, what: string(envelope)}, envelope
}

// reply waits for it.
func (p *Pending) reply() *Frame {
	p.c.t.Helper()
	f := p.c.take(func(f *Frame) bool { return f.Type == "reply" && f.Ref == p.ref }, p.c.patience)
	if f == nil {
		p.c.fail("waited for the reply to %.300s", p.what)
	}
	return f
}

// ExpectOK waits for the reply, which must be a success.
func (p *Pending) ExpectOK() *Frame {
	p.c.t.Helper()
	f := p.reply()
	if !f.OK {
		p.c.fail("expected that this succeeds: %.300s\nbut the reply is %v", p.what, f)
	}
	return f
}

// ExpectError waits for the reply, which must be a refusal with this code.
func (p *Pending) ExpectError(code room.Code) *Fault {
	p.c.t.Helper()
	f := p.reply()
	if f.OK || f.Fault == nil || f.Fault.Code != code {
		p.c.fail("expected that this is refused with %s: %.300s\nbut the reply is %v", code, p.what, f)
	}
	return f.Fault
}

// into decodes the data of the reply to a request that must succeed.
func into[T any](p *Pending) *T {
	p.c.t.Helper()
	f := p.ExpectOK()
	out := new(T)
	if err := f.Decode(out); err != nil {
		p.c.fail("cannot read the reply %v: %v", f, err)
	}
	return out
}

// Joined is the reply to a join.
type Joined struct {
	Room       string   `json:"room"`
	Permission string   `json:"permission"`
	Members    []Member `json:"members"`
	Next       string   `json:"next"`
	Epoch      string   `json:"epoch"`
	Offset     uint64   `json:"offset"`
	Recovered  bool     `json:"recovered"`
	Messages   []*Frame `json:"messages"`
}

// Position is where in the room's log the client is.
func (j *Joined) Position() room.Position { return room.Position{Epoch: j.Epoch, Offset: j.Offset} }

// Member is one user in a room.
type Member struct {
	User        string             `json:"user"`
	Name        string             `json:"name"`
	Status      string             `json:"status"`
	Meta        stdjson.RawMessage `json:"meta"`
	Since       int64              `json:"since"` // milliseconds since the Unix epoch
	Connections int                `json:"connections"`
}

// Join enters a room.
func (c *Client) Join(name string) *Joined {
	c.t.Helper()
	return into[Joined](c.Request("join", Fields{"room": name}))
}

// Rejoin enters a room, or enters it anew, and asks for what was said since.
func (c *Client) Rejoin(name string, since room.Position) *Joined {
	c.t.Helper()
	return into[Joined](c.Request("join", Fields{"room": name, "since": Fields{"epoch": since.Epoch, "offset": since.Offset}}))
}

// Leave leaves a room.
func (c *Client) Leave(name string) {
	c.t.Helper()
	c.Request("leave", Fields{"room": name}).ExpectOK()
}

// Members asks who is in a room that the client is in.
func (c *Client) Members(name string) []Member {
	c.t.Helper()
	type page struct {
		Members []Member `json:"members"`
		Next    string   `json:"next"`
	}
	p := into[page](c.Request("members", Fields{"room": name}))
	all := p.Members
	for p.Next != "" {
		p = into[page](c.Request("members", Fields{"room": name, "after": p.Next}))
		all = append(all, p.Members...)
	}
	return all
}

// Send says something in a room and waits until the server has taken it. Data
// is marshalled to JSON; a []byte is sent as a binary message.
func (c *Client) Send(name string, data any) room.Receipt {
	c.t.Helper()
	return c.SendEvent(name, "message", data)
}

// SendEvent is [Client.Send] with an event.
func (c *Client) SendEvent(name, event string, data any) room.Receipt {
	c.t.Helper()
	fields := Fields{"room": name, "event": event}
	var p *Pending
	if payload, ok := data.([]byte); ok {
		p = c.RequestBinary(fields, payload)
	} else {
		fields["data"] = data
		p = c.Request("message", fields)
	}
	r := into[struct {
		Epoch     string `json:"epoch"`
		Offset    uint64 `json:"offset"`
		At        int64  `json:"at"`
		Duplicate bool   `json:"duplicate"`
	}](p)
	return room.Receipt{
		Position:  room.Position{Epoch: r.Epoch, Offset: r.Offset},
		At:        time.UnixMilli(r.At),
		Duplicate: r.Duplicate,
	}
}

// Call calls a handler of room.Handle, in a room or, when name is empty, in
// none, and returns what it answered.
func Call[Out any](c *Client, name, event string, in any) Out {
	c.t.Helper()
	fields := Fields{"event": event, "data": in}
	if name != "" {
		fields["room"] = name
	}
	return *into[Out](c.Request("call", fields))
}
