package validate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// messages are payloads of usual size.
var messages = []struct{ name, data string }{
	{"number", `12345`},
	{"text 128 B", text(126)},
	{"text 1 KB", text(998)},
	{"escaped text", `"She said: \"hello\" \u2014 and left.\nThen nothing happened."`},
	{"wide text", `"` + strings.Repeat("Где-то далеко 🦊 шумит море. ", 5) + `"`},
	{"object 128 B", `{"kind":"move","piece":17,"from":{"x":3,"y":4},"to":{"x":5,"y":6},"tags":["a","b","c"],"note":"a short note, no more","ok":true}`},
	{"object 2 KB", `{"strokes":[` + strings.TrimSuffix(strings.Repeat(`{"x":12.5,"y":-3.25,"pressure":0.5,"at":1718000000123},`, 38), ",") + `]}`},
	{"100 keys", object(100)},
	{"escaped keys", `{"na\u006de":1,"\u0062":2,"k\"ey":{"\ud83e\udd8a":3}}`},
}

func TestJSONAllocatesNothing(t *testing.T) {
	if race {
		t.Skip("the race detector empties pools")
	}
	var l Limits
	rules := Rules{}
	for _, m := range messages {
		data := []byte(m.data)
		if n := testing.AllocsPerRun(100, func() {
			if e := l.JSON(data); e != nil {
				t.Fatal(e)
			}
		}); n != 0 {
			t.Errorf("%s: Limits.JSON allocates %v times", m.name, n)
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, e := rules.JSON(data); e != nil {
				t.Fatal(e)
			}
		}); n != 0 {
			t.Errorf("%s: Rules.JSON allocates %v times", m.name, n)
		}
		if n := testing.AllocsPerRun(100, func() { Sanitize(data); EscapeHTML(data) }); n != 0 && !strings.ContainsAny(m.data, "<>&'") && !strings.Contains(m.data, `\"`) {
			t.Errorf("%s: the sanitisers allocate %v times", m.name, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		Room("team:7")
		Event("message")
		UserID("ada@example.com")
		_, _ = DisplayName("Ada Lovelace")
	}); n != 0 {
		t.Errorf("names allocate %v times", n)
	}
}

// hostile inputs are as bad as they get for each of the things that are kept
// or looked up, each about n bytes long.
var hostile = []struct {
	name string
	make func(n int) string
}{
	{"open arrays", func(n int) string { return strings.Repeat("[", n) }},
	{"deep objects", func(n int) string { return nestedObjects(n / 6) }},
	{"many keys", func(n int) string { return object(n / 15) }},
	{"many keys, the last again", func(n int) string { return strings.TrimSuffix(object(n/15), "}") + `,"key0":1}` }},
	{"long equal-looking keys", func(n int) string {
		var b strings.Builder
		b.WriteString(`{"":0`)
		for i := range 15 {
			fmt.Fprintf(&b, `,"beginning%sx%02dx%stheending":1`, strings.Repeat("m", n/32), i, strings.Repeat("m", n/32))
		}
		return b.String() + "}"
	}},
	{"small objects of equal-looking keys", func(n int) string {
		var b strings.Builder
		for i := range 16 {
			fmt.Fprintf(&b, `,"beginning%02dtheending":1`, i)
		}
		o := "{" + b.String()[1:] + "}"
		return "[" + strings.Repeat(o+",", n/len(o)) + "0]"
	}},
	{"escaped keys", func(n int) string {
		var b strings.Builder
		for i := range n / 30 {
			fmt.Fprintf(&b, `,"\u006b\u0065\u0079%d":1`, i)
		}
		return "{" + b.String()[1:] + "}"
	}},
	{"escapes", func(n int) string { return `"` + strings.Repeat(`\u202e`, n/6) + `"` }},
	{"backslashes", func(n int) string { return `"` + strings.Repeat(`\`, n) }},
	{"lone surrogates", func(n int) string { return `"` + strings.Repeat(`\ud800`, n/6) + `"` }},
	{"quotes", func(n int) string { return strings.Repeat(`"`, n) }},
	{"markup", func(n int) string { return `["` + strings.Repeat(`<`, n) + `"]` }},
	{"many strings", func(n int) string { return `[` + strings.Repeat(`"<\u0000",`, n/11) + `0]` }},
	{"not UTF-8", func(n int) string { return `"` + strings.Repeat("\xe2\x80\x7f", n/3) + `"` }},
	{"digits", func(n int) string { return strings.Repeat("1", n) + ".0e-" + strings.Repeat("0", n) }},
	{"zeros", func(n int) string { return "0." + strings.Repeat("0", n) + "1e" + fmt.Sprint(n+308) }},
	{"white space", func(n int) string { return "[" + strings.Repeat(" \r\n\t", n/4) + "]" }},
}

// Sixteen times the input may take sixteen times as long, and with a wide
// margin for a busy machine not much more. Anything quadratic takes 256 times.
func TestHostileInputTakesLinearTime(t *testing.T) {
	if race {
		t.Skip("the race detector changes what takes how long")
	}
	const small, factor, margin = 1 << 13, 16, 5
	upper := Strings(strings.ToUpper)
	limits := anything()
	limits.AllowUnsafeNumbers = false
	work := map[string]func(data []byte){
		"Limits.JSON": func(data []byte) { limits.JSON(data) },
		"default":     func(data []byte) { _, _ = Rules{}.JSON(data) },
		"Controls":    func(data []byte) { Controls(data) },
		"EscapeHTML":  func(data []byte) { EscapeHTML(data) },
		"Strings":     func(data []byte) { upper(data) },
		"Text":        func(data []byte) { _, _ = Text{MaxChars: Unlimited}.Clean("", string(data)) },
	}
	for _, h := range hostile {
		one, many := []byte(h.make(small)), []byte(h.make(factor*small))
		for name, f := range work {
			ratio := 0.0
			for range 5 {
				a, b := fastest(f, one), fastest(f, many)
				ratio = float64(b) / float64(max(a, 5*time.Microsecond))
				if ratio <= factor*margin {
					break
				}
			}
			if ratio > factor*margin {
				t.Errorf("%s, %s: %d times the input takes %.0f times as long", name, h.name, factor, ratio)
			}
		}
	}
}

func fastest(f func([]byte), data []byte) time.Duration {
	best := time.Hour
	for range 3 {
		start := time.Now()
		f(data)
		best = min(best, time.Since(start))
	}
	return best
}

func BenchmarkJSON(b *testing.B) {
	l := DefaultLimits()
	for _, m := range messages {
		data := []byte(m.data)
		b.Run(m.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if e := l.JSON(data); e != nil {
					b.Fatal(e)
				}
			}
		})
	}
}

// BenchmarkJSONText is what the same checks cost on jsontext: the syntax,
// UTF-8 and equal keys alone, and with depth and counts from its tokens.
func BenchmarkJSONText(b *testing.B) {
	for _, m := range messages {
		data := []byte(m.data)
		b.Run(m.name+"/syntax", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if !jsontext.Value(data).IsValid() {
					b.Fatal("not valid")
				}
			}
		})
		b.Run(m.name+"/tokens", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			source := bytes.NewReader(nil)
			dec := jsontext.NewDecoder(source)
			for b.Loop() {
				source.Reset(data)
				dec.Reset(source)
				for {
					_, err := dec.ReadToken()
					if errors.Is(err, io.EOF) {
						break
					}
					if _, n := dec.StackIndex(dec.StackDepth()); err != nil || dec.StackDepth() > 10 || n > 2_000 {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkSanitize(b *testing.B) {
	for _, m := range messages {
		data := []byte(m.data)
		b.Run(m.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				Sanitize(data)
			}
		})
	}
	data := []byte(`"some text with a \u202e control in it and a few more words behind"`)
	b.Run("one control", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Sanitize(data)
		}
	})
}

func BenchmarkRules(b *testing.B) {
	data := []byte(messages[1].data)
	var rules Rules
	b.ReportAllocs()
	for b.Loop() {
		if _, e := rules.JSON(data); e != nil {
			b.Fatal(e)
		}
	}
}

// BenchmarkRefused is what a hostile message costs until its Error is made.
func BenchmarkRefused(b *testing.B) {
	for _, h := range hostile {
		data := []byte(h.make(64 << 10))
		b.Run(h.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			var l Limits
			for b.Loop() {
				l.JSON(data)
			}
		})
	}
}

func BenchmarkNames(b *testing.B) {
	b.Run("Room", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Room("team:engineering")
		}
	})
	for _, name := range []string{"Ada Lovelace", "Nguyễn Thị Ánh", " Ada\u202e  Lovelace "} {
		b.Run("DisplayName/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = DisplayName(name)
			}
		})
	}
}
