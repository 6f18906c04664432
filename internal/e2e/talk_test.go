package e2e

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// talk is the main story: two people come, see each other, talk, and go.
func talk(t *testing.T, h house) {
	srv := h.serve(t)
	ada := h.visit(t, srv, "Ada")
	ada.members("ada")
	grace := h.visit(t, srv, "Grace")
	ada.notes("Grace came in")
	ada.members("ada", "grace")
	grace.members("ada", "grace")

	grace.say("Good morning")
	ada.sees("Good morning")
	ada.until("it bears the name of its author", `seen.message("Good morning").querySelector(".author").textContent === "Grace"`)
	ada.say("Good morning, Grace")
	grace.sees("Good morning, Grace")

	ada.click("#text")
	ada.press("H")
	grace.until("it says who is typing", `document.getElementById("typing").textContent === "Ada is typing…"`)
	ada.press("i" + kb.Enter)
	ada.sees("Hi")
	grace.sees("Hi")
	grace.until("nobody is typing", `document.getElementById("typing").textContent === ""`)

	// Whose tab is hidden for half a minute is away, until it is looked at.
	isAda := func(status string) string {
		return `document.querySelector('#member-list [data-user="ada"]').dataset.status === ` + quote(status)
	}
	grace.until("Ada is there", isAda("online"))
	ada.eval(`(() => {
		const wait = window.setTimeout;
		window.setTimeout = (f, ms, ...rest) => wait(f, ms === 30_000 ? 0 : ms, ...rest);
		Object.defineProperty(document, "hidden", { value: true, configurable: true });
		document.dispatchEvent(new Event("visibilitychange"));
	})()`, nil)
	grace.until("Ada is away", isAda("away"))
	ada.eval(`(() => {
		delete document.hidden;
		document.dispatchEvent(new Event("visibilitychange"));
	})()`, nil)
	grace.until("Ada is back", isAda("online"))

	want := []string{"Good morning", "Good morning, Grace", "Hi"}
	for _, b := range []*tab{ada, grace} {
		if texts := b.texts(); !slices.Equal(texts, want) {
			t.Errorf("%s sees %q; want %q", b.who, texts, want)
		}
	}

	// A second tab of the same user is nobody new.
	again := h.visit(t, srv, "Ada")
	again.sees("Hi") // history
	again.members("ada", "grace")
	again.say("Me too, from over here")
	grace.sees("Me too, from over here")
	if n := grace.count("Ada came in"); n != 0 {
		t.Errorf("a second tab of Ada's was announced %d times", n)
	}
	again.close()

	grace.close()
	ada.notes("Grace l") // left, or lost the connection
	ada.members("ada")

	grace = h.visit(t, srv, "Grace")
	ada.until("she is back", `seen.notes().filter((note) => note === "Grace came in").length === 2`)
	ada.members("ada", "grace")
	grace.sees("Hi")
	grace.click("#sign-out")
	ada.members("ada")
	grace.until("the sign-in form is back", `seen.visible(document.getElementById("login-form"))`)
}

// reload is what some do when they are not sure.
func reload(t *testing.T, h house) {
	srv := h.serve(t)
	ada := h.visit(t, srv, "Ada")
	grace := h.visit(t, srv, "Grace")
	grace.say("Stay a while")
	ada.goTo("tiny")
	ada.inside("tiny")

	ada.do(chromedp.Reload())
	ada.online()
	ada.inside("tiny") // still herself, and in the same place
	ada.goTo("lobby")
	ada.sees("Stay a while")
	ada.say("I am back")
	grace.sees("I am back")
	grace.members("ada", "grace")
}

// markup is a message that would do something if it were not mere text.
func markup(t *testing.T, h house) {
	srv := h.serve(t)
	ada := h.visit(t, srv, "Ada")
	grace := h.visit(t, srv, "Grace")
	for _, text := range []string{
		`<img src=x onerror="document.title='taken'">`,
		`</p><script>document.title='taken'</script>`,
		`<a href="javascript:document.title='taken'">&lt;b&gt;`,
		"{{constructor.constructor('document.title=1')()}} ${1}",
	} {
		grace.say(text)
		ada.sees(text)
	}
	for _, b := range []*tab{ada, grace} {
		b.until("nothing was taken", `!document.title.includes("taken") && !seen.log().querySelector("img, script, a")`)
	}

	// Names are shown too.
	mallory := h.open(t, srv, `<img src=x onerror="document.title='taken'">`)
	mallory.fill("#name", mallory.who)
	mallory.click("#sign-in")
	mallory.online()
	ada.notes(mallory.who + " came in")
	ada.until("the name is text", `!document.querySelector("#member-list img")`)
}

// change is what one can do with one's own messages, and not with others'.
func change(t *testing.T, h house) {
	srv := h.serve(t)
	ada := h.visit(t, srv, "Ada")
	grace := h.visit(t, srv, "Grace")
	ada.say("See you at fvie")
	ada.say("What a nonsense")
	grace.sees("What a nonsense")

	ada.hover(`seen.message("See you at fvie")`)
	ada.clickOn(`seen.message("See you at fvie").querySelector(".edit")`)
	ada.until("the text is in the box", `seen.box().value === "See you at fvie" && document.activeElement === seen.box()`)
	ada.fill("#text", "See you at five")
	ada.press(kb.Enter)
	for _, b := range []*tab{ada, grace} {
		b.until("the message is edited", `seen.message("See you at five")?.matches(".edited")`)
	}

	ada.hover(`seen.message("What a nonsense")`)
	ada.clickOn(`seen.message("What a nonsense").querySelector(".delete")`)
	ada.clickOn(`seen.message("What a nonsense").querySelector(".delete.sure")`)
	for _, b := range []*tab{ada, grace} {
		b.until("the message is gone", `!seen.texts().includes("What a nonsense") && seen.messages()[1].matches(".gone")`)
	}

	grace.hover(`seen.message("See you at five")`)
	grace.until("another's message has no buttons", `!seen.visible(seen.message("See you at five").querySelector(".edit")) && !seen.visible(seen.message("See you at five").querySelector(".delete"))`)

	// Who comes later sees the room as it is now.
	hedy := h.visit(t, srv, "Hedy")
	hedy.until("the history has the changes", `seen.message("See you at five") && seen.messages()[1].matches(".gone") && seen.messages().length === 2`)
}
