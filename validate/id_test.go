package validate

import (
	"regexp"
	"strings"
	"testing"
)

func TestIdentifiers(t *testing.T) {
	tests := []struct {
		name              string
		room, event, user bool
	}{
		{"a", true, true, true},
		{"lobby", true, true, true},
		{"team:7", true, true, true},
		{"A-Z_a.z:09", true, true, true},
		{strings.Repeat("x", 64), true, true, true},
		{strings.Repeat("x", 65), false, false, true},
		{strings.Repeat("x", 128), false, false, true},
		{strings.Repeat("x", 129), false, false, false},
		{"ada@example.com", false, false, true},
		{"auth0|5f7c8ec7", false, false, true},
		{"ada+test@example.com", false, false, true},
		{"", false, false, false},
		{" ", false, false, false},
		{"a b", false, false, false},
		{"a/b", false, false, false},
		{"é", false, false, false},
		{"\xff", false, false, false},
		{"\u202elobby", false, false, false},
	}
	for _, test := range tests {
		if got := Room(test.name); got != test.room {
			t.Errorf("Room(%q) = %t", test.name, got)
		}
		if got := Event(test.name); got != test.event {
			t.Errorf("Event(%q) = %t", test.name, got)
		}
		if got := UserID(test.name); got != test.user {
			t.Errorf("UserID(%q) = %t", test.name, got)
		}
	}
}

// Every byte is tried, so that a slip in the sets' arithmetic would show.
func TestIdentifierCharacters(t *testing.T) {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:"
	for c := range 256 {
		s := string([]byte{byte(c)})
		want := strings.Contains(plain, s)
		if Room(s) != want || Event(s) != want {
			t.Errorf("byte %#x: Room %t, Event %t, want %t", c, Room(s), Event(s), want)
		}
		if want = want || strings.Contains("@+|", s); UserID(s) != want {
			t.Errorf("byte %#x: UserID %t, want %t", c, UserID(s), want)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"lobby", "team:7", "Ada Lovelace", "a\u202eb", "  x\u00a0 y ", "e\u0301\u0301\u0301\u0301\u0301", "\u3164", "\xff", "a{b}*", "Z\u200dW\u200cJ", "\r\n\r\n", "\U000e0041"} {
		f.Add(s)
	}
	room := regexp.MustCompile(`\A[A-Za-z0-9_.:-]{1,64}\z`)
	user := regexp.MustCompile(`\A[A-Za-z0-9_.:@+|-]{1,128}\z`)
	f.Fuzz(func(t *testing.T, s string) {
		if want := room.MatchString(s); Room(s) != want || Event(s) != want {
			t.Errorf("Room(%q) = %t, Event = %t, want %t", s, Room(s), Event(s), want)
		}
		if want := user.MatchString(s); UserID(s) != want {
			t.Errorf("UserID(%q) = %t, want %t", s, UserID(s), want)
		}
		checkName(t, s)
		checkLines(t, s)
	})
}
