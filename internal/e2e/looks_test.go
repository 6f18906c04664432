package e2e

import (
	"bytes"
	"context"
	"fmt"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// looks sees the page by day and by night, on a desk and on a phone.
func looks(t *testing.T, h house) {
	srv := h.serve(t)
	ada := h.open(t, srv, "Ada")
	ada.everywhere("the sign-in form")

	ada.signIn(false)
	ada.say("Good morning")
	for _, name := range []string{"Grace", "Edsger", "Linus"} { // avatars of other colours
		h.visit(t, srv, name).say("I am " + name)
	}
	ada.members("ada", "edsger", "grace", "linus")
	ada.say("This does not fit into one line on a phone: https://example.org/" + strings.Repeat("x", 80))
	ada.everywhere("a room")

	ada.goTo("staff")
	ada.refused("Only staff")
	ada.everywhere("a refusal")

	// On a phone rooms and members are behind buttons.
	ada.resize(360, 640)
	ada.click("#show-members")
	ada.until("the members are shown", `seen.spot(document.querySelector("#members h2"))`)
	ada.press("\x1b")
	ada.until("the members are hidden", `!seen.visible(document.getElementById("members"))`)
	ada.click("#show-rooms")
	ada.goTo("tiny")
	ada.inside("tiny")
	ada.until("the rooms are hidden", `!seen.visible(document.getElementById("rooms"))`)
	ada.say("From my phone")
}

// everywhere looks at what is on the page in each size and theme.
func (b *tab) everywhere(what string) {
	b.t.Helper()
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"phone", 360, 640}, {"tablet", 800, 1000}, {"desk", 1200, 760}} {
		b.resize(size.width, size.height)
		var wide int64
		b.eval(`document.documentElement.scrollWidth`, &wide)
		if wide > size.width {
			b.t.Errorf("%s on a %s: %d pixels wide; want %d", what, size.name, wide, size.width)
		}
		bright := make(map[string]float64)
		for _, scheme := range []string{"dark", "light"} {
			b.theme(scheme)
			where := fmt.Sprintf("%s on a %s, %s", what, size.name, scheme)
			bright[scheme] = brightness(b.t, where, b.shoot())
			var faint []string
			b.eval(contrast, &faint)
			for _, text := range faint {
				b.t.Errorf("%s: hard to read: %s", where, text)
			}
		}
		if bright["dark"] > bright["light"]/2 {
			b.t.Errorf("%s on a %s: the brightness is %.2f when light and %.2f when dark", what, size.name, bright["light"], bright["dark"])
		}
	}
}

func (b *tab) resize(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
	b.until("the page has the size", fmt.Sprintf("innerWidth === %d && innerHeight === %d", width, height))
}

// theme sets what the system prefers, with nothing moving.
func (b *tab) theme(scheme string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	}))
	b.until("it is "+scheme, `matchMedia("(prefers-color-scheme: `+scheme+`)").matches`)
}

// shoot returns a picture of the page, a PNG.
func (b *tab) shoot() []byte {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.fatalf("%v", err)
	}
	return shot
}

// brightness returns the mean of a picture, from 0 to 1. The picture must show
// something.
func brightness(t *testing.T, what string, shot []byte) float64 {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	colors := make(map[color.Color]int)
	sum, most, pixels := 0.0, 0, 0
	size := picture.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y += 2 {
		for x := size.Min.X; x < size.Max.X; x += 2 {
			at := picture.At(x, y)
			sum += float64(color.GrayModel.Convert(at).(color.Gray).Y)
			colors[at]++
			most = max(most, colors[at])
			pixels++
		}
	}
	if len(colors) < 50 || float64(most) > .98*float64(pixels) {
		t.Errorf("%s: the picture is blank: %d colours, and one of them is on %d of %d pixels", what, len(colors), most, pixels)
	}
	return sum / 255 / float64(pixels)
}
