package wire

import (
	"strings"
	"testing"
)

// usualRequest is a message of some 150 bytes, usualFrame one with 128 bytes
// of data.
var (
	usualRequest = []byte(`{"type":"message","ref":12345,"room":"team:7","event":"chat","id":"01JB5Z3M9V",` +
		`"data":{"text":"Shall we meet at ten? I will bring coffee.","n":1}}`)
	longRequest = []byte(`{"type":"message","ref":12345,"room":"team:7","data":"` + strings.Repeat("x", 126) + `"}`)
)

func usualFrame() *Message {
	return &Message{
		Room: "team:7", Event: "chat", From: "ada", ID: "01JB5Z3M9V",
		Data: []byte(`"` + strings.Repeat("x", 126) + `"`),
		At:   1_760_000_000_123, Offset: 4711, Epoch: "k3J9sXq2",
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, bench := range []struct {
		name    string
		message []byte
	}{{"object", usualRequest}, {"text", longRequest}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bench.message)))
			var req Request
			for b.Loop() {
				if err := (JSON{}).Decode(bench.message, false, &req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	m := usualFrame()
	for _, bench := range []struct {
		name   string
		binary bool
	}{{"text", false}, {"binary", true}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			m.Binary = bench.binary
			dst, _ := (JSON{}).Append(nil, m)
			b.SetBytes(int64(len(dst)))
			for b.Loop() {
				dst, _ = JSON{}.Append(dst[:0], m)
			}
		})
	}
}
