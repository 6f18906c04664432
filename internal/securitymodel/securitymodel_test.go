package securitymodel

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// threats are the rows that the document has to have, by section.
var threats = map[string][]string{
	"Handshake": {
		"`Origin` absent",
		"`Origin` that is `null`, sent twice, with userinfo, a path, `//h`, `file://`, another scheme or port",
		"look-alike suffix or prefix (`app.com.evil`, `evilapp.com`)",
		"`Host` forged to equal a foreign `Origin`",
		"cross-site hijacking with a live cookie",
		"`X-Forwarded-For` forged",
		"token in the query",
		"error bodies",
		"slow handshake, floods before authentication",
	},
	"Authentication": {
		"`alg` none, HS/RS confusion, `kid` injection, `jku` `x5u` `jwk` headers, unknown `crit`, JSON-serialised JWS, JWE",
		"`alg` outside the list; key of another type",
		"`exp` missing or past, `nbf` to come, `iss` or `aud` wrong, `sub` missing",
		"token over 8 KiB",
		"storm of unknown `kid`s",
		"JWKS down, slow, huge, with symmetric or duplicate keys",
		"no first message that authenticates",
		"expiry while connected",
		"revocation, sign-out",
		"session fixation, replay of a ticket",
	},
	"Frames": {
		"frame or message too big, also when inflated",
		"bytes that stay behind compressed data, to become part of a stranger's message",
		"header that claims an enormous length and then stalls",
		"floods of empty or tiny fragments",
		"more than 10 pings a second",
		"invalid UTF-8 in text or in a close reason",
		"unmasked frames, reserved bits, unknown opcodes",
		"half-open peer",
		"slow consumer",
	},
	"Content": {
		"deep, wide or duplicate-key JSON; integers beyond ±(2^53−1)",
		"keys `__proto__`, `constructor`, `prototype`",
		"room or event IDs with `{}`, `*`, spaces, control characters, newlines, or 65 characters",
		"bidi overrides, zero-width and control characters",
		"HTML in bodies",
	},
	"Authorisation": {
		"join that races a change of permission or a ban",
		"kick, ban, mute, change or deletion of a room, with members on other nodes",
		"room size raced from several nodes",
		"publish, history, members, presence after leaving or without membership",
		"history of a room that is gone, by whoever makes one of its name",
		"private room probed",
		"update, delete, invite, kick, ban, mute without the right to; raising one's own rights",
		"presence of private rooms and of invisible users",
	},
	"Resources, Redis, logs": {
		"join storms, herds that reconnect",
		"leaks of goroutines, descriptors, memory",
		"bans and mutes without end, by whoever moderates a room",
		"rate limits across nodes",
		"connections spread over nodes",
		"a store, broker, session store, limiter or presence store that is away, slow, or not there from the start",
		"Redis down, paused, slow, killed, flushed, failed over, script cache lost",
		"personal data and secrets in logs",
	},
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every threat, and every row of the design's table of defaults, has a row
// that names tests, all of which exist, or is marked planned.
func TestSecurityModel(t *testing.T) {
	all, err := find(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if !all.has("securitymodel.TestSecurityModel") || len(all) < 100 {
		t.Fatalf("only %d tests were found", len(all))
	}
	want := map[string][]string{"Defaults": defaults(t)}
	for title, rows := range threats {
		want[title] = rows
	}
	for _, fault := range check(read(t, "SECURITY-MODEL.md"), want, all.has) {
		t.Error(fault)
	}
}

// defaults are the names in docs/DESIGN.md, "Defaults".
func defaults(t *testing.T) []string {
	t.Helper()
	sections := parse(read(t, "DESIGN.md"))
	i := slices.IndexFunc(sections, func(s section) bool { return s.title == "Defaults" })
	if i < 0 || len(sections[i].rows) < 10 {
		t.Fatal("the design has no table of defaults")
	}
	var names []string
	for _, r := range sections[i].rows[1:] {
		names = append(names, r.what)
	}
	return names
}

// Who may do what is a table in the document and a comment where it is decided.
func TestModerationTableIsTheCodes(t *testing.T) {
	code, err := os.ReadFile(filepath.Join("..", "..", "room", "moderate.go"))
	if err != nil {
		t.Fatal(err)
	}
	words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	var comment []string
	for line := range strings.Lines(string(code)) {
		rest, ok := strings.CutPrefix(line, "//\t")
		if !ok {
			continue
		}
		rest = words(rest)
		if n := len(comment); n > 0 && !strings.HasSuffix(comment[n-1], "yes") && !strings.HasSuffix(comment[n-1], "host") {
			comment[n-1] += " " + rest // a name on two lines
			continue
		}
		comment = append(comment, rest)
	}
	var table []string
	_, doc, _ := strings.Cut(read(t, "SECURITY-MODEL.md"), "\n## Who may do what in a room\n")
	doc, _, _ = strings.Cut(doc, "\n## ")
	for line := range strings.Lines(doc) {
		if strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "|---") {
			table = append(table, words(strings.NewReplacer("|", " ", "`", "", "Record.", "").Replace(line)))
		}
	}
	if len(table) < 8 || !slices.Equal(comment, table) {
		t.Errorf("the comment has\n%s\nand the table\n%s", strings.Join(comment, "\n"), strings.Join(table, "\n"))
	}
}

// The check finds what it is there to find.
func TestCheck(t *testing.T) {
	all := make(tests)
	if err := all.add("x_test.go", `package x_test
		func TestA(t *testing.T) { t.Run("one part", nil) }
		func Testify() {}
		func (s *suite) TestB() {}
		func FuzzC(f *testing.F) {}`); err != nil {
		t.Fatal(err)
	}
	const head = "# Title\n\n## One\n| threat | answer | shown by |\n|---|---|---|\n"
	want := map[string][]string{"One": {"a", "b"}}
	for name, tt := range map[string]struct {
		doc    string
		faults int
	}{
		"good":                 {head + "| a | no | `x.TestA` |\n| b | *planned*: no |  |\n", 0},
		"subtest":              {head + "| a | no | `x.TestA/one_part` |\n| b | no | `x.FuzzC` |\n", 0},
		"no section":           {"## Two\n", 1},
		"row missing":          {head + "| a | no | `x.TestA` |\n", 1},
		"row unknown":          {head + "| a | no | `x.TestA` |\n| b | no | `x.TestA` |\n| c | no | `x.TestA` |\n", 1},
		"no test":              {head + "| a | no |  |\n| b | no | `x.TestA` |\n", 1},
		"planned with test":    {head + "| a | *planned* | `x.TestA` |\n| b | no | `x.TestA` |\n", 1},
		"no such test":         {head + "| a | no | `x.TestA` |\n| b | no | `x.TestZ` |\n", 1},
		"no such package":      {head + "| a | no | `x.TestA` |\n| b | no | `y.TestA` |\n", 1},
		"no such subtest":      {head + "| a | no | `x.TestA/two` |\n| b | no | `x.TestA` |\n", 1},
		"not a test":           {head + "| a | no | `x.Testify` |\n| b | no | `x.TestA` |\n", 1},
		"a method":             {head + "| a | no | `x.TestB` |\n| b | no | `x.TestA` |\n", 1},
		"one of two is absent": {head + "| a | no | `x.TestA` `x.TestZ` |\n| b | no | `x.TestA` |\n", 1},
	} {
		if got := check(tt.doc, want, all.has); len(got) != tt.faults {
			t.Errorf("%s: %q, want %d faults", name, got, tt.faults)
		}
	}
}
