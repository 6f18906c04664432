package transport

import (
	"bytes"
	"compress/flate"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"
)

// What a client puts behind the end of its compressed data stays with it,
// though others come to read through what it has read through.
func TestNothingIsLeftForOthers(t *testing.T) {
	opts := testOptions()
	opts.Compress = true
	s := serve(t, overTCP(), opts)
	var ended bytes.Buffer
	w, _ := flate.NewWriter(&ended, flate.BestSpeed)
	_, _ = w.Write([]byte("mine"))
	_ = w.Close() // with the bit that says it is the last block
	ended.WriteString(deflated("and this is for whoever comes next"))
	hostile := clientFrame(bitFin|bitRSV1|opText, ended.String())
	other, _ := s.connect(offerDeflate)
	for range 50 {
		p, _ := s.connect(offerDeflate)
		p.send(hostile)
		p.expectText("mine")
		other.send(clientFrame(bitFin|bitRSV1|opText, deflated("yours")))
		other.expectText("yours")
		_ = p.nc.Close()
	}
}

// Whatever a client sent before, and however it is cut up, the next message is
// read as it was sent.
func TestIntakeAfterEverything(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		opts := testOptions()
		opts.Compress = true
		s := serve(t, n, opts)
		for _, tt := range []struct {
			sent []byte
			want string // echoed; empty for a ping
		}{
			{text("plain"), "plain"},
			{clientFrame(bitFin|bitRSV1|opText, deflated("compressed")), "compressed"},
			{clientFrame(bitFin|opPing, "are you there"), ""},
			{append(append(clientFrame(opText, "in "), clientFrame(bitFin|opPing, "are you there")...), clientFrame(bitFin|opContinuation, "parts")...), "in parts"},
			{clientFrame(bitFin|opPing, strings.Repeat("p", maxControlPayload)), ""},
			{text(strings.Repeat("long ", 5000)), strings.Repeat("long ", 5000)},
			{clientFrame(bitFin|opPing, ""), ""},
		} {
			p, _ := s.connect(offerDeflate) // or it would be too many pings
			for _, cut := range []int{1, 3, 7, len(tt.sent) / 2, len(tt.sent)} {
				cut = min(cut, len(tt.sent))
				p.send(tt.sent[:cut])
				if cut < len(tt.sent) { // a pipe passes on also what is empty
					p.send(tt.sent[cut:])
				}
				if tt.want == "" {
					h, _ := parseHeader(tt.sent)
					p.expect(bitFin|opPong, string(masked(string(tt.sent[h.size:]))))
					continue
				}
				if strings.HasPrefix(tt.want, "in ") {
					p.expect(bitFin|opPong, "are you there")
				}
				p.expectText(tt.want)
			}
		}
	})
}

// What the pool forgets is collected.
func TestForgottenIntakeIsCollected(t *testing.T) {
	for _, deflate := range []bool{false, true} {
		in := weak.Make(newIntake(deflate))
		for end := time.Now().Add(10 * time.Second); in.Value() != nil; {
			runtime.GC()
			if time.Now().After(end) {
				t.Fatalf("deflate %t: still there", deflate)
			}
		}
	}
}
