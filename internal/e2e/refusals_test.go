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
	ada.fill("#text", "And again")
	// What is refused is given back, to be sent again.
	ada.until("a message is taken again", `seen.message("And again") || (seen.box().value && document.getElementById("composer").requestSubmit())`)
	grace.sees("And again")
	// It came after all that was taken.
	counts := make(map[*tab]int)
	for _, b := range []*tab{ada, grace} {
		var n int
		b.eval(`seen.texts().filter((text) => text.startsWith("flood ")).length`, &n)
		counts[b] = n
	}
	if n := counts[ada]; n < 45 || n >= many || n != counts[grace] {
		t.Errorf("of %d messages at once %d were taken, and the other has %d; want the same, and about 50", many, n, counts[grace])
	}

	// A name can be refused as well.
	nobody := h.open(t, srv, "")
	nobody.fill("#name", "   ")
	nobody.click("#sign-in")
	nobody.until("it says why", `document.getElementById("login-error").textContent.includes("1 to 64 characters")`)
	nobody.forgive("400 (Bad Request)") // the browser's own note of the answer
}
