package presence

import (
	"reflect"
	"testing"
	"time"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.UnixMilli(int64(s) * 1000) }
	meta := func(s string) []byte { return []byte(s) }
	on := Entry{User: "u", Connection: "1", Name: "one", Status: Online, Since: at(10)}
	gone := Entry{User: "u", Connection: "2", Name: "two", Status: Away, Since: at(20), Meta: meta("2"), MetaAt: at(30)}
	off := Entry{User: "u", Connection: "3", Name: "three", Status: Offline, Since: at(5), Meta: meta("3"), MetaAt: at(99)}
	again := Entry{User: "u", Connection: "4", Name: "four", Status: Online, Since: at(20), Meta: meta("4"), MetaAt: at(30)}
	for _, c := range []struct {
		name    string
		entries []Entry
		others  Member
		own     Member
	}{
		{"nobody", nil, Member{Status: Offline}, Member{Status: Offline}},
		{
			"one",
			[]Entry{on},
			Member{User: "u", Name: "one", Status: Online, Since: at(10), Connections: 1},
			Member{User: "u", Name: "one", Status: Online, Since: at(10), Connections: 1},
		},
		{
			"away and online",
			[]Entry{gone, on},
			Member{User: "u", Name: "two", Status: Online, Meta: meta("2"), Since: at(10), Connections: 2},
			Member{User: "u", Name: "two", Status: Online, Meta: meta("2"), Since: at(10), Connections: 2},
		},
		{
			"invisible beside",
			[]Entry{off, gone},
			Member{User: "u", Name: "two", Status: Away, Meta: meta("2"), Since: at(20), Connections: 1},
			Member{User: "u", Name: "two", Status: Away, Meta: meta("2"), Since: at(20), Connections: 1},
		},
		{
			"invisible",
			[]Entry{off},
			Member{Status: Offline},
			Member{User: "u", Name: "three", Status: Offline, Meta: meta("3"), Since: at(5), Connections: 1},
		},
		{
			"at the same time",
			[]Entry{again, gone},
			Member{User: "u", Name: "four", Status: Online, Meta: meta("4"), Since: at(20), Connections: 2},
			Member{User: "u", Name: "four", Status: Online, Meta: meta("4"), Since: at(20), Connections: 2},
		},
	} {
		for range 2 {
			if got := merge(c.entries); !reflect.DeepEqual(got, c.others) {
				t.Errorf("%s: others see %+v, want %+v", c.name, got, c.others)
			}
			if got := mergeOwn(c.entries); !reflect.DeepEqual(got, c.own) {
				t.Errorf("%s: the user sees %+v, want %+v", c.name, got, c.own)
			}
			// In any order.
			for i, j := 0, len(c.entries)-1; i < j; i, j = i+1, j-1 {
				c.entries[i], c.entries[j] = c.entries[j], c.entries[i]
			}
		}
	}
}
