package e2e

import (
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// refusals are what the server does not take, told in words that help.
func refusals(t *testing.T, h house) {
	srv := h.serve(t)
	ada := h.visit(t, srv, "Ada")
	grace := h.visit(t, srv, "Grace")

	// 1,000 characters are a message and one more is not. It is not lost.
	long := strings.Repeat("ä", 1000)
	ada.say(long)
	grace.sees(long)
	ada.fill("#text", long+"!")
	ada.until("it says how long the text is", `document.getElementById("count").textContent.includes("1001 / 1000")`)
	ada.press(kb.Enter)
	ada.until("an error says so", `seen.toasts().length === 1 && /1,?000 characters|too long/.test(seen.toasts()[0])`)
	ada.until("the text is still there", `seen.box().value.length === 1001`)
	ada.fill("#text", "Shorter")
	ada.press(kb.Enter)
	grace.sees("Shorter")

	// The limit is 50 messages in a second. Writing takes the page a while on a
	// busy machine, so what it sends is held back, as by a network that is
	// stuck, and goes all at once. (100 refusals would end the connection.)
	const many = 140
	ada.eval(`(async () => {
		const { send } = WebSocket.prototype;
		const held = [];
		WebSocket.prototype.send = function (frame) { held.push([this, frame]); };
		for (let i = 1; i <= `+strconv.Itoa(many)+`; i++) {
			seen.box().value = "flood " + i;
			document.getElementById("composer").requestSubmit();
		}
		await seen.until(() => held.length >= `+strconv.Itoa(many)+`);
		WebSocket.prototype.send = send;
		for (const [socket, frame] of held) socket.send(frame);
	})()`, nil)
	ada.toast("Slow down: try again in")
	ada.until("all are answered", `!seen.log().querySelector(".pending")`)
	ada.online()
	var taken, heard int
	const flood = `seen.texts().filter((text) => text.startsWith("flood ")).length`
	ada.eval(flood, &taken)
	if taken < 45 || taken >= many {
		t.Errorf("%d of %d messages at once were taken; want about 50", taken, many)
	}
	grace.until("she has what was taken", flood+" >= "+strconv.Itoa(taken))
	grace.eval(flood, &heard)
	if heard != taken {
		t.Errorf("the sender has %d messages, and the other %d", taken, heard)
	}
	ada.until("a message is taken again", `(() => {
		if (seen.message("And again")) return true;
		if (!seen.log().querySelector(".pending")) {
			seen.box().value = "And again";
			document.getElementById("composer").requestSubmit();
		}
	})()`)
	grace.sees("And again")

	// A name can be refused as well.
	nobody := h.open(t, srv, "")
	nobody.fill("#name", "   ")
	nobody.click("#sign-in")
	nobody.until("it says why", `document.getElementById("login-error").textContent.includes("1 to 64 characters")`)
	nobody.forgive("400 (Bad Request)") // the browser's own note of the answer
}
