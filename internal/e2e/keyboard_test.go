package e2e

import (
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// keyboard is talk by somebody who has no mouse.
func keyboard(t *testing.T, h house) {
	srv := h.serve(t)
	grace := h.visit(t, srv, "Grace")
	ada := h.open(t, srv, "Ada")

	ada.until("the name can be typed at once", `document.activeElement.id === "name"`)
	ada.press("Ada" + kb.Tab)
	ada.until("next is the role", `document.activeElement.id === "staff"`)
	ada.press(kb.Tab)
	ada.until("next is the button", `document.activeElement.id === "sign-in"`)
	ada.press(kb.Enter)
	ada.online()
	ada.inside("lobby")

	ada.tabTo(`document.activeElement === seen.box()`)
	ada.press("Hello" + kb.Enter)
	ada.sees("Hello")
	grace.sees("Hello")
	ada.press(kb.ArrowUp)
	ada.until("the last message can be changed", `seen.box().value === "Hello"`)
	ada.press(", Grace" + kb.Enter)
	ada.sees("Hello, Grace")
	grace.sees("Hello, Grace")
	ada.press(kb.ArrowUp + kb.Escape)
	ada.until("it can be left as it is", `seen.box().value === "" && !seen.visible(document.getElementById("editing"))`)

	// The buttons of a message are a step back.
	ada.tabBack()
	ada.until("next is to delete", `document.activeElement.matches(".delete") && seen.visible(document.activeElement)`)
	ada.press(kb.Enter + kb.Enter)
	grace.until("the message is gone", `seen.messages()[0].matches(".gone")`)
	ada.until("the focus is where it was", `seen.messages()[0].matches(".gone") && document.activeElement === seen.log()`)

	// To another room, and back to the box.
	ada.tabTo(`document.activeElement.dataset.room === "tiny"`)
	ada.press(kb.Enter)
	ada.inside("tiny")
	ada.tabTo(`document.activeElement === seen.box()`)
	ada.press("Is anyone here?" + kb.Enter)
	ada.sees("Is anyone here?")

	ada.named()
}

// tabBack presses Shift and Tab.
func (b *tab) tabBack() {
	b.t.Helper()
	b.do(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
}

// tabTo presses Tab until a condition holds. Wherever that leads, the focus
// must be seen.
func (b *tab) tabTo(condition string) {
	b.t.Helper()
	const stops = 60
	for range stops {
		b.press(kb.Tab)
		var at struct {
			There, Shown bool
			Element      string
		}
		b.eval(`(() => {
			const element = document.activeElement;
			const { outlineStyle, outlineWidth } = getComputedStyle(element);
			return {
				there: `+condition+`,
				shown: element === document.body || (seen.visible(element) && outlineStyle !== "none" && parseFloat(outlineWidth) >= 2),
				element: element.outerHTML.slice(0, 120),
			};
		})()`, &at)
		if !at.Shown {
			b.fatalf("the focus is not seen on %s", at.Element)
		}
		if at.There {
			return
		}
	}
	b.fatalf("%d times Tab do not lead to %s", stops, condition)
}

// named fails the test when something on the page can be used that has no
// name for those who cannot see it.
func (b *tab) named() {
	b.t.Helper()
	tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		b.fatalf("%v", err)
	}
	found := 0
	for _, node := range tree.Nodes {
		if node.Ignored || node.Role == nil || node.Name == nil {
			continue
		}
		switch string(node.Role.Value) {
		case `"button"`, `"textbox"`, `"link"`, `"checkbox"`, `"combobox"`, `"DisclosureTriangle"`, `"navigation"`, `"log"`, `"main"`:
			found++
			if name := string(node.Name.Value); name == `""` || name == "" {
				b.t.Errorf("%s: a %s without a name", b.who, node.Role.Value)
			}
		}
	}
	if found < 10 {
		b.t.Errorf("%s: only %d things to use on the page", b.who, found)
	}
}
