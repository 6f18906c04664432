package e2e

import "testing"

// doors is about rooms that not everyone may enter.
func doors(t *testing.T, h house) {
	srv := h.serve(t)
	ada := h.visit(t, srv, "Ada")
	grace := h.visit(t, srv, "Grace")

	// By role.
	ada.goTo("staff")
	ada.refused("Only staff may enter")
	bob := h.open(t, srv, "Bob")
	bob.signIn(true)
	bob.goTo("staff")
	bob.inside("staff")
	bob.say("Among ourselves")

	// By invitation. A room that does not exist is refused in the same words.
	const private = "This team is private, or there is no such team."
	ada.other("team", "blue", "#create")
	ada.inside("team:blue")
	ada.until("it is marked as private", `document.getElementById("permission").textContent === "private"`)
	grace.other("team", "green", "#enter")
	grace.refused(private)
	grace.other("team", "blue", "#enter")
	grace.front("team:blue")
	grace.refused(private)
	grace.other("team", "blue", "#create")
	grace.toast("There is a room with this name already.")

	ada.fill("#invite-user", "grace")
	ada.click("#invite button")
	ada.notes("You invited grace")
	grace.click("#knock")
	grace.inside("team:blue")
	ada.notes("Grace came in")
	grace.say("What is it that nobody may know?")
	ada.sees("What is it that nobody may know?")

	// Nothing of it is seen elsewhere.
	bob.goTo("lobby")
	bob.say("Anyone here?")
	if texts := bob.texts(); len(texts) != 1 {
		t.Errorf("in the lobby Bob sees %q", texts)
	}

	// By ownership.
	ada.other("office", "ada", "#create")
	ada.inside("office:ada")
	ada.say("Note to self")
	grace.other("office", "ada", "#enter")
	grace.front("office:ada")
	grace.refused("Only its owner may enter an office.")
}

// tiny is a room for two.
func tiny(t *testing.T, h house) {
	srv := h.serve(t)
	ada := h.visit(t, srv, "Ada")
	grace := h.visit(t, srv, "Grace")
	hedy := h.visit(t, srv, "Hedy")
	for _, b := range []*tab{ada, grace} {
		b.goTo("tiny")
		b.inside("tiny")
	}
	hedy.goTo("tiny")
	hedy.refused("This room is full.")
	hedy.click("#knock")
	hedy.refused("This room is full.")

	grace.click("#leave")
	ada.members("ada")
	hedy.click("#knock")
	hedy.inside("tiny")
	hedy.say("Thank you")
	ada.sees("Thank you")
}
