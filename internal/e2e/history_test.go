package e2e

import (
	"slices"
	"strconv"
	"testing"
)

// history comes back by scrolling up, in order, until there is no more.
func history(t *testing.T, h house) {
	const lines = 130 // more than two pages
	srv := h.serve(t)
	ada := h.visit(t, srv, "Ada")

	// Somebody else's program fills the lobby, as fast as it may.
	ada.eval(`(async () => {
		const { Client } = await import("/js/wardroom.js");
		const response = await fetch("/login", { method: "POST", body: JSON.stringify({ name: "Parrot" }) });
		const { token } = await response.json();
		const client = new Client("/ws", { token });
		await client.connect();
		const lobby = await client.join("lobby");
		for (let i = 1; i <= `+strconv.Itoa(lines)+`; ) {
			try {
				await lobby.publish("line " + i);
				i++;
			} catch (error) {
				if (error.code !== "rate_limited") throw error;
				await new Promise((resolve) => setTimeout(resolve, error.retryAfter));
			}
		}
		client.close();
	})()`, nil)
	want := make([]string, lines)
	for i := range want {
		want[i] = "line " + strconv.Itoa(i+1)
	}
	ada.sees(want[lines-1])
	if texts := ada.texts(); !slices.Equal(texts, want) {
		t.Errorf("who was there saw %q", texts)
	}

	grace := h.visit(t, srv, "Grace")
	grace.sees(want[lines-1])
	if texts := grace.texts(); !slices.Equal(texts, want[lines-50:]) {
		t.Errorf("who comes is shown %q; want the newest 50 lines", texts)
	}
	for from := lines - 50; from > 0; {
		from = max(0, from-50)
		grace.eval(`void (seen.log().scrollTop = 0)`, nil)
		grace.sees(want[from])
		if texts := grace.texts(); !slices.Equal(texts, want[from:]) {
			t.Fatalf("after scrolling up: %q; want the lines from %d on", texts, from+1)
		}
		grace.until("what was read has not moved away", `seen.log().scrollTop > 100`)
	}
	grace.say("I have read it all")
	if texts := grace.texts(); !slices.Equal(texts, append(want, "I have read it all")) {
		t.Errorf("at the end: %q", texts)
	}
}
