package e2e

import (
	"bytes"
	"context"
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var update = flag.Bool("update", false, "write docs/chat.png and docs/chat-dark.png")

const width, height = 1200, 760

// picture is the scene in the README. With -update it is taken anew; without,
// the one that is there must be one.
func picture(t *testing.T, h house) {
	srv := h.serve(t)
	ada := h.open(t, srv, "Ada")
	ada.do(
		chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: "en-GB"})
			return err
		}),
		chromedp.Reload(),
	)
	ada.signIn(true)
	ada.goTo("staff")
	ada.inside("staff")
	ada.other("team", "garden", "#create")
	ada.inside("team:garden")
	ada.goTo("lobby")

	grace := h.visit(t, srv, "Grace")
	for _, line := range []struct {
		b    *tab
		text string
	}{
		{grace, "Good morning, Ada! Is this the new server?"},
		{ada, "Good morning! It is. I restarted it five minutes ago, while you were writing to me."},
		{grace, "I did not notice."},
		{ada, "That was the idea: the page comes back by itself, and sends what it still has to send. Once."},
		{grace, "And “team:garden”? It says that I may not go in there."},
		{ada, "By invitation only. You have one now, so knock again."},
	} {
		line.b.say(line.text)
		ada.sees(line.text)
	}
	ken := h.open(t, srv, "Ken")
	ken.signIn(true)
	ada.members("ada", "grace", "ken")
	ken.say("Hello, you two. Am I too early?")
	ken.goTo("staff")
	ken.inside("staff")
	ken.say("Somebody left the lights on in here.")
	ada.until("there is news elsewhere", `/^1\b/.test(document.querySelector('[data-room="staff"] .badge').textContent)`)
	ada.sees("Hello, you two. Am I too early?")
	ada.fill("#text", "Just in time")
	ada.until("nothing moves", `seen.log().scrollTop + seen.log().clientHeight >= seen.log().scrollHeight - 1`)

	for _, shot := range []struct{ scheme, file string }{{"light", "chat.png"}, {"dark", "chat-dark.png"}} {
		ada.theme(shot.scheme)
		// Typing is shown for a few seconds only, so somebody types for each.
		grace.fill("#text", "I")
		ada.until("somebody is typing", `document.getElementById("typing").textContent === "Grace is typing…"`)
		path := filepath.Join("..", "..", "docs", shot.file)
		if *update {
			if err := os.WriteFile(path, ada.shoot(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		committed, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v; go test -run TestChat/picture -update . takes it", err)
		}
		size, err := png.DecodeConfig(bytes.NewReader(committed))
		if err != nil || size.Width != width || size.Height != height {
			t.Errorf("%s: %dx%d, %v; want a picture of %dx%d", path, size.Width, size.Height, err, width, height)
		}
		brightness(t, path, committed)
	}
}
