package transport

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
)

// Each way to break RFC 6455 or the size caps, the code that answers it, and
// that the client can read it: the server must not reset the connection under
// its own close frame, whatever it has not read yet.
func TestRefusals(t *testing.T) {
	opts := testOptions()
	opts.MaxText, opts.MaxBinary = 1000, 2000
	opts.Compress = true

	header := func(first, second byte, rest ...byte) []byte {
		return slices.Concat([]byte{first, second}, rest, maskKey[:])
	}
	length := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	const deflate = true
	tests := []struct {
		name    string
		code    int
		deflate bool
		frames  [][]byte
	}{
		{"unmasked", 1002, false, [][]byte{{bitFin | opText, 1, 'x'}}},
		{"unmasked ping", 1002, false, [][]byte{{bitFin | opPing, 0}}},
		{"unmasked close", 1002, false, [][]byte{{bitFin | opClose, 0}}},
		{"RSV1 without deflate", 1002, false, [][]byte{clientFrame(bitFin|bitRSV1|opText, deflated("x"))}},
		{"RSV2", 1002, deflate, [][]byte{clientFrame(bitFin|bitRSV2|opText, "x")}},
		{"RSV3", 1002, deflate, [][]byte{clientFrame(bitFin|bitRSV3|opBinary, "x")}},
		{"RSV1 on a continuation", 1002, deflate, [][]byte{clientFrame(bitRSV1|opText, deflated("x")), clientFrame(bitFin|bitRSV1, "")}},
		{"RSV1 on a ping", 1002, deflate, [][]byte{clientFrame(bitFin|bitRSV1|opPing, "")}},
		{"opcode 3", 1002, false, [][]byte{clientFrame(bitFin|0x3, "x")}},
		{"opcode 7", 1002, false, [][]byte{clientFrame(bitFin|0x7, "x")}},
		{"opcode B", 1002, false, [][]byte{clientFrame(bitFin|0xB, "x")}},
		{"opcode F", 1002, false, [][]byte{clientFrame(bitFin|0xF, "")}},
		{"unknown opcode within a message", 1002, false, [][]byte{clientFrame(opText, "x"), clientFrame(bitFin|0x3, "")}},
		{"fragmented ping", 1002, false, [][]byte{clientFrame(opPing, "x")}},
		{"fragmented close", 1002, false, [][]byte{clientFrame(opClose, "")}},
		{"long ping", 1002, false, [][]byte{clientFrame(bitFin|opPing, strings.Repeat("x", 126))}},
		{"long close", 1002, false, [][]byte{clientClose(1000, strings.Repeat("x", 124))}},
		{"7 bits of length in 16", 1002, false, [][]byte{header(bitFin|opText, bitMask|126, 0, 125), masked(strings.Repeat("x", 125))}},
		{"16 bits of length in 64", 1002, false, [][]byte{header(bitFin|opText, bitMask|127, length(0xFFFF)...)}},
		{"negative length", 1002, false, [][]byte{header(bitFin|opBinary, bitMask|127, length(1<<63)...)}},
		{"all ones", 1002, false, [][]byte{bytes.Repeat([]byte{0xFF}, 14)}},
		{"continuation of nothing", 1002, false, [][]byte{clientFrame(bitFin|opContinuation, "x")}},
		{"continuation of a whole message", 1002, false, [][]byte{text("x"), clientFrame(bitFin|opContinuation, "x")}},
		{"message within a message", 1002, false, [][]byte{clientFrame(opText, "x"), text("x")}},
		{"close of one byte", 1002, false, [][]byte{clientFrame(bitFin|opClose, "x")}},
		{"close code 999", 1002, false, [][]byte{clientClose(999, "")}},
		{"close code 1005", 1002, false, [][]byte{clientClose(1005, "")}},
		{"close code 2000", 1002, false, [][]byte{clientClose(2000, "")}},
		{"close code 5000", 1002, false, [][]byte{clientClose(5000, "")}},

		{"text is not UTF-8", 1007, false, [][]byte{text("a\xFFb")}},
		{"surrogate", 1007, false, [][]byte{text("\xED\xA0\x80")}},
		{"overlong", 1007, false, [][]byte{text("\xC0\xAF")}},
		{"text ends within a rune", 1007, false, [][]byte{text("gr\xC3")}},
		{"rune torn by a frame that does not go on with it", 1007, false, [][]byte{clientFrame(opText, "gr\xC3"), clientFrame(bitFin, "x")}},
		{"compressed text is not UTF-8", 1007, deflate, [][]byte{clientFrame(bitFin|bitRSV1|opText, deflated("a\xFFb"))}},
		{"close reason is not UTF-8", 1007, false, [][]byte{clientClose(1000, "\xFF")}},
		{"not deflate", 1007, deflate, [][]byte{clientFrame(bitFin|bitRSV1|opText, "\xFF\xFF\xFF\xFF")}},

		{"text too big", 1009, false, [][]byte{clientHeader(bitFin|opText, 1001)}},
		{"binary too big", 1009, false, [][]byte{clientHeader(bitFin|opBinary, 2001)}},
		{"enormous", 1009, false, [][]byte{header(bitFin|opBinary, bitMask|127, length(math.MaxInt64)...)}},
		{"too big in fragments", 1009, false, [][]byte{clientFrame(opText, strings.Repeat("x", 600)), clientHeader(opContinuation, 401)}},
		{"sum of fragments overflows", 1009, false, [][]byte{clientFrame(opBinary, "x"), header(opContinuation, bitMask|127, length(math.MaxInt64)...)}},
		{"text too big when inflated", 1009, deflate, [][]byte{clientFrame(bitFin|bitRSV1|opText, deflated(strings.Repeat("x", 1001)))}},
		{"binary too big when inflated", 1009, deflate, [][]byte{clientFrame(bitFin|bitRSV1|opBinary, deflated(strings.Repeat("x", 2001)))}},

		{"pings", ClosePolicy, false, [][]byte{bytes.Repeat(clientFrame(bitFin|opPing, ""), 11)}},
		{"pongs", ClosePolicy, false, [][]byte{bytes.Repeat(clientFrame(bitFin|opPong, ""), 11)}},
		{"empty fragments", ClosePolicy, false, [][]byte{clientFrame(opText, ""), bytes.Repeat(clientFrame(opContinuation, ""), freeFrames)}},
		{"tiny fragments", ClosePolicy, false, [][]byte{clientFrame(opText, "x"), bytes.Repeat(clientFrame(opContinuation, "x"), freeFrames+1)}},
	}
	onNetworks(t, func(t *testing.T, n network) {
		s := serve(t, n, opts)
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				// A client's close frame is the last that it may send.
				closes := slices.ContainsFunc(tt.frames, func(f []byte) bool { return bytes.HasPrefix(f, []byte{bitFin | opClose}) })
				extra := []string{}
				if tt.deflate {
					extra = append(extra, offerDeflate)
				}
				p, c := s.connect(extra...)
				p.t = t
				if c.Deflated() != tt.deflate {
					t.Fatalf("Deflated() = %v", c.Deflated())
				}
				// What follows the fault must change nothing.
				flooded := make(chan struct{})
				go func() {
					defer close(flooded)
					p.try(slices.Concat(tt.frames...))
					if !closes {
						p.flood(1 << 20)
					}
				}()
				reason := p.expectClose(tt.code)
				if reason == "" {
					t.Error("no reason")
				}
				if c.socket != nil { // the others have no half-close
					p.expectEOF()
				}
				_ = p.nc.Close()
				<-flooded
				c.ended(t, Closing{Code: tt.code, Reason: reason, ByPeer: strings.HasPrefix(tt.name, "close of") || strings.HasPrefix(tt.name, "close code")})
			})
		}
	})
}

// Frames that look odd and are right.
func TestAllowed(t *testing.T) {
	opts := testOptions()
	opts.MaxText, opts.MaxBinary = 70000, 1000
	opts.Compress = true
	onNetworks(t, func(t *testing.T, n network) {
		s := serve(t, n, opts)
		long := strings.Repeat("x", 70000)
		for _, tt := range []struct {
			name   string
			frames [][]byte
			want   []serverFrame
		}{
			{"empty text", [][]byte{text("")}, []serverFrame{{0x81, ""}}},
			{"empty binary", [][]byte{clientFrame(bitFin|opBinary, "")}, []serverFrame{{0x82, ""}}},
			{"as much as is allowed", [][]byte{text(long)}, []serverFrame{{0x81, long}}},
			{
				"a rune across fragments",
				[][]byte{clientFrame(opText, "\xF0\x9F"), clientFrame(opContinuation, "\x98"), clientFrame(bitFin, "\x80")},
				[]serverFrame{{0x81, "😀"}},
			},
			{"binary that is not UTF-8", [][]byte{clientFrame(bitFin|opBinary, "\xFF")}, []serverFrame{{0x82, "\xFF"}}},
			{
				"an empty last fragment",
				[][]byte{clientFrame(opText, "x"), clientFrame(bitFin, "")},
				[]serverFrame{{0x81, "x"}},
			},
			{
				"pings between fragments",
				[][]byte{clientFrame(opText, "on"), clientFrame(bitFin|opPing, "1"), clientFrame(opContinuation, ""), clientFrame(bitFin|opPing, "2"), clientFrame(bitFin, "e")},
				[]serverFrame{{0x8A, "1"}, {0x8A, "2"}, {0x81, "one"}},
			},
			{"a ping as long as allowed", [][]byte{clientFrame(bitFin|opPing, long[:125])}, []serverFrame{{0x8A, long[:125]}}},
			{"pongs nobody asked for", [][]byte{clientFrame(bitFin|opPong, "x"), text("x")}, []serverFrame{{0x81, "x"}}},
			{
				"many fragments of a fair size",
				[][]byte{clientFrame(opText, long[:128]), bytes.Repeat(clientFrame(opContinuation, long[:128]), 500), clientFrame(bitFin, "")},
				[]serverFrame{{0x81, long[:128*501]}},
			},
			{"as many fragments as allowed", [][]byte{clientFrame(opText, ""), bytes.Repeat(clientFrame(opContinuation, ""), freeFrames-2), clientFrame(bitFin, "x")}, []serverFrame{{0x81, "x"}}},
			{
				"compressed, in fragments, with a ping between",
				[][]byte{
					clientFrame(bitRSV1|opText, deflated("hello hello")[:4]), clientFrame(bitFin|opPing, ""),
					clientFrame(bitFin, deflated("hello hello")[4:]), text("plain"),
					clientFrame(bitFin|bitRSV1|opText, deflated("hello hello")),
				},
				[]serverFrame{{0x8A, ""}, {0x81, "hello hello"}, {0x81, "plain"}, {0x81, "hello hello"}},
			},
			{"compressed as much as allowed", [][]byte{clientFrame(bitFin|bitRSV1|opBinary, deflated(long[:1000]))}, []serverFrame{{0x82, long[:1000]}}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				p, c := s.connect(offerDeflate)
				p.t = t
				go p.try(slices.Concat(tt.frames...))
				for _, want := range tt.want {
					p.expect(want.first, want.payload)
				}
				c.Close(1000, "")
				p.expectClose(1000)
			})
		}
	})
}
