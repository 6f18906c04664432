package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
)

// Every golden frame is JSON without duplicate names or anything that HTML or
// JavaScript could trip over, appended after what is there.
func TestAppend(t *testing.T) {
	for _, s := range serverFrames() {
		t.Run(s.name, func(t *testing.T) {
			const before = "before"
			out, isBinary := JSON{}.Append([]byte(before), s.frame)
			text, ok := bytes.CutPrefix(out, []byte(before))
			if !ok {
				t.Fatalf("what was in dst is gone: %q", out)
			}
			if isBinary {
				n := binary.BigEndian.Uint16(text)
				text = text[headerLength:][:n]
			}
			checkFrame(t, text)
		})
	}
}

// checkFrame checks what is true of every frame.
func checkFrame(t *testing.T, text []byte) {
	t.Helper()
	if !json.Valid(text) {
		t.Fatalf("not JSON: %q", text)
	}
	if i := bytes.IndexAny(text, "<>&\u2028\u2029"); i >= 0 {
		t.Errorf("byte %d of %q is not safe in HTML", i, text)
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(text, &head); err != nil || head.Type == "" {
		t.Errorf("type %q, error %v in %q", head.Type, err, text)
	}
	if want := `{"type":"` + head.Type + `"`; !bytes.HasPrefix(text, []byte(want)) {
		t.Errorf("the frame does not begin with %s: %q", want, text)
	}
}

func TestAppendZeroValues(t *testing.T) {
	for _, test := range []struct {
		frame Frame
		want  string
	}{
		{&Message{}, `{"type":"message","event":"","data":null,"at":0}`},
		{&Message{Redacted: true, Binary: true}, `{"type":"message","event":"","redacted":true,"at":0}`},
		{&Edited{Epoch: "e"}, `{"type":"message_edited","room":"","target":0,"data":null,"at":0,"offset":0,"epoch":"e"}`},
		{&Reply{Ref: 1, Data: &JoinResult{}}, `{"type":"reply","ref":1,"ok":true,"data":{"room":"","permission":"","members":[],"recovered":false,"messages":[]}}`},
		{&Reply{Ref: 1, Data: &Settings{ShowInvited: true}}, `{"type":"reply","ref":1,"ok":true,"data":{"room":"","permission":"","roles":[],"invited":[],"max_members":0,"version":0}}`},
		{&Reply{Ref: 1, Data: &HistoryResult{}}, `{"type":"reply","ref":1,"ok":true,"data":{"messages":[],"epoch":"","more":false}}`},
		{&Welcome{}, `{"type":"welcome","connection":"","session":"","user":"","at":0,"heartbeat_ms":0,"limits":{}}`},
		{&Failure{&Error{}}, `{"type":"error","error":{"code":"","message":"","retry_after_ms":0}}`},
		{&Reply{Ref: 1, Data: Raw("[ ]")}, `{"type":"reply","ref":1,"ok":true,"data":[ ]}`},
	} {
		out, isBinary := JSON{}.Append(nil, test.frame)
		if string(out) != test.want || isBinary {
			t.Errorf("got  %s\nwant %s", out, test.want)
		}
	}
}

func TestAppendExtremes(t *testing.T) {
	out, _ := JSON{}.Append(nil, &Message{
		Data: []byte("1"), At: math.MinInt64, Offset: math.MaxUint64, Epoch: "e",
	})
	var got struct {
		At     int64  `json:"at"`
		Offset uint64 `json:"offset"`
	}
	if err := json.Unmarshal(out, &got); err != nil || got.At != math.MinInt64 || got.Offset != math.MaxUint64 {
		t.Errorf("got %+v, %v from %s", got, err, out)
	}
}

// What one client sends as a binary message is what the others get.
func TestBinaryRoundTrip(t *testing.T) {
	m := &Message{Room: "lobby", Event: "file", ID: "k", From: "ada", Data: []byte("\x00<\xFF&"), Binary: true, At: 5, Offset: 1, Epoch: "e"}
	out, isBinary := JSON{}.Append(nil, m)
	if !isBinary {
		t.Fatal("a binary message is sent as text")
	}
	var req Request
	if err := (JSON{}).Decode(out, true, &req); err != nil {
		t.Fatalf("refused: %+v", *err)
	}
	want := Request{Type: TypeMessage, Room: "lobby", Event: "file", ID: "k", Data: m.Data, Binary: true}
	if !reflect.DeepEqual(req, want) {
		t.Errorf("got  %+v\nwant %+v", req, want)
	}
}

// A header that does not fit its length must not be cut.
func TestBinaryHeaderTooLong(t *testing.T) {
	fixed, _ := JSON{}.Append(nil, &Message{Room: "r", Data: []byte("payload"), Binary: true})
	room := strings.Repeat("r", 1+math.MaxUint16-(len(fixed)-headerLength-len("payload")))

	m := &Message{Room: room, Data: []byte("payload"), Binary: true}
	out, isBinary := JSON{}.Append([]byte("x"), m)
	if n := binary.BigEndian.Uint16(out[1:]); !isBinary || n != math.MaxUint16 || !bytes.HasSuffix(out, []byte("}payload")) {
		t.Errorf("the longest header that fits: binary %v, length %d", isBinary, n)
	}

	m.Room += "r"
	out, isBinary = JSON{}.Append([]byte("x"), m)
	if isBinary || out[0] != 'x' {
		t.Fatal("a header that does not fit is sent as binary, or dst is gone")
	}
	checkFrame(t, out[1:])
	var got struct{ Room, Data, Encoding string }
	if err := json.Unmarshal(out[1:], &got); err != nil {
		t.Fatal(err)
	}
	if data, err := base64.StdEncoding.DecodeString(got.Data); err != nil || string(data) != "payload" || got.Encoding != "base64" || got.Room != m.Room {
		t.Errorf("got data %q in %q, %v", data, got.Encoding, err)
	}
}

type stranger struct {
	Frame
	Result
}

func (stranger) frame()  {}
func (stranger) result() {}

func TestAppendPanicsOnStrangers(t *testing.T) {
	for _, f := range []Frame{stranger{}, &Reply{Data: stranger{}}, nil} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T is encoded", f)
				}
			}()
			JSON{}.Append(nil, f)
		}()
	}
}

// The documents of members must be what the members reply has.
func TestJoinAndMembersAgree(t *testing.T) {
	members := []Member{
		{User: "ada", Name: "Ada", Status: "online", Meta: []byte(`{"a":"<"}`), Since: 1, Connections: 2},
		{User: "bo", Status: "away", Since: 3, Connections: 1},
	}
	inner := func(r Result) string {
		out, _ := JSON{}.Append(nil, &Reply{Ref: 1, Data: r})
		var reply struct {
			Data struct{ Members json.RawMessage }
		}
		if err := json.Unmarshal(out, &reply); err != nil {
			t.Fatal(err)
		}
		return string(reply.Data.Members)
	}
	a, b := inner(&JoinResult{Members: members}), inner(&MembersResult{Members: members})
	if a != b || !strings.Contains(a, `\u003c`) {
		t.Errorf("join    %s\nmembers %s", a, b)
	}
}
