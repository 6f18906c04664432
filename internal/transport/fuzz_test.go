package transport

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"unicode/utf8"
)

// script is a conn that brings its bytes in pieces and keeps what it is sent.
type script struct {
	deaf
	data   []byte
	pieces []byte // sizes of reads, in turn
	turn   int
}

func (s *script) piece(n int) int {
	if len(s.pieces) > 0 {
		n = min(n, 1+int(s.pieces[s.turn%len(s.pieces)]))
		s.turn++
	}
	return n
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:s.piece(len(p))], s.data)
	s.data = s.data[n:]
	return n, nil
}

// verdict is what a reference says about a stream: how many bytes of it are
// passed on, why the connection is closed (0: it is not), and where the frames
// lie.
type verdict struct {
	passed int
	code   int
	frames []refFrame
}

type refFrame struct {
	start, end int // of the frame; end may lie behind the stream
	first      byte
	payload    []byte // unmasked; as much as there is
}

// judge is the reference: RFC 6455, section 5, read once more, over a stream
// that is all there, with no regard to speed.
func judge(data []byte, opts *Options, deflate bool) (v verdict) {
	var (
		inMessage        bool
		limit, sum       uint64
		fragments, pings uint64
	)
	for at := 0; ; {
		rest := data[at:]
		need := 2
		var length uint64
		short := false
		if len(rest) >= 2 {
			extended := map[byte]int{126: 2, 127: 8}[rest[1]&0x7F]
			need += extended
			if rest[1]&0x80 != 0 {
				need += 4
			}
			if len(rest) >= need {
				length = uint64(rest[1] & 0x7F)
				if extended > 0 {
					length = 0
					for _, b := range rest[2 : 2+extended] {
						length = length<<8 | uint64(b)
					}
					short = extended == 2 && length < 126 || extended == 8 && length < 65536
				}
			}
		}
		if len(rest) < need {
			return v // no whole header: nothing of it is passed on
		}
		first, mask := rest[0], rest[1]&0x80 != 0
		opcode, fin := first&0x0F, first&0x80 != 0
		refuse := func(code int) verdict { v.code = code; return v }
		switch {
		case !mask, first&0x30 != 0, length>>63 != 0, short:
			return refuse(1002)
		case first&0x40 != 0 && !(deflate && (opcode == 1 || opcode == 2)):
			return refuse(1002)
		}
		switch opcode {
		case 8, 9, 10:
			if !fin || length > 125 {
				return refuse(1002)
			}
			if opcode != 8 {
				if pings++; pings > 10 {
					return refuse(4008)
				}
			}
		case 0, 1, 2:
			if inMessage != (opcode == 0) {
				return refuse(1002)
			}
			if opcode != 0 {
				sum, fragments, limit = 0, 0, uint64(opts.MaxText)
				if opcode == 2 {
					limit = uint64(opts.MaxBinary)
				}
			}
			fragments++
			if length > limit || sum+length > limit {
				return refuse(1009)
			}
			sum += length
			if fragments > 128+sum/128 {
				return refuse(4008)
			}
			inMessage = !fin
		default:
			return refuse(1002)
		}
		f := refFrame{start: at, end: at + need + int(length), first: first}
		have := min(f.end, len(data))
		f.payload = slices.Clone(data[at+need : have])
		for i := range f.payload {
			f.payload[i] ^= rest[need-4+i%4]
		}
		v.frames = append(v.frames, f)
		v.passed = have
		if at = f.end; at >= len(data) {
			return v
		}
	}
}

func fuzzOptions() *Options {
	opts := testOptions()
	opts.MaxText, opts.MaxBinary = 300, 70_000
	return opts
}

// addStreams is the corpus of both targets; more of it is in testdata.
func addStreams(f *testing.F) {
	for _, s := range [][]byte{
		nil,
		text("hello"),
		slices.Concat(text("one"), text("two"), clientFrame(bitFin|opPing, "p"), text("three")),
		slices.Concat(clientFrame(opText, "gr\xC3"), clientFrame(bitFin|opPong, ""), clientFrame(bitFin, "\xBC\xC3\x9Fe")),
		clientFrame(bitFin|opBinary, string(make([]byte, 300))),
		clientFrame(bitFin|opBinary, string(make([]byte, 66_000))),
		clientFrame(bitFin|bitRSV1|opText, deflated("hello hello hello")),
		clientHeader(bitFin|opText, 301),
		slices.Concat(text("x"), clientClose(1000, "bye"), text("y")),
		clientClose(1000, "\xFF"),
		clientFrame(bitFin|opClose, "x"),
		{bitFin | opText, 1, 'x'},
		bytes.Repeat(clientFrame(bitFin|opPing, ""), 11),
		slices.Concat(clientFrame(opText, ""), bytes.Repeat(clientFrame(opContinuation, ""), 200)),
		bytes.Repeat([]byte{0xFF}, 20),
	} {
		f.Add(s, []byte(nil), false)
		f.Add(s, []byte{0}, true)
		f.Add(s, []byte{4, 0, 20}, false)
	}
}

// FuzzRead compares the walk over frame headers with the reference: the same
// bytes are passed on, never beyond the end of a frame at once, and the same
// faults are found.
func FuzzRead(f *testing.F) {
	addStreams(f)
	f.Fuzz(func(t *testing.T, data, pieces []byte, deflate bool) {
		opts := fuzzOptions()
		want := judge(data, opts, deflate)
		taker := &script{pieces: slices.Clone(pieces)}
		slices.Reverse(taker.pieces)
		c := &Conn{opts: opts, raw: &script{data: data, pieces: pieces}, deflate: deflate}
		c.user = &user{}
		c.attend()
		in := c.in
		var passed []byte
		buf := make([]byte, 4096)
		var err error
		for err == nil {
			var n int
			n, err = beneath{in}.Read(buf[:taker.piece(len(buf))])
			for _, frame := range want.frames {
				if len(passed) < frame.end && len(passed)+n > frame.end {
					t.Fatalf("%d bytes at %d run over the end of a frame at %d", n, len(passed), frame.end)
				}
			}
			passed = append(passed, buf[:n]...)
		}
		c.wg.Wait()
		c.mu.Lock()
		code := c.out.closing.Code
		c.mu.Unlock()
		if code != want.code || !errors.Is(err, errEnded) {
			t.Fatalf("closed with %d, want %d; error %v", code, want.code, err)
		}
		if !bytes.Equal(passed, data[:want.passed]) {
			t.Fatalf("%d bytes passed on, want %d", len(passed), want.passed)
		}
		in.release()
	})
}

// FuzzServe sends the stream through everything, coder/websocket included: the
// handler gets exactly the messages that the reference finds, and the end is
// the one it foresees.
func FuzzServe(f *testing.F) {
	addStreams(f)
	f.Fuzz(func(t *testing.T, data, pieces []byte, deflate bool) {
		opts := fuzzOptions()
		opts.Compress = deflate
		c, err := acceptFake(&script{data: data, pieces: pieces}, opts)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		closing := serveTo(c, func(message []byte, binary bool) {
			limit := opts.MaxText
			if binary {
				limit = opts.MaxBinary
			}
			if int64(len(message)) > limit || !binary && !utf8.Valid(message) {
				t.Fatalf("a message that must not be: binary %v, %d bytes", binary, len(message))
			}
			got = append(got, string(message))
		}, func() {})
		v := judge(data, opts, deflate)
		if slices.ContainsFunc(v.frames, func(f refFrame) bool { return f.first&bitRSV1 != 0 }) {
			return // what is compressed the reference does not know
		}
		want, code := messagesOf(v, len(data))
		if !slices.Equal(got, want) {
			t.Fatalf("got messages %q, want %q", got, want)
		}
		if closing.Code != code {
			t.Fatalf("ended with %+v, want %d", closing, code)
		}
	})
}

// messagesOf is what a handler should be given, and how the connection ends.
func messagesOf(v verdict, size int) (messages []string, code int) {
	var message []byte
	var isText bool
	for _, f := range v.frames {
		if f.end > size {
			break // torn off
		}
		switch f.first & 0x0F {
		case 8:
			switch p := f.payload; {
			case len(p) == 0:
				return messages, 1005
			case len(p) == 1 || !allowedCode(int(p[0])<<8|int(p[1])):
				return messages, 1002
			case !utf8.Valid(p[2:]):
				return messages, 1007
			default:
				return messages, int(p[0])<<8 | int(p[1])
			}
		case 9, 10:
			continue
		case 1, 2:
			message, isText = nil, f.first&0x0F == 1
		}
		message = append(message, f.payload...)
		if f.first&0x80 != 0 {
			if isText && !utf8.Valid(message) {
				return messages, 1007
			}
			messages = append(messages, string(message))
		}
	}
	if v.code != 0 {
		return messages, v.code
	}
	return messages, 1006
}

// allowedCode tells which codes may be sent (RFC 6455, section 7.4, and the
// registry that it founds).
func allowedCode(code int) bool {
	switch code {
	case 1004, 1005, 1006:
		return false
	}
	return code >= 1000 && code <= 1014 || code >= 3000 && code <= 4999
}
