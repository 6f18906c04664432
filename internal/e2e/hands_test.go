package e2e

import (
	"context"
	"fmt"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// click clicks on the element that matches.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.clickOn("document.querySelector(" + quote(selector) + ")")
}

// clickOn moves the mouse to the middle of an element and clicks, once the
// element is visible, at rest and not covered.
func (b *tab) clickOn(expression string) {
	b.t.Helper()
	x, y := b.hover(expression)
	b.do(chromedp.MouseClickXY(x, y))
}

// hover moves the mouse to the middle of an element.
func (b *tab) hover(expression string) (x, y float64) {
	b.t.Helper()
	var spot [2]float64
	b.eval("seen.still(() => "+expression+")", &spot)
	b.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, spot[0], spot[1]))
	return spot[0], spot[1]
}

// press presses keys, one after the other, where the focus is. The text of a
// key comes with its keydown event, as from a real keyboard, so that a page
// which handles the event keeps the text away.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		for _, r := range keys {
			key, ok := kb.Keys[r]
			if !ok {
				return fmt.Errorf("no key for %q", r)
			}
			event := input.DispatchKeyEventParams{
				Type: "keyDown", Key: key.Key, Code: key.Code,
				Text: key.Text, UnmodifiedText: key.Unmodified, WindowsVirtualKeyCode: key.Windows,
			}
			if key.Shift {
				event.Modifiers = 8
			}
			if key.Text == "" {
				event.Type = "rawKeyDown"
			}
			if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, event); err != nil {
				return err
			}
			event.Type, event.Text, event.UnmodifiedText = "keyUp", "", ""
			if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, event); err != nil {
				return err
			}
		}
		return nil
	}))
}

// fill replaces what is in a text box.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.click(selector)
	b.eval(`document.activeElement.select()`, nil)
	b.paste(text)
}

// paste puts text where the focus is, at once, as from the clipboard.
func (b *tab) paste(text string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}))
}
