package redispresence

import (
	"bytes"
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

func FuzzPack(f *testing.F) {
	f.Add("online", "Ada", []byte(`{"a":1}`), true, int64(1_700_000_000_123), int64(-1))
	f.Add("", "\x00\xff", []byte{}, false, int64(0), int64(1)<<50)
	f.Fuzz(func(t *testing.T, status, name string, meta []byte, set bool, metaAt, since int64) {
		want := presence.Entry{Status: presence.Status(status), Name: name, Since: time.UnixMilli(since % (1 << 53)).UTC()}
		if set {
			want.Meta, want.MetaAt = meta, time.UnixMilli(metaAt%(1<<53)).UTC()
			if meta == nil {
				want.Meta = []byte{}
			}
		}
		text := pack(&want)
		var got presence.Entry
		if p := (parcel{rest: text}); !p.open(&got) || p.rest != "" {
			t.Fatalf("%q cannot be read", text)
		}
		if got.Status != want.Status || got.Name != want.Name || !bytes.Equal(got.Meta, want.Meta) || (got.Meta == nil) != (want.Meta == nil) ||
			!got.MetaAt.Equal(want.MetaAt) || !got.Since.Equal(want.Since) {
			t.Fatalf("%+v comes back as %+v", want, got)
		}
		for i := range text {
			var e presence.Entry
			if p := (parcel{rest: text[:i]}); p.open(&e) {
				t.Fatalf("%q can be read, and is only a part of %q", text[:i], text)
			}
		}
	})
}

func TestPlaces(t *testing.T) {
	for _, scope := range []presence.Scope{{Room: "r"}, {User: "u"}, {Room: "u:\x00"}, {User: ""}} {
		if got, ok := scopeOf(scopeName(scope)); !ok || got != scope {
			t.Errorf("%+v comes back as %+v, %t", scope, got, ok)
		}
	}
	for _, bad := range []string{"", "r", "x", "R"} {
		if got, ok := scopeOf(bad); ok {
			t.Errorf("%q is %+v", bad, got)
		}
	}
	if a, b := place("n:", presence.Scope{Room: "x"}), place("n", presence.Scope{Room: ":rx"}); a == b {
		t.Errorf("one place for two: %q", a)
	}
	for d, want := range map[time.Duration]string{time.Microsecond: "1", 1: "1", -time.Second: "-1000000", 0: "0", time.Second + 1: "1000001"} {
		if got := microsOf(d); got != want {
			t.Errorf("%v is %s µs, want %s", d, got, want)
		}
	}
}
