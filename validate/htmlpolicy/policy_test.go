package htmlpolicy

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/wardroom/wardroom/validate"
)

func TestChat(t *testing.T) {
	tests := []struct{ in, want string }{
		{`plain é 🦊 text`, `plain é 🦊 text`},
		{"two\nlines\tand a tab", "two\nlines\tand a tab"},
		{`a & b`, `a &amp; b`},
		{`it's "so"`, `it&#39;s &#34;so&#34;`},
		{`1 < 2`, `1 &lt; 2`},
		{`<b>bold</b> <em>and</em><br>`, `<b>bold</b> <em>and</em><br>`},
		{`<p class="x" style="color:red" id=y onclick=z()>p</p>`, `<p>p</p>`},
		{`<script>alert(1)</script>after`, `after`},
		{`<style>*{}</style>after`, `after`},
		{`<img src=x onerror=alert(1)>`, ``},
		{`<iframe src="https://example.com"></iframe>x`, `x`},
		{`<svg><script>alert(1)</script></svg>x`, `x`},
		{`<div>inner</div>`, `inner`},
		{`<!-- hidden -->x`, `x`},
		{`<a href="javascript:alert(1)">x</a>`, `x`},
		{`<a href="data:text/html,x">x</a>`, `x`},
		{`<a href="/relative">x</a>`, `x`},
		{`<a href="//example.com">x</a>`, `x`},
		{`<a href="https://example.com/?a=1&amp;b=2">x</a>`, `<a href="https://example.com/?a=1&amp;b=2" rel="nofollow noreferrer noopener" target="_blank">x</a>`},
		{`<a href="mailto:ada@example.com">x</a>`, `<a href="mailto:ada@example.com" rel="nofollow noreferrer">x</a>`},
		{`a&#x202e;b&#8238;c&#7;d`, `abcd`},
		{`&lt;script&gt;`, `&lt;script&gt;`},
	}
	sanitize := New(nil)
	for _, test := range tests {
		in, err := json.Marshal(test.in)
		if err != nil {
			t.Fatal(err)
		}
		out := sanitize(in)
		var got string
		if err := json.Unmarshal(out, &got); err != nil {
			t.Errorf("%s: %s: %v", in, out, err)
			continue
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.in, got, test.want)
		}
		checkHTML(t, got)
	}
}

func TestEveryString(t *testing.T) {
	in := []byte(`{"<i onclick=x>k</i>":["<b>\u003cscript>x</script></b>",1.50,{"a":"\u0007<u>"}],"plain":"as it is"}`)
	want := `{"\u003ci\u003ek\u003c/i\u003e":["\u003cb\u003e\u003c/b\u003e",1.50,{"a":"<u>"}],"plain":"as it is"}`
	if got := string(New(Chat())(in)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestUnchangedIsTheSameSlice(t *testing.T) {
	sanitize := New(nil)
	for _, in := range []string{`"as it is"`, `"<b>as it is</b>"`, `{"a":[1,"b"]}`} {
		data := []byte(in)
		if out := sanitize(data); len(out) != len(data) || &out[0] != &data[0] {
			t.Errorf("%s: a copy of what needs no change: %s", in, out)
		}
	}
}

func TestOwnPolicy(t *testing.T) {
	sanitize := New(bluemonday.StrictPolicy())
	if got, want := string(sanitize([]byte(`"<b>x</b> & y"`))), `"x \u0026amp; y"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Keys that the policy makes the same are refused, by the rules around it.
func TestRules(t *testing.T) {
	rules := validate.Rules{Sanitize: New(nil)}
	if _, e := rules.JSON([]byte(`{"a":1,"<img>a":2}`)); e == nil || e.Code != validate.CodeDuplicateKey {
		t.Errorf("%v", e)
	}
	if got, e := rules.JSON([]byte(`"<b>x</b><script>y</script>"`)); e != nil || string(got) != `"\u003cb\u003ex\u003c/b\u003e"` {
		t.Errorf("%s, %v", got, e)
	}
}

func TestConcurrentUse(t *testing.T) {
	sanitize := New(nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if got := string(sanitize([]byte(`"<i>x<img></i>"`))); got != `"\u003ci\u003ex\u003c/i\u003e"` {
					t.Error(got)
				}
			}
		})
	}
	wg.Wait()
}

// Sixteen times the input may take sixteen times as long, with a margin;
// anything quadratic takes 256 times.
func TestHostileHTMLTakesLinearTime(t *testing.T) {
	const small, factor, margin = 1 << 12, 16, 5
	sanitize := New(nil)
	for _, piece := range []string{
		"<", "<a", "<b>", "</b>", "<a ", "<!--", "<![CDATA[", "<script>", "<x>", "&amp;", "&#", "\x00", "<a href=", "<p a=1 ", "<a href='", " a='<'", "<svg><math>", "</x><script>",
	} {
		one, err := json.Marshal(strings.Repeat(piece, small/len(piece)))
		if err != nil {
			t.Fatal(err)
		}
		many, err := json.Marshal(strings.Repeat(piece, factor*small/len(piece)))
		if err != nil {
			t.Fatal(err)
		}
		ratio := 0.0
		for range 5 {
			a, b := fastest(sanitize, one), fastest(sanitize, many)
			ratio = float64(b) / float64(max(a, 20*time.Microsecond))
			if ratio <= factor*margin {
				break
			}
		}
		if ratio > factor*margin {
			t.Errorf("%q: %d times the input takes %.0f times as long", piece, factor, ratio)
		}
	}
}

func fastest(f validate.Sanitizer, data []byte) time.Duration {
	best := time.Hour
	for range 3 {
		start := time.Now()
		f(data)
		best = min(best, time.Since(start))
	}
	return best
}

func FuzzChat(f *testing.F) {
	for _, s := range []string{
		`<b>x</b>`, `<a href="jav&#x0a;ascript:alert(1)">`, `<a href=" https://e.com/">`, `<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`,
		"<a href='https://e\x00.com'>", `<<script>script>`, `&#x202e;`, "\r\n\x00", `<a href="https://example.com">`, `<textarea><b></textarea>`,
	} {
		f.Add(s)
	}
	sanitize, policy := New(nil), Chat()
	f.Fuzz(func(t *testing.T, s string) {
		in, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		out := sanitize(in)
		if e := (validate.Limits{TextChars: validate.Unlimited}).JSON(out); e != nil {
			t.Fatalf("%q: %q: %v", s, out, e)
		}
		var got string
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q: %q: %v", s, out, err)
		}
		checkHTML(t, got)
		if s = strings.ToValidUTF8(s, "\uFFFD"); plain(s) && policy.Sanitize(s) != s {
			t.Errorf("%q is not plain: %q", s, policy.Sanitize(s))
		}
	})
}

// checkHTML reads s as a browser would and looks for what Chat does not allow.
func checkHTML(t *testing.T, s string) {
	t.Helper()
	allowed := []string{"p", "br", "b", "strong", "i", "em", "u", "s", "del", "sub", "sup", "code", "pre", "kbd", "blockquote", "ul", "ol", "li", "a"}
	body := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	nodes, err := html.ParseFragment(strings.NewReader(s), body)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	for _, root := range nodes {
		for n := range root.Descendants() {
			checkNode(t, s, n, allowed)
		}
		checkNode(t, s, root, allowed)
	}
	if i := strings.IndexFunc(s, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r >= 0x7F && r <= 0x9F || r == 0x202E
	}); i >= 0 {
		t.Errorf("%q: a control at %d", s, i)
	}
}

func checkNode(t *testing.T, s string, n *html.Node, allowed []string) {
	t.Helper()
	switch n.Type {
	case html.TextNode:
		return
	case html.ElementNode:
	default:
		t.Errorf("%q: a node of type %v", s, n.Type)
		return
	}
	if !slices.Contains(allowed, n.Data) {
		t.Errorf("%q: element %q", s, n.Data)
	}
	for _, a := range n.Attr {
		switch {
		case n.Data != "a" || !slices.Contains([]string{"href", "rel", "target"}, a.Key):
			t.Errorf("%q: attribute %q of %q", s, a.Key, n.Data)
		case a.Key == "href":
			u, err := url.Parse(a.Val)
			if err != nil || !slices.Contains([]string{"http", "https", "mailto"}, u.Scheme) {
				t.Errorf("%q: link to %q", s, a.Val)
			}
		}
	}
}

func BenchmarkChat(b *testing.B) {
	sanitize := New(nil)
	for name, data := range map[string]string{
		"plain":  `"Nothing to see here, just a message of usual length that somebody typed."`,
		"markup": `"<b>Hello</b>, see <a href=\"https://example.com\">this</a> & <script>that</script>"`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sanitize([]byte(data))
			}
		})
	}
}
