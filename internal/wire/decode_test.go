package wire

import (
	"encoding/binary"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func ptr[T any](v T) *T { return &v }

// requests has a frame of every request type, with every field it uses.
func TestDecodeRequests(t *testing.T) {
	for _, test := range []struct {
		name, frame string
		want        Request
	}{
		{"auth", `{"type":"auth","token":"a.b.c","ref":1}`, Request{Type: TypeAuth, Ref: 1, Token: "a.b.c"}},
		{"join", `{"type":"join","room":"lobby"}`, Request{Type: TypeJoin, Room: "lobby"}},
		{
			"join since", `{"type":"join","room":"lobby","since":{"epoch":"e1","offset":41},"last":20}`,
			Request{Type: TypeJoin, Room: "lobby", Since: &Position{Epoch: "e1", Offset: 41}, Last: 20},
		},
		{
			"join since, other order and unknown members",
			`{"type":"join","room":"lobby","since":{"x":[{"epoch":"no"}], "offset" : 0 ,"epoch" : "" }}`,
			Request{Type: TypeJoin, Room: "lobby", Since: &Position{}},
		},
		{"leave", `{"type":"leave","room":"lobby"}`, Request{Type: TypeLeave, Room: "lobby"}},
		{
			"message", `{"type":"message","ref":7,"room":"lobby","event":"chat","id":"k1","data":{"text":"hi"}}`,
			Request{Type: TypeMessage, Ref: 7, Room: "lobby", Event: "chat", ID: "k1", Data: []byte(`{"text":"hi"}`)},
		},
		{
			"message, ephemeral", `{"type":"message","room":"lobby","data":"hi","store":false,"echo":false}`,
			Request{Type: TypeMessage, Room: "lobby", Data: []byte(`"hi"`), NoStore: true, NoEcho: true},
		},
		{
			"message, the defaults in words", `{"type":"message","room":"lobby","data":"hi","store":true,"echo":true}`,
			Request{Type: TypeMessage, Room: "lobby", Data: []byte(`"hi"`)},
		},
		{
			"message, null is data", `{"type":"message","room":"lobby","data":null}`,
			Request{Type: TypeMessage, Room: "lobby", Data: []byte(`null`)},
		},
		{"message, no room", `{"type":"message","data":1}`, Request{Type: TypeMessage, Data: []byte(`1`)}},
		{
			"edit", `{"type":"edit","room":"lobby","target":12,"data":"better"}`,
			Request{Type: TypeEdit, Room: "lobby", Target: 12, Data: []byte(`"better"`)},
		},
		{
			"redact", `{"type":"redact","room":"lobby","target":12,"reason":"rude"}`,
			Request{Type: TypeRedact, Room: "lobby", Target: 12, Reason: "rude"},
		},
		{
			"presence", `{"type":"presence","status":"away","meta":{"typing":true},"room":"lobby"}`,
			Request{Type: TypePresence, Status: "away", Meta: []byte(`{"typing":true}`), Room: "lobby"},
		},
		{
			"members", `{"type":"members","room":"lobby","after":"c2","limit":50}`,
			Request{Type: TypeMembers, Room: "lobby", Cursor: "c2", Limit: 50},
		},
		{
			"history before", `{"type":"history","room":"lobby","before":90,"limit":50}`,
			Request{Type: TypeHistory, Room: "lobby", Before: 90, Limit: 50},
		},
		{
			"history before the first", `{"type":"history","room":"lobby","before":0}`,
			Request{Type: TypeHistory, Room: "lobby", Before: 1},
		},
		{
			"history after", `{"type":"history","room":"lobby","after":40}`,
			Request{Type: TypeHistory, Room: "lobby", After: 40, HasAfter: true},
		},
		{
			"history from the start", `{"type":"history","room":"lobby","after":0}`,
			Request{Type: TypeHistory, Room: "lobby", HasAfter: true},
		},
		{
			"create",
			`{"type":"create","room":"team:7","permission":"restricted","roles":["staff","admin"],"invited":["bo"],"max_members":12}`,
			Request{
				Type: TypeCreate, Room: "team:7", Permission: "restricted", Roles: []string{"staff", "admin"},
				Invited: []string{"bo"}, MaxMembers: ptr(12),
			},
		},
		{
			"update", `{"type":"update","room":"team:7","roles":[],"max_members":0}`,
			Request{Type: TypeUpdate, Room: "team:7", Roles: []string{}, MaxMembers: ptr(0)},
		},
		{"settings", `{"type":"settings","room":"team:7"}`, Request{Type: TypeSettings, Room: "team:7"}},
		{"delete", `{"type":"delete","room":"team:7"}`, Request{Type: TypeDelete, Room: "team:7"}},
		{
			"call", `{"type":"call","event":"vote","data":[1,2],"room":"team:7","ref":3}`,
			Request{Type: TypeCall, Ref: 3, Event: "vote", Data: []byte(`[1,2]`), Room: "team:7"},
		},
		{"call without data", `{"type":"call","event":"vote"}`, Request{Type: TypeCall, Event: "vote"}},
		{"call with null", `{"type":"call","event":"vote","data":null}`, Request{Type: TypeCall, Event: "vote"}},
		{"ping", `{"type":"ping","ref":9007199254740991}`, Request{Type: TypePing, Ref: MaxInteger}},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := Request{Room: "left over", MaxMembers: ptr(1)}
			if err := (JSON{}).Decode([]byte(test.frame), false, &req); err != nil {
				t.Fatalf("refused: %+v", *err)
			}
			if !reflect.DeepEqual(req, test.want) {
				t.Errorf("got  %+v\nwant %+v", req, test.want)
			}
		})
	}
}

func TestDecodeModeration(t *testing.T) {
	for _, typ := range []string{TypeInvite, TypeUninvite, TypeKick, TypeBan, TypeUnban, TypeMute, TypeUnmute} {
		frame := `{"type":"` + typ + `","room":"lobby","user":"bo","reason":"spam","for_ms":60000}`
		want := Request{Type: typ, Room: "lobby", User: "bo", Reason: "spam", ForMS: 60_000}
		var req Request
		if err := (JSON{}).Decode([]byte(frame), false, &req); err != nil {
			t.Errorf("%s: refused: %+v", typ, *err)
		} else if !reflect.DeepEqual(req, want) {
			t.Errorf("%s: got %+v, want %+v", typ, req, want)
		}
	}
}

// What a type does not use is ignored even where its JSON type is wrong, and
// null is the same as nothing.
func TestDecodeIgnores(t *testing.T) {
	for _, test := range []struct {
		name, frame string
		want        Request
	}{
		{
			"unknown names", `{"x":{"__proto__":1},"type":"ping","Ref":1,"nested":{"type":"auth"}}`,
			Request{Type: TypePing},
		},
		{
			"names of other types",
			`{"type":"ping","room":1,"event":[],"id":{},"token":false,"data":1,"meta":3,"since":4,"last":"x",` +
				`"limit":1.5,"before":-1,"after":true,"target":0,"for_ms":"1","roles":1,"invited":2,"max_members":"3",` +
				`"store":0,"echo":1,"user":2,"reason":3,"status":4,"permission":5}`,
			Request{Type: TypePing},
		},
		{
			"meta of a type without it", `{"type":"join","room":"a","meta":{"__proto__":1}}`,
			Request{Type: TypeJoin, Room: "a"},
		},
		{
			"nulls",
			`{"type":"message","ref":null,"room":"a","event":null,"id":null,"data":0,"store":null,"echo":null}`,
			Request{Type: TypeMessage, Room: "a", Data: []byte("0")},
		},
		{
			"nulls of create", `{"type":"create","room":null,"permission":null,"roles":null,"invited":null,"max_members":null}`,
			Request{Type: TypeCreate},
		},
		{"nulls of join", `{"type":"join","room":"a","since":null,"last":null}`, Request{Type: TypeJoin, Room: "a"}},
		{
			"nulls of presence", `{"type":"presence","status":"away","meta":null}`,
			Request{Type: TypePresence, Status: "away"},
		},
		{
			"white space", " \t\r\n{ \"type\" :\n\"message\" , \"data\" : [ 1 , 2 ] }\r\n",
			Request{Type: TypeMessage, Data: []byte("[ 1 , 2 ]")},
		},
		{
			"escapes", `{"\u0074ype":"mess\u0061ge","ro\u006fm":"l\u006fbby","data":"\u0041","id":"\ud83d\ude00"}`,
			Request{Type: TypeMessage, Room: "lobby", Data: []byte(`"\u0041"`), ID: "😀"},
		},
		{
			"an empty id", `{"type":"message","id":"","data":1}`,
			Request{Type: TypeMessage, Data: []byte("1")},
		},
		{
			"reserved words as values and parts of names",
			`{"type":"presence","status":"away","meta":{"a":"__proto__","b":["constructor"],"c":"\"prototype\":","prototypes":1}}`,
			Request{
				Type: TypePresence, Status: "away",
				Meta: []byte(`{"a":"__proto__","b":["constructor"],"c":"\"prototype\":","prototypes":1}`),
			},
		},
		{
			"reserved names in data", `{"type":"message","data":{"__proto__":{"constructor":1}}}`,
			Request{Type: TypeMessage, Data: []byte(`{"__proto__":{"constructor":1}}`)},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var req Request
			if err := (JSON{}).Decode([]byte(test.frame), false, &req); err != nil {
				t.Fatalf("refused: %+v", *err)
			}
			if !reflect.DeepEqual(req, test.want) {
				t.Errorf("got  %+v\nwant %+v", req, test.want)
			}
		})
	}
}

func TestDecodeLargeIntegers(t *testing.T) {
	var req Request
	frame := `{"type":"history","room":"a","before":9007199254740991,"limit":9007199254740991}`
	if err := (JSON{}).Decode([]byte(frame), false, &req); err != nil {
		t.Fatal(err)
	}
	if req.Before != MaxInteger || req.Limit != int(min(int64(MaxInteger), math.MaxInt)) {
		t.Errorf("got before %d, limit %d", req.Before, req.Limit)
	}
}

// The strings of one request share memory where they are short; long ones, and
// more than there is room for, must come out the same.
func TestDecodeLongStrings(t *testing.T) {
	for _, n := range []int{1, 84, 85, 86, 128, 255, 256, 257, 70_000} {
		room, user, reason := strings.Repeat("r", n), strings.Repeat("é", n), strings.Repeat("x", n)
		frame := `{"type":"ban","room":"` + room + `","user":"` + strings.Repeat(`\u00e9`, n) + `","reason":"` + reason + `"}`
		message := []byte(frame)
		var req Request
		if err := (JSON{}).Decode(message, false, &req); err != nil {
			t.Fatalf("%d: %+v", n, *err)
		}
		clear(message)
		if req.Room != room || req.User != user || req.Reason != reason {
			t.Errorf("%d: strings differ, or alias the message", n)
		}
	}
}

func TestDecodeAliases(t *testing.T) {
	message := []byte(`{"type":"presence","status":"away","meta":{"a":1},"room":"lobby"}`)
	var req Request
	if err := (JSON{}).Decode(message, false, &req); err != nil {
		t.Fatal(err)
	}
	if !inside(req.Meta, message) || cap(req.Meta) != len(req.Meta) {
		t.Error("meta does not alias the message, or can grow into it")
	}
	message = []byte(`{"data":[1,2],"type":"message","room":"lobby","event":"chat","id":"k"}`)
	if err := (JSON{}).Decode(message, false, &req); err != nil {
		t.Fatal(err)
	}
	if !inside(req.Data, message) || cap(req.Data) != len(req.Data) {
		t.Error("data does not alias the message, or can grow into it")
	}
	clear(message)
	if req.Room != "lobby" || req.Event != "chat" || req.ID != "k" {
		t.Errorf("strings alias the message: %+v", req)
	}
}

// inside says whether part is a piece of the memory of whole.
func inside(part, whole []byte) bool {
	for i := range whole {
		if len(part) > 0 && &part[0] == &whole[i] {
			return len(part) <= len(whole)-i
		}
	}
	return len(part) == 0
}

// frame puts a header in front of a payload.
func frame(header, payload string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(header)))
	return append(append(b, header...), payload...)
}

func TestDecodeBinary(t *testing.T) {
	message := frame(`{"type":"message","ref":5,"room":"lobby","event":"file","id":"k","echo":false}`, "\x00\xff{}")
	var req Request
	if err := (JSON{}).Decode(message, true, &req); err != nil {
		t.Fatalf("refused: %+v", *err)
	}
	want := Request{
		Type: TypeMessage, Ref: 5, Room: "lobby", Event: "file", ID: "k", NoEcho: true,
		Data: []byte("\x00\xff{}"), Binary: true,
	}
	if !reflect.DeepEqual(req, want) {
		t.Errorf("got  %+v\nwant %+v", req, want)
	}
	if !inside(req.Data, message) || cap(req.Data) != len(req.Data) {
		t.Error("data does not alias the message, or can grow beyond it")
	}

	if err := (JSON{}).Decode(frame(`{"type":"message"}`, ""), true, &req); err != nil {
		t.Fatalf("an empty payload is refused: %+v", *err)
	}
	if req.Data == nil || len(req.Data) != 0 || !req.Binary {
		t.Errorf("an empty payload gives %+v", req)
	}

	// The longest header there may be.
	long := `{"type":"message","x":"` + strings.Repeat("x", maxHeader-len(`{"type":"message","x":""}`)) + `"}`
	if err := (JSON{}).Decode(frame(long, "p"), true, &req); err != nil {
		t.Errorf("a header of %d bytes is refused: %+v", len(long), *err)
	}
}

func TestDecodeNestingLimit(t *testing.T) {
	nested := func(depth int) string {
		return strings.Repeat(`[`, depth-1) + strings.Repeat(`]`, depth-1)
	}
	var req Request
	if err := (JSON{}).Decode([]byte(`{"type":"message","data":`+nested(maxNesting)+`,"ref":3}`), false, &req); err != nil {
		t.Errorf("%d levels are refused: %+v", maxNesting, *err)
	}
	err := JSON{}.Decode([]byte(`{"type":"message","data":`+nested(maxNesting+1)+`,"ref":3}`), false, &req)
	if err == nil || err.Code != "too_deep" || req.Ref != 3 {
		t.Errorf("%d levels give %+v and ref %d", maxNesting+1, err, req.Ref)
	}
}

// A refusal halfway must leave nothing behind in the pooled decoder.
func TestDecodeAfterRefusal(t *testing.T) {
	for range 100 {
		var req Request
		err := JSON{}.Decode([]byte(`{"type":"ban","room":"one","user":"two","reason":"three","for_ms":-1}`), false, &req)
		if err == nil || req.Room != "" {
			t.Fatalf("got %+v, %v", req, err)
		}
		if err := (JSON{}).Decode([]byte(`{"type":"call","event":"four"}`), false, &req); err != nil {
			t.Fatal(*err)
		}
		if want := (Request{Type: TypeCall, Event: "four"}); !reflect.DeepEqual(req, want) {
			t.Fatalf("got %+v, want %+v", req, want)
		}
	}
}

// The pool is shared by everyone.
func TestDecodeConcurrently(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			room := strings.Repeat("r", g+1)
			good := []byte(`{"type":"message","ref":` + strconv.Itoa(g+1) + `,"room":"` + room + `","data":{"g":1}}`)
			bad := []byte(`{"type":"message","ref":` + strconv.Itoa(g+1) + `,"room":"` + room + `","room":""}`)
			for range 200 {
				var req Request
				if err := (JSON{}).Decode(good, false, &req); err != nil || req.Room != room || req.Ref != int64(g+1) {
					t.Errorf("got %+v, %+v", req, err)
				}
				if err := (JSON{}).Decode(bad, false, &req); err == nil || req.Ref != int64(g+1) {
					t.Errorf("got %+v, %+v", req, err)
				}
			}
		})
	}
	wg.Wait()
}
