package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// members reads an object with encoding/json, which knows nothing of
// duplicates and strict text. It returns every value of every name, and false
// for what is not a JSON object.
func members(message []byte) (map[string][]json.RawMessage, bool) {
	dec := json.NewDecoder(bytes.NewReader(message))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, false
	}
	all := make(map[string][]json.RawMessage)
	for dec.More() {
		tok, err := dec.Token()
		name, ok := tok.(string)
		if err != nil || !ok {
			return nil, false
		}
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			return nil, false
		}
		all[name] = append(all[name], raw)
	}
	if _, err := dec.Token(); err != nil {
		return nil, false
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, false
	}
	return all, json.Valid(message)
}

// refOf is the rule for refs, told once more.
func refOf(all map[string][]json.RawMessage) int64 {
	if len(all["ref"]) != 1 {
		return 0
	}
	text := string(all["ref"][0])
	n, err := strconv.ParseUint(text, 10, 53)
	if err != nil || strings.TrimLeft(text, "0123456789") != "" {
		return 0
	}
	return int64(n)
}

// checkDecoded checks what is true of every decoded envelope.
func checkDecoded(t *testing.T, envelope []byte, req *Request, refused *Error) {
	t.Helper()
	all, isObject := members(envelope)
	if refused != nil {
		if !slices.Contains([]string{
			codeBadRequest, codeDuplicateKey, codeInvalidEvent, codeInvalidRoom, codeInvalidJSON, codeInvalidUTF8, codeTooDeep,
			codeTooManyElements,
		}, refused.Code) {
			t.Errorf("code %q", refused.Code)
		}
		if refused.Code == codeTooDeep {
			return // encoding/json does not read it either
		}
		if (refused.Code == codeInvalidJSON) == isObject {
			t.Errorf("refused with %s, encoding/json says %v", refused.Code, isObject)
		}
		want := Request{}
		if isObject {
			want.Ref = refOf(all)
		}
		if !reflect.DeepEqual(*req, want) {
			t.Errorf("refused with %+v, want %+v", *req, want)
		}
		return
	}

	if !isObject {
		t.Fatalf("accepted what encoding/json does not")
	}
	if want := refOf(all); req.Ref != want {
		t.Errorf("ref %d, want %d", req.Ref, want)
	}
	for name, values := range all {
		if len(values) != 1 {
			t.Errorf("accepted %q %d times", name, len(values))
		}
	}
	text := func(name string) string {
		var s string
		if values := all[name]; len(values) == 1 {
			if err := json.Unmarshal(values[0], &s); err != nil {
				t.Errorf("accepted %s as %s", values[0], name)
			}
		}
		return s
	}
	if req.Type != text("type") {
		t.Errorf("type %q, want %q", req.Type, text("type"))
	}
	if req.Type != TypePing && req.Type != TypeAuth && req.Room != text("room") {
		t.Errorf("room %q, want %q", req.Room, text("room"))
	}
	if req.Type == TypeMessage && (req.Event != text("event") || req.ID != text("id")) {
		t.Errorf("event %q and id %q, want %q and %q", req.Event, req.ID, text("event"), text("id"))
	}
	if req.Data != nil && !req.Binary && !bytes.Equal(req.Data, all["data"][0]) {
		t.Errorf("data %q, want %q", req.Data, all["data"][0])
	}
	if req.Meta != nil && !bytes.Equal(req.Meta, all["meta"][0]) {
		t.Errorf("meta %q, want %q", req.Meta, all["meta"][0])
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range clientFrames() {
		if !c.binary && len(c.frame) < 1<<10 {
			f.Add([]byte(c.frame))
		}
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		original := bytes.Clone(message)
		var req Request
		refused := JSON{}.Decode(message, false, &req)
		if !bytes.Equal(message, original) {
			t.Error("the message has changed")
		}
		if !inside(req.Data, message) || !inside(req.Meta, message) {
			t.Error("data or meta does not alias the message")
		}
		if req.Binary {
			t.Error("a text message is binary")
		}
		checkDecoded(t, message, &req, refused)
	})
}

func FuzzDecodeBinary(f *testing.F) {
	for _, c := range clientFrames() {
		if c.binary {
			f.Add([]byte(c.frame))
		}
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		var req Request
		refused := JSON{}.Decode(message, true, &req)
		if len(message) < headerLength || int(binary.BigEndian.Uint16(message)) > min(maxHeader, len(message)-headerLength) {
			if refused == nil || refused.Code != codeBadRequest && refused.Code != codeTooLarge || req.Ref != 0 {
				t.Errorf("a bad header gives %+v and %+v", refused, req)
			}
			return
		}
		n := int(binary.BigEndian.Uint16(message))
		header, payload := message[headerLength:][:n], message[headerLength+n:]
		if refused == nil {
			if req.Type != TypeMessage || !req.Binary || req.Data == nil {
				t.Errorf("accepted %+v", req)
			}
			if !bytes.Equal(req.Data, payload) || !inside(req.Data, message) {
				t.Errorf("data %q, want %q", req.Data, payload)
			}
		}
		checkDecoded(t, header, &req, refused)
	})
}

func FuzzAppendMessage(f *testing.F) {
	f.Add("lobby", "chat", "ada", "k1", "k3J9sXq2", []byte(`{"text":"hi"}`), int64(1), uint64(42), false)
	f.Add("lobby", "chat", "<&>\u2028\xff\"\\\n", "", "", []byte(`["</script>","\u2028`+"\u2029"+`"]`), int64(-1), uint64(0), false)
	f.Add("lobby", "file", "ada", "k1", "k3J9sXq2", []byte("\x00<\xff"), int64(1), uint64(42), true)
	f.Fuzz(func(t *testing.T, room, event, from, id, epoch string, data []byte, at int64, offset uint64, isBinary bool) {
		if !isBinary && !json.Valid(data) {
			data, _ = json.Marshal(string(data))
		}
		m := &Message{
			Room: room, Event: event, From: from, ID: id, Epoch: epoch, Data: data, At: at, Offset: offset,
			Binary: isBinary,
		}
		out, sentBinary := JSON{}.Append(nil, m)
		text := out
		if sentBinary {
			if len(out) < headerLength {
				t.Fatalf("%d bytes", len(out))
			}
			n := int(binary.BigEndian.Uint16(out))
			text = out[headerLength:][:n]
			if payload := out[headerLength+n:]; !isBinary || !bytes.Equal(payload, data) {
				t.Errorf("payload %q, want %q", payload, data)
			}
		}
		checkFrame(t, text)

		var got struct {
			Type, Room, Event, From, ID, Epoch, Encoding string

			Data   json.RawMessage
			At     int64
			Offset uint64
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		for _, s := range []struct{ name, got, sent string }{
			{"type", got.Type, "message"},
			{"room", got.Room, room},
			{"event", got.Event, event},
			{"from", got.From, from},
			{"id", got.ID, id},
			{"epoch", got.Epoch, epoch},
		} {
			// What is not UTF-8 is replaced byte by byte.
			if want := string([]rune(s.sent)); s.got != want {
				t.Errorf("%s is %q, want %q", s.name, s.got, want)
			}
		}
		if epoch == "" {
			offset = 0
		}
		if got.At != at || got.Offset != offset {
			t.Errorf("at %d and offset %d, want %d and %d", got.At, got.Offset, at, offset)
		}
		switch {
		case sentBinary:
			if got.Data != nil {
				t.Errorf("the header has data %s", got.Data)
			}
		case isBinary:
			var payload []byte
			if err := json.Unmarshal(got.Data, &payload); err != nil || !bytes.Equal(payload, data) || got.Encoding != "base64" {
				t.Errorf("data %s in %q, %v", got.Data, got.Encoding, err)
			}
		default:
			if got, want := valueOf(t, got.Data), valueOf(t, data); !reflect.DeepEqual(got, want) {
				t.Errorf("data %#v, want %#v", got, want)
			}
		}
	})
}

// valueOf decodes JSON without losing digits.
func valueOf(t *testing.T, raw []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return v
}
