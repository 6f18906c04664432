package e2e

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// restart ends the server under two people who talk, and starts it again.
// They do nothing but go on talking.
func restart(t *testing.T, h house) {
	srv := h.serve(t)
	ada := h.visit(t, srv, "Ada")
	grace := h.visit(t, srv, "Grace")
	ada.say("Before")
	grace.say("Before, too")
	ada.sees("Before, too")

	srv.stop(t)
	for _, b := range []*tab{ada, grace} {
		b.until("it says that the connection is lost", `seen.state() === "reconnecting" && /^Reconnecting/.test(document.getElementById("connection-text").textContent)`)
	}
	ada.fill("#text", "Meanwhile")
	ada.press(kb.Enter)
	ada.until("the message waits", `seen.log().querySelector(".pending")?.textContent === "Meanwhile"`)

	srv.start(t)
	for _, b := range []*tab{ada, grace} {
		b.online()
		b.sees("Meanwhile")
		b.until("nothing waits any more", `!seen.log().querySelector(".pending")`)
		b.members("ada", "grace")
	}
	grace.say("After")
	ada.sees("After")
	ada.say("After all")
	grace.sees("After all")

	// The memory store has forgotten; the people have not, and nothing is
	// there twice.
	want := []string{"Before", "Before, too", "Meanwhile", "After", "After all"}
	for _, b := range []*tab{ada, grace} {
		b.notes("You were away. Messages from that time may be missing")
		if texts := b.texts(); !slices.Equal(texts, want) {
			t.Errorf("%s sees %q; want %q", b.who, texts, want)
		}
		b.forgive("net::ERR_") // the browser's own notes of attempts that failed
	}
}

// recovery pulls one person's cable. The server goes on, and what the others
// say meanwhile is not lost.
func recovery(t *testing.T, h house) {
	adas, graces := newCable(t), newCable(t)
	srv := h.serve(t, adas.origin(), graces.origin())
	adas.plug(srv.addr)
	graces.plug(srv.addr)
	ada := h.openAt(t, srv, adas.origin(), "Ada")
	ada.signIn(false)
	grace := h.openAt(t, srv, graces.origin(), "Grace")
	grace.signIn(false)
	grace.say("One")
	ada.sees("One")

	adas.pull()
	ada.until("it says that the connection is lost", `seen.state() === "reconnecting"`)
	grace.say("Two")
	grace.say("Three")
	ada.fill("#text", "Four")
	ada.press(kb.Enter)
	ada.until("the message waits", `seen.log().querySelector(".pending")?.textContent === "Four"`)

	adas.plug(srv.addr)
	ada.online()
	ada.notes("You are back, and caught up with 2 entries")
	ada.sees("Four")
	grace.sees("Four")
	want := []string{"One", "Two", "Three", "Four"}
	for _, b := range []*tab{ada, grace} {
		if texts := b.texts(); !slices.Equal(texts, want) {
			t.Errorf("%s sees %q; want %q", b.who, texts, want)
		}
	}
	ada.members("ada", "grace")
	grace.members("ada", "grace")
	ada.forgive("net::ERR_")
}
