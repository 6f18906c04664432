package room_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/wardroom/wardroom/room"
)

const deflateOffer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

// Messages above the threshold are compressed for those who asked for it, and
// everyone in the room is sent the same.
func TestCompression(t *testing.T) {
	h := serve(t, house())
	plain, squeezed := h.connect("ada"), h.connect("bob", deflateOffer)
	if plain.deflate || !squeezed.deflate {
		t.Fatalf("negotiated: %t and %t", plain.deflate, squeezed.deflate)
	}
	for _, v := range []*visitor{plain, squeezed} {
		v.must("join", inRoom("hall"))
	}
	plain.forget()
	noise := make([]byte, 3000)
	_, _ = rand.Read(noise)
	for name, tt := range map[string]struct {
		data       string
		compressed bool
	}{
		"short": {`"` + strings.Repeat("a", 500) + `"`, false},
		"long":  {`["` + strings.Repeat("a", 900) + `","` + strings.Repeat("b", 900) + `"]`, true},
		"large": {`[` + strings.Repeat(`"`+strings.Repeat("x", 900)+`",`, 400) + `1]`, true},
		// base64 of noise has six bits in eight, and so has something to give.
		"dense": {`["` + base64.StdEncoding.EncodeToString(noise[:700]) + `","` + base64.StdEncoding.EncodeToString(noise[700:1400]) + `"]`, true},
	} {
		plain.must("message", inRoom("hall"), saying(tt.data))
		for _, v := range []*visitor{plain, squeezed} {
			f := v.expect("message")
			if string(f.Data) != tt.data {
				t.Errorf("%s: what came is not what was sent", name)
			}
			if want := tt.compressed && v == squeezed; f.compressed != want {
				t.Errorf("%s, %s: compressed %t, want %t", name, v.welcome.User, f.compressed, want)
			}
		}
	}
	// What does not become smaller is sent as it is.
	plain.sendBinary(`{"type":"message","room":"hall"}`, noise)
	for _, v := range []*visitor{plain, squeezed} {
		if f := v.expect("message"); !bytes.Equal(f.payload, noise) || f.compressed {
			t.Errorf("%s: binary of %d bytes, compressed %t", v.welcome.User, len(f.payload), f.compressed)
		}
	}
	// Replies too.
	for _, v := range []*visitor{plain, squeezed} {
		f := v.request("history", inRoom("hall"))
		if f.compressed != (v == squeezed) || len(f.text) < 100_000 {
			t.Errorf("%s: a reply of %d bytes, compressed %t", v.welcome.User, len(f.text), f.compressed)
		}
	}
}

// Compressed messages of clients are taken, up to their inflated size.
func TestInboundCompression(t *testing.T) {
	h := serve(t, house(), limits(func(l *room.Limits) { l.TextFrame = 100_000 }))
	ada := h.connect("ada", deflateOffer)
	ada.must("join", inRoom("hall"))
	sendDeflated := func(text string) {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(text))
		_ = w.Flush()
		ada.write(opText|0x40, bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff")))
	}
	for i := range 3 {
		sendDeflated(fmt.Sprintf(`{"type":"message","room":"hall","data":["%s",%d]}`, strings.Repeat("z", 999), i))
		if f := ada.expect("message"); !strings.HasSuffix(string(f.Data), fmt.Sprintf(",%d]", i)) {
			t.Errorf("got %s", f)
		}
	}
	sendDeflated(`{"type":"ping","padding":"` + strings.Repeat("z", 200_000) + `"}`)
	ada.expectClose(1009)
}

// A publisher's own choice of compression changes nothing for the others.
func TestCompressionPerMember(t *testing.T) {
	h := serve(t, house())
	list := make([]*visitor, 20)
	for i := range list {
		more := []string{}
		if i%2 == 0 {
			more = append(more, deflateOffer)
		}
		list[i] = h.connect(fmt.Sprintf("user%d", i), more...)
		list[i].must("join", inRoom("lounge"))
	}
	for _, v := range list {
		v.forget()
	}
	text := `"` + strings.Repeat("la ", 330) + `"`
	for n := range 30 {
		if _, err := h.srv.Room("lounge").Publish(context.Background(), fmt.Sprintf("n%d", n), []string{strings.Trim(text, `"`), "and more of it"}); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range list {
		for n := range 30 {
			f := v.expect("message")
			if f.Event != fmt.Sprintf("n%d", n) || f.compressed != (i%2 == 0) || !strings.Contains(string(f.Data), text) {
				t.Fatalf("user %d: compressed %t, %.100s", i, f.compressed, f)
			}
		}
	}
}
