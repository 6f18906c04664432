package transport

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// peer is a client made of a socket and nothing else, so that it can break
// every rule.
type peer struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

// handshake is the request that peers send, with extra header lines.
func handshake(extra ...string) []byte {
	lines := []string{
		"GET /ws HTTP/1.1", "Host: test", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}
	lines = append(lines, extra...)
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

// offerDeflate is the header line of a client that can inflate.
const offerDeflate = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

func newPeer(t testing.TB, nc net.Conn) *peer {
	return &peer{t: t, nc: nc, r: bufio.NewReader(nc)}
}

// upgrade reads the answer to a handshake.
func (p *peer) upgrade() http.Header {
	p.t.Helper()
	header, err := p.answer()
	if err != nil {
		p.t.Fatalf("handshake: %v", err)
	}
	return header
}

func (p *peer) answer() (http.Header, error) {
	res, err := http.ReadResponse(p.r, nil)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return nil, errors.New(res.Status)
	}
	return res.Header, nil
}

// send writes bytes, whatever they are.
func (p *peer) send(parts ...[]byte) {
	p.t.Helper()
	if _, err := p.nc.Write(slices.Concat(parts...)); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

// try is send to a server that may have hung up.
func (p *peer) try(parts ...[]byte) { _, _ = p.nc.Write(slices.Concat(parts...)) }

var maskKey = [4]byte{0x37, 0xFA, 0x21, 0x3D}

// clientHeader is the header of a masked frame, its length in the shortest form.
func clientHeader(first byte, n int) []byte {
	h := appendHeader(nil, first, n)
	h[1] |= bitMask
	return append(h, maskKey[:]...)
}

func masked(payload string) []byte {
	b := []byte(payload)
	for i := range b {
		b[i] ^= maskKey[i%4]
	}
	return b
}

// clientFrame is a masked frame.
func clientFrame(first byte, payload string) []byte {
	return append(clientHeader(first, len(payload)), masked(payload)...)
}

func text(s string) []byte { return clientFrame(bitFin|opText, s) }

func clientClose(code int, reason string) []byte {
	return clientFrame(bitFin|opClose, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

// serverFrame is a frame as the peer finds it.
type serverFrame struct {
	first   byte
	payload string
}

func (f serverFrame) String() string {
	return fmt.Sprintf("%02x %.40q (%d bytes)", f.first, f.payload, len(f.payload))
}

// next reads one frame and its error.
func (p *peer) next() (serverFrame, error) {
	var head [10]byte
	if _, err := io.ReadFull(p.r, head[:2]); err != nil {
		return serverFrame{}, err
	}
	if head[1]&bitMask != 0 {
		return serverFrame{}, errors.New("masked frame from a server")
	}
	n := uint64(head[1])
	switch n {
	case 126:
		if _, err := io.ReadFull(p.r, head[2:4]); err != nil {
			return serverFrame{}, noEOF(err)
		}
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		if _, err := io.ReadFull(p.r, head[2:10]); err != nil {
			return serverFrame{}, noEOF(err)
		}
		n = binary.BigEndian.Uint64(head[2:])
	}
	if n > 64<<20 {
		return serverFrame{}, fmt.Errorf("frame of %d bytes", n)
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(p.r, payload); err != nil {
		return serverFrame{}, noEOF(err)
	}
	return serverFrame{head[0], string(payload)}, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (p *peer) read() serverFrame {
	p.t.Helper()
	f, err := p.next()
	if err != nil {
		p.t.Fatalf("read: %v", err)
	}
	return f
}

func (p *peer) expect(first byte, payload string) {
	p.t.Helper()
	if got, want := p.read(), (serverFrame{first, payload}); got != want {
		p.t.Fatalf("got frame %v, want %v", got, want)
	}
}

func (p *peer) expectText(payload string) {
	p.t.Helper()
	p.expect(bitFin|opText, payload)
}

// expectClose skips what comes before the close frame, as a member of a room
// would find there, and returns the reason.
func (p *peer) expectClose(code int) string {
	p.t.Helper()
	for {
		f, err := p.next()
		if err != nil {
			p.t.Fatalf("no close frame: %v", err)
		}
		if f.first&0x0F != opClose {
			continue
		}
		if f.first != bitFin|opClose {
			p.t.Fatalf("close frame begins with %02x", f.first)
		}
		got, reason := closeNoStatus, ""
		if len(f.payload) >= 2 {
			got, reason = int(f.payload[0])<<8|int(f.payload[1]), f.payload[2:]
		}
		if got != code {
			p.t.Fatalf("closed with %d %q, want %d", got, reason, code)
		}
		return reason
	}
}

// expectEOF checks that the server has ended the stream in order, with nothing
// after what was read.
func (p *peer) expectEOF() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.r); err != nil || len(rest) > 0 {
		p.t.Fatalf("after the close frame: %d bytes %.40x, error %v", len(rest), rest, err)
	}
}

// deflated is a payload compressed without context.
func deflated(payload string) string { return string(Deflate(nil, []byte(payload))) }

// inflate is what a client does with a compressed payload.
func inflate(t testing.TB, payload string) string {
	t.Helper()
	r := flate.NewReader(io.MultiReader(strings.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("inflate: %v", err)
	}
	return string(out)
}

// flood writes what is no frame until all is written or the server hangs up.
func (p *peer) flood(total int) {
	junk := bytes.Repeat([]byte{0xAA}, 16<<10)
	for sent := 0; sent < total; sent += len(junk) {
		if _, err := p.nc.Write(junk); err != nil {
			return
		}
	}
}

// within fails the test when f takes longer than d.
func within(t testing.TB, d time.Duration, what string, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > d {
		t.Fatalf("%s took %v, want at most %v", what, took, d)
	}
}
