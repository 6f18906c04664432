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
	ada.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: "en-GB"})
		return err
	}))
	ada.signIn(true)
	grace := h.visit(t, srv, "Grace")
	hedy := h.open(t, srv, "Hedy")
	hedy.signIn(true)
	ada.goTo("staff")
	ada.inside("staff")
	ada.goTo("lobby")
	ada.other("team", "engine", "#create")
	ada.inside("team:engine")
	ada.goTo("lobby")

	grace.say("Good morning! Did the new release go out last night?")
	ada.sees("Good morning! Did the new release go out last night?")
	ada.say("It did, with two nodes restarted under everybody’s feet.")
	ada.say("Nobody noticed: all of them were back before they could read “reconnecting”.")
	hedy.say("I was in the middle of a sentence. It arrived. Once!")
	grace.sees("I was in the middle of a sentence. It arrived. Once!")
	grace.say("Lovely. Then let us open the doors to the others this afternoon.")
	hedy.goTo("staff")
	hedy.say("Shall we tell them about the staff room?")
	ada.until("there is news elsewhere", `/^1\b/.test(document.querySelector('[data-room="staff"] .badge').textContent)`)
	ada.sees("Lovely. Then let us open the doors to the others this afternoon.")
	ada.fill("#text", "Half past two? I will bring")
	grace.click("#text")
	grace.press("I")
	ada.until("somebody is typing", `document.getElementById("typing").textContent === "Grace is typing…"`)
	ada.eval(`seen.log().scrollTop = 1e6`, nil)

	for _, shot := range []struct{ scheme, file string }{{"light", "chat.png"}, {"dark", "chat-dark.png"}} {
		ada.theme(shot.scheme)
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
