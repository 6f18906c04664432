package transport

import (
	"bytes"
	"slices"
	"testing"
)

func TestUnmask(t *testing.T) {
	for _, key := range [][]byte{{0, 0, 0, 0}, {1, 2, 3, 4}, {0xFF, 0, 0x80, 7}} {
		for n := range 40 {
			want := make([]byte, n)
			for i := range want {
				want[i] = byte(i * 7)
			}
			got := slices.Clone(want)
			for i := range got {
				got[i] ^= key[i%4]
			}
			unmask(got, key)
			if !bytes.Equal(got, want) {
				t.Fatalf("key %x, %d bytes: %x, want %x", key, n, got, want)
			}
		}
	}
}

// Whole messages, messages in fragments and control frames between them keep
// their order, whichever way they are read.
func TestOrderOfWholeAndFragmented(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		s := serve(t, n, testOptions())
		p, _ := s.connect()
		go p.try(text("one"),
			clientFrame(opText, "t"), clientFrame(bitFin|opPing, "between"), clientFrame(opContinuation, "w"), clientFrame(bitFin|opContinuation, "o"),
			text("three"), clientFrame(bitFin|opBinary, "four"), clientFrame(opBinary, ""), clientFrame(bitFin|opContinuation, "five"), text(""))
		// The library answers a ping at once, before what is queued is flushed.
		var got []string
		for len(got) < 7 {
			f, err := p.next()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, f.payload)
		}
		got = slices.DeleteFunc(got, func(s string) bool { return s == "between" })
		if want := []string{"one", "two", "three", "four", "five", ""}; !slices.Equal(got, want) {
			t.Fatalf("got %q", got)
		}
	})
}
