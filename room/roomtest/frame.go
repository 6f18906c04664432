package roomtest

import (
	"encoding/binary"
	stdjson "encoding/json"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/wardroom/wardroom/room"
)

// Frame is one message of the server; see docs/PROTOCOL.md for what is set in
// which type. Text has everything.
type Frame struct {
	Type string `json:"type"`

	// Of replies. Fault is also that of an error.
	Ref   int64  `json:"ref"`
	OK    bool   `json:"ok"`
	Fault *Fault `json:"error"`

	// Data is a JSON value: what was said, or the data of a reply.
	Data stdjson.RawMessage `json:"data"`
	// Payload is the data of a binary message.
	Payload []byte `json:"-"`
	Binary  bool   `json:"-"`

	Room   string `json:"room"`
	Event  string `json:"event"`
	From   string `json:"from"`
	User   string `json:"user"`
	Name   string `json:"name"`
	ID     string `json:"id"`
	Reason string `json:"reason"`
	Code   string `json:"code"`
	Status string `json:"status"`

	Meta     stdjson.RawMessage `json:"meta"`
	At       int64              `json:"at"` // milliseconds since the Unix epoch
	Epoch    string             `json:"epoch"`
	Offset   uint64             `json:"offset"`
	Target   uint64             `json:"target"`
	Redacted bool               `json:"redacted"`

	Connection    string `json:"connection"`
	Session       string `json:"session"`
	ExpiresAt     int64  `json:"expires_at"`
	InMS          int64  `json:"in_ms"`
	ReconnectInMS int64  `json:"reconnect_in_ms"`

	// Text is the message as it came; of a binary one, its header.
	Text string `json:"-"`
}

// Fault is a refusal.
type Fault struct {
	Code         room.Code `json:"code"`
	Message      string    `json:"message"`
	RetryAfterMS int64     `json:"retry_after_ms"`
	ID           string    `json:"id"`
}

// broken is the Type of what is not a message of the protocol.
const broken = "not a message of the protocol"

// parse never fails: what cannot be understood is a frame that nobody expects,
// and that a failure shows.
func parse(message []byte, isBinary bool) *Frame {
	f := &Frame{Binary: isBinary, Text: string(message)}
	envelope := message
	if isBinary {
		if len(message) < 2 || len(message)-2 < int(binary.BigEndian.Uint16(message)) {
			f.Type = broken
			return f
		}
		n := int(binary.BigEndian.Uint16(message))
		envelope, f.Payload = message[2:2+n], message[2+n:]
		f.Text = string(envelope)
	}
	if err := f.UnmarshalJSON(envelope); err != nil {
		*f = Frame{Type: broken, Text: fmt.Sprintf("%s: %v", message, err)}
	}
	return f
}

// UnmarshalJSON reads a message, alone or in the list of a reply. There the
// payload of a binary one is in base64.
func (f *Frame) UnmarshalJSON(text []byte) error {
	type plain Frame
	wire := struct {
		*plain
		Encoding string `json:"encoding"`
	}{plain: (*plain)(f)}
	if err := json.Unmarshal(text, &wire); err != nil {
		return err
	}
	f.Text = string(text)
	if wire.Encoding == "base64" {
		f.Binary = true
		return json.Unmarshal(f.Data, &f.Payload)
	}
	return nil
}

// String is the message as it came, shortened.
func (f *Frame) String() string {
	if f.Binary {
		return fmt.Sprintf("%.300s with %d bytes: %.60q", f.Text, len(f.Payload), f.Payload)
	}
	if len(f.Text) > 400 {
		return fmt.Sprintf("%.400s… (%d bytes)", f.Text, len(f.Text))
	}
	return f.Text
}

// Position is where in the room's log the message is.
func (f *Frame) Position() room.Position { return room.Position{Epoch: f.Epoch, Offset: f.Offset} }

// Decode unmarshals Data.
func (f *Frame) Decode(out any) error { return json.Unmarshal(f.Data, out) }
