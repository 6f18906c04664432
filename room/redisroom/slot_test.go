package redisroom

import "testing"

func TestSlotOf(t *testing.T) {
	for key, want := range map[string]int{
		"123456789": 12739, "foo": 12182, "{foo}.bar": 12182, "a{foo}": 12182, "{}foo": 9500, "foo{}": 5542, "": 0, "{foo": 13308,
	} {
		if got := slotOf(key); got != want {
			t.Errorf("slot of %q: %d, want %d", key, got, want)
		}
	}
}
