package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// visit opens a tab and signs in under a name.
func (h house) visit(t *testing.T, srv *server, name string) *tab {
	t.Helper()
	b := h.open(t, srv, name)
	b.signIn(false)
	return b
}

// signIn fills in the form, and returns when the user is in the lobby.
func (b *tab) signIn(staff bool) {
	b.t.Helper()
	b.fill("#name", b.who)
	if staff {
		b.click("#staff")
	}
	b.click("#sign-in")
	b.online()
	b.inside("lobby")
}

// id is the user ID that the example gives to a name of letters.
func (b *tab) id() string { return strings.ToLower(b.who) }

func (b *tab) online() {
	b.t.Helper()
	b.until("the connection is there", `seen.state() === "online"`)
}

// goTo brings a room of the list to the front.
func (b *tab) goTo(room string) {
	b.t.Helper()
	b.click(`#room-list [data-room="` + room + `"]`)
	b.front(room)
}

// front waits until a room is in front.
func (b *tab) front(room string) {
	b.t.Helper()
	b.until(room+" is in front", `document.getElementById("room-name").textContent === `+quote(room))
}

// inside waits until a room is in front and the user is in it.
func (b *tab) inside(room string) {
	b.t.Helper()
	b.front(room)
	b.until("the user is in "+room, `seen.refusal() === "" && seen.member(`+quote(b.id())+`)`)
}

// other fills in the form for rooms that are not on the list.
func (b *tab) other(kind, name, button string) {
	b.t.Helper()
	var open bool
	if b.eval(`document.getElementById("other").open`, &open); !open {
		b.click("#other summary")
	}
	b.eval(`document.getElementById("other-kind").value = `+quote(kind), nil)
	b.fill("#other-name", name)
	b.click(button)
}

// refused waits until the page says in words why the room in front is closed.
func (b *tab) refused(words string) {
	b.t.Helper()
	b.until("entering is refused: "+words, `seen.refusal().includes(`+quote(words)+`)`)
	b.until("nothing can be written", `!seen.visible(seen.box())`)
}

// say sends a message, and returns when the server has it.
func (b *tab) say(text string) {
	b.t.Helper()
	b.fill("#text", text)
	b.press(kb.Enter)
	b.sees(text)
}

// sees waits until a message is there, once.
func (b *tab) sees(text string) {
	b.t.Helper()
	b.until("there is one message "+quote(text), `seen.message(`+quote(text)+`)`)
}

// notes waits until a line that is no message begins with words.
func (b *tab) notes(words string) {
	b.t.Helper()
	b.until("it says "+quote(words), `seen.notes().some((note) => note.startsWith(`+quote(words)+`))`)
}

// count returns how many lines that are no messages begin with words.
func (b *tab) count(words string) (n int) {
	b.t.Helper()
	b.eval(`seen.notes().filter((note) => note.startsWith(`+quote(words)+`)).length`, &n)
	return n
}

// toast waits until an error is told in words.
func (b *tab) toast(words string) {
	b.t.Helper()
	b.until("an error says "+quote(words), `seen.toasts().some((toast) => toast.includes(`+quote(words)+`))`)
}

// members waits until exactly these users are in the room in front, online.
func (b *tab) members(users ...string) {
	b.t.Helper()
	b.until("the members are "+strings.Join(users, ", "),
		`JSON.stringify(seen.members().sort()) === `+quote(list(users)))
	b.until("all are online", `seen.members().every((user) => seen.member(user).dataset.status === "online")`)
}

// texts returns what the messages of the room in front say.
func (b *tab) texts() []string {
	b.t.Helper()
	var texts []string
	b.eval("seen.texts()", &texts)
	return texts
}

func list(words []string) string {
	out, err := json.Marshal(words)
	if err != nil {
		panic(err) // strings can be written
	}
	return string(out)
}
