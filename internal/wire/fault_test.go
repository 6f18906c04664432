package wire

import (
	"reflect"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
)

func TestDecodeRefuses(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100_000)
	elements := strings.Repeat(`"x",`, maxElements)
	for _, test := range []struct {
		name, frame, code string
		ref               int64
		message           string // checked where it names a field
	}{
		// Not JSON, or not an object. A ref in what is not JSON is no ref.
		{"empty", ``, "invalid_json", 0, ""},
		{"white space", " \n", "invalid_json", 0, ""},
		{"text", `hello`, "invalid_json", 0, ""},
		{"null", `null`, "invalid_json", 0, ""},
		{"number", `7`, "invalid_json", 0, ""},
		{"string", `"{}"`, "invalid_json", 0, ""},
		{"array", `[{"type":"ping","ref":7}]`, "invalid_json", 0, ""},
		{"cut off", `{"type":"ping","ref":7`, "invalid_json", 0, ""},
		{"cut off in a string", `{"type":"ping","ref":7,"x":"`, "invalid_json", 0, ""},
		{"cut off in a surrogate pair", `{"ref":7,"x":"\ud83d\ud`, "invalid_json", 0, ""},
		{"two objects", `{"type":"ping","ref":7}{}`, "invalid_json", 0, ""},
		{"trailing text", `{"type":"ping","ref":7} x`, "invalid_json", 0, ""},
		{"trailing bracket", `{"type":"ping","ref":7}}`, "invalid_json", 0, ""},
		{"trailing comma", `{"type":"ping","ref":7,}`, "invalid_json", 0, ""},
		{"leading comma", `{,"type":"ping","ref":7}`, "invalid_json", 0, ""},
		{"no comma", `{"type":"ping" "ref":7}`, "invalid_json", 0, ""},
		{"no colon", `{"type" "ping","ref":7}`, "invalid_json", 0, ""},
		{"no value", `{"ref":7,"type":}`, "invalid_json", 0, ""},
		{"name without quotes", `{type:"ping","ref":7}`, "invalid_json", 0, ""},
		{"name that is a number", `{1:"ping","ref":7}`, "invalid_json", 0, ""},
		{"single quotes", `{'type':'ping'}`, "invalid_json", 0, ""},
		{"comment", `{"type":"ping"/**/}`, "invalid_json", 0, ""},
		{"byte order mark", "\xEF\xBB\xBF" + `{"type":"ping"}`, "invalid_json", 0, ""},
		{"control character", "{\"type\":\"pi\nng\"}", "invalid_json", 0, ""},
		{"bad escape", `{"type":"ping","x":"\x41"}`, "invalid_json", 0, ""},
		{"NaN", `{"type":"ping","x":NaN}`, "invalid_json", 0, ""},
		{"leading zero", `{"type":"ping","ref":07}`, "invalid_json", 0, ""},
		{"plus", `{"type":"ping","ref":+7}`, "invalid_json", 0, ""},
		{"mismatched brackets", `{"type":"ping","ref":7,"x":[}]}`, "invalid_json", 0, ""},
		{"cut off UTF-8", "{\"ref\":7,\"x\":\"\xC3", "invalid_json", 0, ""},
		{"not JSON after a duplicate", `{"ref":7,"a":1,"a":2`, "invalid_json", 0, ""},
		{"not JSON after bad text", "{\"ref\":7,\"a\":\"\xFF\",}", "invalid_json", 0, ""},

		// Duplicate names.
		{"twice the type", `{"type":"ping","type":"ping","ref":7}`, "duplicate_key", 7, ""},
		{"twice the ref", `{"type":"ping","ref":7,"ref":7}`, "duplicate_key", 0, ""},
		{"twice the ref, once spelt otherwise", `{"type":"ping","ref":7,"r\u0065f":8}`, "duplicate_key", 0, ""},
		{"duplicate before the ref", `{"type":"message","data":{"a":1,"a":1},"ref":7}`, "duplicate_key", 7, ""},
		{"duplicate deep in meta", `{"ref":7,"type":"presence","meta":{"x":[{"a":1,"\u0061":2}]}}`, "duplicate_key", 7, ""},
		{"duplicate in an unknown field", `{"ref":7,"type":"ping","x":{"a":1,"a":2}}`, "duplicate_key", 7, ""},
		{"duplicate unknown names", `{"ref":7,"type":"ping","x":1,"x":2}`, "duplicate_key", 7, ""},
		{"duplicate with a bad ref", `{"ref":7.0,"type":"ping","x":1,"x":2}`, "duplicate_key", 0, ""},
		{"ref only deeper", `{"data":{"ref":7},"x":1,"x":2}`, "duplicate_key", 0, ""},

		// Text.
		{"bad byte", "{\"type\":\"message\",\"data\":\"\xFF\",\"ref\":7}", "invalid_utf8", 7, ""},
		{"bad byte in a name", "{\"type\":\"message\",\"\xFF\":1,\"ref\":7}", "invalid_utf8", 7, ""},
		{"overlong", "{\"type\":\"ping\",\"x\":\"\xC0\xAF\",\"ref\":7}", "invalid_utf8", 7, ""},
		{"surrogate in UTF-8", "{\"type\":\"ping\",\"x\":\"\xED\xA0\x80\",\"ref\":7}", "invalid_utf8", 7, ""},
		{"lone high surrogate", `{"type":"message","data":"\ud83d","ref":7}`, "invalid_utf8", 7, ""},
		{"lone low surrogate", `{"type":"message","data":"\ude00","ref":7}`, "invalid_utf8", 7, ""},
		{"surrogates in the wrong order", `{"type":"message","data":["\ude00\ud83d"],"ref":7}`, "invalid_utf8", 7, ""},
		{"half a pair, then text", `{"type":"message","data":{"\ud83dabcdef":1},"ref":7}`, "invalid_utf8", 7, ""},
		{"bad text, twice the ref", "{\"ref\":7,\"ref\":7,\"x\":\"\xFF\"}", "duplicate_key", 0, ""},

		// Nesting.
		{"deep", `{"ref":7,"x":` + deep + `1` + strings.Repeat(`}`, 100_000) + `}`, "too_deep", 7, ""},
		{"deep, ref after", `{"x":` + deep + `"]}\""` + strings.Repeat(`}`, 100_000) + `,"ref":7}`, "too_deep", 7, ""},
		{"deep and cut off", `{"ref":7,"x":` + deep, "too_deep", 0, ""},
		{"deep and trailing", `{"ref":7,"x":` + deep + `1` + strings.Repeat(`}`, 100_002), "too_deep", 0, ""},
		{"deep and twice the ref", `{"ref":7,"x":` + deep + `1` + strings.Repeat(`}`, 100_000) + `,"ref":7}`, "too_deep", 0, ""},
		{"deep, but no object", strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000), "invalid_json", 0, ""},
		{"not JSON, then deep", `{"ref":7,"x":[1 2],"x":` + deep, "invalid_json", 0, ""},

		// The type.
		{"no type", `{"ref":7}`, "bad_request", 7, "type is missing"},
		{"empty object", `{}`, "bad_request", 0, "type is missing"},
		{"null type", `{"type":null,"ref":7}`, "bad_request", 7, "type is missing"},
		{"number as type", `{"type":1,"ref":7}`, "bad_request", 7, "type must be a string"},
		{"unknown type", `{"type":"shout","ref":7}`, "bad_request", 7, "type is not known"},
		{"empty type", `{"type":"","ref":7}`, "bad_request", 7, "type is not known"},
		{"type in capitals", `{"type":"Ping","ref":7}`, "bad_request", 7, "type is not known"},
		{"type of a server frame", `{"type":"reply","ref":7}`, "bad_request", 7, "type is not known"},

		// The ref.
		{"zero", `{"type":"ping","ref":0}`, "bad_request", 0, "ref must be an integer from 1 to 9007199254740991"},
		{"negative", `{"type":"ping","ref":-7}`, "bad_request", 0, "ref"},
		{"minus zero", `{"type":"ping","ref":-0}`, "bad_request", 0, "ref"},
		{"fraction", `{"type":"ping","ref":1.0}`, "bad_request", 0, "ref"},
		{"exponent", `{"type":"ping","ref":1e3}`, "bad_request", 0, "ref"},
		{"too large", `{"type":"ping","ref":9007199254740992}`, "bad_request", 0, "ref"},
		{"far too large", `{"type":"ping","ref":18446744073709551617}`, "bad_request", 0, "ref"},
		{"string", `{"type":"ping","ref":"7"}`, "bad_request", 0, "ref"},
		{"true", `{"type":"ping","ref":true}`, "bad_request", 0, "ref"},
		{"array", `{"type":"ping","ref":[7]}`, "bad_request", 0, "ref"},

		// Reserved names.
		{"__proto__", `{"type":"ping","ref":7,"__proto__":{}}`, "bad_request", 7, "the envelope has a member with a reserved name"},
		{"constructor", `{"type":"ping","ref":7,"constructor":null}`, "bad_request", 7, "the envelope"},
		{"prototype", `{"prototype":0,"type":"ping","ref":7}`, "bad_request", 7, "the envelope"},
		{"escaped", `{"type":"ping","ref":7,"\u005f_proto__":{}}`, "bad_request", 7, "the envelope"},
		{"in meta", `{"type":"presence","status":"away","ref":7,"meta":{"__proto__":1}}`, "bad_request", 7, "meta has a member with a reserved name"},
		{"deep in meta", `{"type":"presence","status":"away","ref":7,"meta":{"a":[{"b":{"constructor":1}}]}}`, "bad_request", 7, "meta has"},
		{"escaped in meta", `{"type":"presence","status":"away","ref":7,"meta":{"a":{"protot\u0079pe":1}}}`, "bad_request", 7, "meta has"},
		{"after a value in meta", `{"type":"presence","status":"away","ref":7,"meta":{"a":"x","prototype":1}}`, "bad_request", 7, "meta has"},

		// Fields of the wrong kind.
		{"room", `{"type":"join","ref":7,"room":5}`, "bad_request", 7, "room must be a string"},
		{"event", `{"type":"call","ref":7,"event":{}}`, "bad_request", 7, "event must be a string"},
		{"id", `{"type":"message","ref":7,"data":1,"id":5}`, "bad_request", 7, "id must be a string"},
		{"user", `{"type":"kick","ref":7,"user":[]}`, "bad_request", 7, "user must be a string"},
		{"token", `{"type":"auth","ref":7,"token":true}`, "bad_request", 7, "token must be a string"},
		{"reason", `{"type":"ban","ref":7,"reason":1}`, "bad_request", 7, "reason must be a string"},
		{"status", `{"type":"presence","ref":7,"status":1}`, "bad_request", 7, "status must be a string"},
		{"permission", `{"type":"create","ref":7,"permission":1}`, "bad_request", 7, "permission must be a string"},
		{"store", `{"type":"message","ref":7,"data":1,"store":0}`, "bad_request", 7, "store must be true or false"},
		{"echo", `{"type":"message","ref":7,"data":1,"echo":"false"}`, "bad_request", 7, "echo must be true or false"},
		{"meta as array", `{"type":"presence","ref":7,"status":"away","meta":[]}`, "bad_request", 7, "meta must be an object"},
		{"meta as string", `{"type":"presence","ref":7,"status":"away","meta":"{}"}`, "bad_request", 7, "meta must be an object"},
		{"last", `{"type":"join","ref":7,"last":"5"}`, "bad_request", 7, "last must be an integer from 0 to 9007199254740991"},
		{"last below zero", `{"type":"join","ref":7,"last":-1}`, "bad_request", 7, "last must be"},
		{"limit", `{"type":"members","ref":7,"limit":1.5}`, "bad_request", 7, "limit must be"},
		{"before", `{"type":"history","ref":7,"before":1e1}`, "bad_request", 7, "before must be"},
		{"after as cursor", `{"type":"history","ref":7,"after":"c"}`, "bad_request", 7, "after must be an integer"},
		{"after as offset", `{"type":"members","ref":7,"after":1}`, "bad_request", 7, "after must be a string"},
		{"target", `{"type":"redact","ref":7,"target":"1"}`, "bad_request", 7, "target must be"},
		{"target below one", `{"type":"redact","ref":7,"target":0}`, "bad_request", 7, "target must be an integer from 1"},
		{"for_ms", `{"type":"mute","ref":7,"for_ms":9007199254740992}`, "bad_request", 7, "for_ms must be"},
		{"max_members", `{"type":"update","ref":7,"max_members":true}`, "bad_request", 7, "max_members must be"},
		{"roles", `{"type":"update","ref":7,"roles":"staff"}`, "bad_request", 7, "roles must be an array of strings"},
		{"roles of numbers", `{"type":"update","ref":7,"roles":["a",1]}`, "bad_request", 7, "roles must be an array of strings"},
		{"roles of null", `{"type":"update","ref":7,"roles":[null]}`, "bad_request", 7, "roles must be an array of strings"},
		{"invited of arrays", `{"type":"create","ref":7,"invited":[["a"]]}`, "bad_request", 7, "invited must be an array of strings"},
		{"since", `{"type":"join","ref":7,"since":5}`, "bad_request", 7, "since must be an object"},
		{"since as array", `{"type":"join","ref":7,"since":["e",1]}`, "bad_request", 7, "since must be an object"},
		{"since without epoch", `{"type":"join","ref":7,"since":{"offset":1}}`, "bad_request", 7, "since.epoch is missing"},
		{"since without offset", `{"type":"join","ref":7,"since":{"epoch":"e","offset":null}}`, "bad_request", 7, "since.offset is missing"},
		{"since.epoch", `{"type":"join","ref":7,"since":{"epoch":1,"offset":1}}`, "bad_request", 7, "since.epoch must be a string"},
		{"since.offset", `{"type":"join","ref":7,"since":{"epoch":"e","offset":-1}}`, "bad_request", 7, "since.offset must be an integer"},

		// Fields that must be there.
		{"message without data", `{"type":"message","ref":7,"room":"a"}`, "bad_request", 7, "data is missing"},
		{"edit without data", `{"type":"edit","ref":7,"target":1}`, "bad_request", 7, "data is missing"},
		{"edit without target", `{"type":"edit","ref":7,"data":1}`, "bad_request", 7, "target is missing"},
		{"redact without target", `{"type":"redact","ref":7,"target":null}`, "bad_request", 7, "target is missing"},
		{"auth without token", `{"type":"auth","ref":7}`, "bad_request", 7, "token is missing"},
		{"presence without status", `{"type":"presence","ref":7,"status":null}`, "bad_request", 7, "status is missing"},

		// Fields that must not be empty.
		{"empty event", `{"type":"message","ref":7,"event":"","data":1}`, "invalid_event", 7, "event must not be empty"},
		{"empty event of a call", `{"type":"call","ref":7,"event":""}`, "invalid_event", 7, "event must not be empty"},
		{"empty permission", `{"type":"create","ref":7,"permission":""}`, "bad_request", 7, "permission must not be empty"},

		{"many roles", `{"type":"create","ref":7,"roles":[` + elements + `"x"]}`, "too_many_elements", 7, "roles has too many elements"},
		{"many invited", `{"type":"create","ref":7,"invited":[` + elements + `"x"]}`, "too_many_elements", 7, "invited has too many elements"},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := Request{Ref: 99, Room: "left over"}
			err := JSON{}.Decode([]byte(test.frame), false, &req)
			refused(t, err, &req, test.code, test.ref, test.message)
		})
	}

	var req Request
	if err := (JSON{}).Decode([]byte(`{"type":"create","roles":[`+elements[:len(elements)-1]+`]}`), false, &req); err != nil {
		t.Errorf("%d roles are refused: %+v", maxElements, *err)
	}
}

// refused checks a refusal, and that nothing but the ref is left in req.
func refused(t *testing.T, err *Error, req *Request, code string, ref int64, message string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted as %+v", *req)
	}
	if err.Code != code || !strings.HasPrefix(err.Message, message) {
		t.Errorf("got %q, %q; want %q, %q", err.Code, err.Message, code, message)
	}
	if err.Message == "" || err.RetryAfterMS != 0 || err.ID != "" {
		t.Errorf("got %+v", *err)
	}
	if want := (Request{Ref: ref}); !reflect.DeepEqual(*req, want) {
		t.Errorf("req is %+v, want only ref %d", *req, ref)
	}
}

func TestDecodeBinaryRefuses(t *testing.T) {
	for _, test := range []struct {
		name    string
		message []byte
		code    string
		ref     int64
		text    string
	}{
		{"empty", nil, "bad_request", 0, "the binary message ends within its header"},
		{"one byte", []byte{0}, "bad_request", 0, "the binary message ends within its header"},
		{"header cut off", frame(`{"type":"message","ref":7}`, "")[:10], "bad_request", 0, "the binary message ends within its header"},
		{"header too large", frame(strings.Repeat(" ", maxHeader+1), ""), "too_large", 0, "the header"},
		{"header that claims too much", []byte{0xFF, 0xFF, '{'}, "too_large", 0, "the header"},
		{"no header", []byte{0, 0}, "invalid_json", 0, ""},
		{"header that is no object", frame(`[]`, ""), "invalid_json", 0, ""},
		{"header that goes on in the payload", frame(`{"type":"message"`, `}`), "invalid_json", 0, ""},
		{"other type", frame(`{"type":"ping","ref":7}`, ""), "bad_request", 7, "a binary message must have the type message"},
		{"no type", frame(`{"ref":7}`, ""), "bad_request", 7, "type is missing"},
		{"data", frame(`{"type":"message","ref":7,"data":1}`, "x"), "bad_request", 7, "data may not be in the header"},
		{"null as data", frame(`{"type":"message","ref":7,"data":null}`, "x"), "bad_request", 7, "data may not be in the header"},
		{"duplicate", frame(`{"type":"message","ref":7,"a":1,"a":1}`, "x"), "duplicate_key", 7, ""},
		{"bad text", frame("{\"type\":\"message\",\"ref\":7,\"room\":\"\xFF\"}", "x"), "invalid_utf8", 7, ""},
		{"reserved", frame(`{"type":"message","ref":7,"__proto__":1}`, "x"), "bad_request", 7, "the envelope has"},
		{"room", frame(`{"type":"message","ref":7,"room":1}`, "x"), "bad_request", 7, "room must be a string"},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := Request{Ref: 99, Binary: true}
			err := JSON{}.Decode(test.message, true, &req)
			refused(t, err, &req, test.code, test.ref, test.text)
		})
	}
}

// Messages are shown to anyone and written to logs, so they hold nothing that
// the client sent.
func TestRefusalsDoNotEcho(t *testing.T) {
	const secret = "S3CR3T"
	for _, frame := range []string{
		secret,
		`{"type":"` + secret + `"}`,
		`{"type":"ping","` + secret + `":1,"` + secret + `":2}`,
		`{"type":"ping","` + secret + `":"\ud800"}`,
		`{"type":"join","room":["` + secret + `"]}`,
		`{"type":"join","since":{"epoch":["` + secret + `"]}}`,
		`{"type":"auth","token":{"t":"` + secret + `"}}`,
		`{"type":"create","roles":"` + secret + `"}`,
		`{"type":"presence","status":"away","meta":{"` + secret + `":{"__proto__":1}}}`,
	} {
		var req Request
		err := JSON{}.Decode([]byte(frame), false, &req)
		if err == nil {
			t.Errorf("%s: accepted", frame)
		} else if strings.Contains(err.Message+err.Code+err.ID, secret) {
			t.Errorf("%s: the refusal is %+v", frame, *err)
		}
	}
}

// A few KiB of brackets must not grow the stack of whoever decodes them: a
// stack of megabytes per connection stays until the next garbage collection.
func TestDecodeDeepKeepsStackSmall(t *testing.T) {
	deep := []byte(`{"type":"message","data":` + strings.Repeat(`{"a":[`, 4_990) + strings.Repeat(`]}`, 4_990) + `}`)
	stacks := func() uint64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}

	const decoders = 8
	start := stacks()
	decoded, done := make(chan *Error), make(chan struct{})
	var wg sync.WaitGroup
	for range decoders {
		wg.Go(func() {
			var req Request
			decoded <- JSON{}.Decode(deep, false, &req)
			<-done // keeps the stack as it is
		})
	}
	for range decoders {
		if err := <-decoded; err != nil {
			t.Errorf("refused: %+v", *err)
		}
	}
	grown := int64(stacks()) - int64(start)
	close(done)
	wg.Wait()
	if grown > decoders*(128<<10) {
		t.Errorf("%d goroutines' stacks grew by %d KiB", decoders, grown>>10)
	}
}
