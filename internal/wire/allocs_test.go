//go:build !race

package wire

import "testing"

// The race detector makes sync.Pool forget at random, so allocations are only
// counted without it.

func TestAppendAllocates(t *testing.T) {
	for _, s := range serverFrames() {
		dst, _ := JSON{}.Append(nil, s.frame)
		if n := testing.AllocsPerRun(100, func() { dst, _ = JSON{}.Append(dst[:0], s.frame) }); n != 0 {
			t.Errorf("%s: %v allocations into a buffer with room", s.name, n)
		}
	}

	// Also where there is room for the frame and not one byte more.
	m := usualFrame()
	out, _ := JSON{}.Append(nil, m)
	exact := make([]byte, 0, len(out))
	if n := testing.AllocsPerRun(100, func() { exact, _ = JSON{}.Append(exact[:0], m) }); n != 0 {
		t.Errorf("%v allocations into a buffer with exactly enough room", n)
	}

	// And one where there is none.
	if n := testing.AllocsPerRun(100, func() { (JSON{}).Append(nil, m) }); n != 1 {
		t.Errorf("%v allocations into no buffer, want 1", n)
	}
}

func TestDecodeAllocates(t *testing.T) {
	for _, test := range []struct {
		name, frame string
		want        float64
	}{
		{"usual message", string(usualRequest), 1}, // the strings
		{"long text", string(longRequest), 1},
		{"ping", `{"type":"ping","ref":7}`, 0},
		{"join", `{"type":"join","ref":7,"room":"lobby","last":50}`, 1},
		{"presence", `{"type":"presence","ref":7,"status":"away","meta":{"typing":true}}`, 1},
	} {
		message := []byte(test.frame)
		var req Request
		n := testing.AllocsPerRun(1_000, func() {
			if err := (JSON{}).Decode(message, false, &req); err != nil {
				t.Error(*err)
			}
		})
		if n > test.want {
			t.Errorf("%s: %v allocations, want %v", test.name, n, test.want)
		}
	}

	message := frame(`{"type":"message","ref":7,"room":"lobby","event":"file"}`, "payload")
	var req Request
	if n := testing.AllocsPerRun(1_000, func() { (JSON{}).Decode(message, true, &req) }); n > 1 {
		t.Errorf("binary message: %v allocations, want 1", n)
	}
}
