package transport

import (
	"bytes"
	"compress/flate"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The answer to an offer turns context takeover off both ways, whatever the
// client asks, because shared frames know no context.
func TestNegotiation(t *testing.T) {
	const answer = "permessage-deflate; client_no_context_takeover; server_no_context_takeover"
	for name, tt := range map[string]struct {
		compress bool
		offer    string
		want     string
	}{
		"not offered":            {true, "", ""},
		"not wanted":             {false, "permessage-deflate", ""},
		"plain":                  {true, "permessage-deflate", answer},
		"as browsers do":         {true, "permessage-deflate; client_max_window_bits", answer},
		"with takeover off":      {true, "permessage-deflate; server_no_context_takeover; client_no_context_takeover", answer},
		"another extension":      {true, "x-webkit-deflate-frame", ""},
		"a window we cannot do":  {true, "permessage-deflate; server_max_window_bits=9", ""},
		"the second is possible": {true, "permessage-deflate; server_max_window_bits=9, permessage-deflate", answer},
	} {
		t.Run(name, func(t *testing.T) {
			opts := testOptions()
			opts.Compress = tt.compress
			s := serve(t, overTCP(), opts)
			p := s.connectRaw()
			var extra []string
			if tt.offer != "" {
				extra = append(extra, "Sec-WebSocket-Extensions: "+tt.offer)
			}
			p.send(handshake(extra...))
			if got := strings.Join(p.upgrade().Values("Sec-WebSocket-Extensions"), ", "); got != tt.want {
				t.Fatalf("answered %q, want %q", got, tt.want)
			}
			if got := s.accepted().Deflated(); got != (tt.want != "") {
				t.Fatalf("Deflated() = %v", got)
			}
		})
	}
}

// One compressed frame serves every member, and each of them can read it
// without what came before.
func TestSharedCompressedFrames(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		opts := testOptions()
		opts.Compress = true
		s := serve(t, n, opts)
		l := testLog(t, 1<<20)
		var peers []*peer
		for range 3 {
			p, c := s.connect(offerDeflate)
			join(l, c.Conn)
			peers = append(peers, p)
		}
		message := strings.Repeat(`{"type":"message","room":"lobby"}`, 100)
		for i := range 3 {
			payload := fmt.Sprint(message, i)
			l.Append(Frame{Payload: []byte(deflated(payload)), Deflated: true, Binary: i == 1}, nil)
			l.Append(Frame{Payload: []byte("small, so plain")}, nil)
			l.Flush()
			for _, p := range peers {
				f := p.read()
				want := byte(bitFin | bitRSV1 | opText)
				if i == 1 {
					want = bitFin | bitRSV1 | opBinary
				}
				if f.first != want || inflate(t, f.payload) != payload || len(f.payload) > len(payload)/10 {
					t.Fatalf("frame %v", f)
				}
				p.expectText("small, so plain")
			}
		}
		peers[0].send(clientFrame(bitFin|bitRSV1|opText, deflated("and back")))
		peers[0].expectText("and back")
	})
}

func TestDeflate(t *testing.T) {
	for _, payload := range []string{"", "x", strings.Repeat("hello ", 1000), string(make([]byte, 100_000))} {
		out := Deflate([]byte("kept"), []byte(payload))
		if !bytes.HasPrefix(out, []byte("kept")) || bytes.HasSuffix(out, []byte("\x00\x00\xff\xff")) {
			t.Errorf("%d bytes: %.20x", len(payload), out)
		}
		if got := inflate(t, string(out[4:])); got != payload {
			t.Errorf("%d bytes came back as %d", len(payload), len(got))
		}
	}
}

// Compressed data may say that it ends before the message does. What follows
// must not be read as frames: nobody has looked at those.
func TestFramesWithinCompressedMessage(t *testing.T) {
	final := func(payload string) string {
		var buf bytes.Buffer
		w, _ := flate.NewWriter(&buf, flate.BestSpeed)
		_, _ = w.Write([]byte(payload))
		_ = w.Close() // with the bit that says it is the last block
		return buf.String()
	}
	for name, tail := range map[string]string{
		"a message":        string(text("smuggled")),
		"unmasked":         "\x81\x08smuggled",
		"much junk":        strings.Repeat("\x00", 10_000),
		"one byte":         "\x00",
		"a thousand pings": strings.Repeat(string(clientFrame(bitFin|opPing, "")), 1000),
	} {
		// The library reads ahead 4 KiB of compressed data.
		for _, ahead := range []int{0, 4090, 4096} {
			t.Run(fmt.Sprint(name, " after ", ahead), func(t *testing.T) {
				opts := testOptions()
				opts.Compress = true
				s := serve(t, overTCP(), opts)
				var heard []string
				s.handle = func(_ *served, message []byte, _ bool) { heard = append(heard, string(message)) }
				p, c := s.connect(offerDeflate)
				payload := final("honest")
				payload += strings.Repeat("\x00", max(0, ahead-len(payload)))
				// The tail is not masked again: headers are read as they are.
				p.send(clientHeader(bitFin|bitRSV1|opText, len(payload)+len(tail)), masked(payload), []byte(tail))
				p.send(clientFrame(bitFin|opPing, "still there?"))
				f := p.read()
				switch f.first {
				case bitFin | opClose: // refused
				case bitFin | opPong: // all of it was read as compressed data
					if f.payload != "still there?" {
						t.Fatalf("answered a smuggled ping: %v", f)
					}
				default:
					t.Fatalf("got %v", f)
				}
				c.Abort()
				<-c.done
				if len(heard) > 1 || slices.Contains(heard, "smuggled") {
					t.Fatalf("handled %q", heard)
				}
			})
		}
	}
}

// Binary data has its own limit, also when that is the smaller one.
func TestInflatedBinary(t *testing.T) {
	opts := testOptions()
	opts.Compress = true
	opts.MaxText, opts.MaxBinary = 2000, 1000
	s := serve(t, overTCP(), opts)
	p, _ := s.connect(offerDeflate)
	p.send(clientFrame(bitFin|bitRSV1|opText, deflated(strings.Repeat("x", 2000))))
	p.expectText(strings.Repeat("x", 2000))
	p.send(clientFrame(bitFin|bitRSV1|opBinary, deflated(strings.Repeat("x", 1001))))
	p.expectClose(CloseTooBig)
}

// However much a message says or turns out to hold, refusing it costs no
// memory.
func TestRefusalsAreCheap(t *testing.T) {
	opts := testOptions()
	opts.Compress = true
	s := serve(t, overTCP(), opts)
	bomb := deflated(string(make([]byte, 16<<20)))
	if len(bomb) > int(opts.MaxText) {
		t.Fatalf("the bomb is %d bytes", len(bomb))
	}
	refuse := func(frames ...[]byte) func() {
		return func() {
			p, c := s.connect(offerDeflate)
			p.send(frames...)
			p.expectClose(CloseTooBig)
			c.Abort()
			<-c.done
		}
	}
	for name, attack := range map[string]func(){
		"by its header":    refuse(clientHeader(bitFin|opBinary, 1<<40), make([]byte, 1000)),
		"by its fragments": refuse(clientFrame(opText, strings.Repeat("x", 40<<10)), clientFrame(opContinuation, strings.Repeat("x", 40<<10))),
		"inflated":         refuse(clientFrame(bitFin|bitRSV1|opText, bomb)),
	} {
		t.Run(name, func(t *testing.T) {
			attack() // what is made once is made now
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			attack()
			runtime.ReadMemStats(&after)
			if grew := after.TotalAlloc - before.TotalAlloc; grew > 1<<20 {
				t.Errorf("%d bytes were allocated", grew)
			}
		})
	}
}
