package room_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
)

// The walks of TestGolden: every request type and every frame of the server.

func walkJoin(s *transcript) {
	h := serve(s, house())
	s.about("the first frame of a connection; Ada's token expires, Bob's does not and names nobody")
	ada := s.person("ada", h.connect("ada~name.Ada~exp.59m"))
	bob := s.person("bob", h.connect("bob"))
	s.about("join a room that keeps history")
	ada.asks("join", inRoom("hall"))
	bob.asks("join", inRoom("hall"))
	ada.hears("user_joined")
	s.about("a second tab of Bob's joins silently")
	tab := s.person("bob, second tab", h.connect("bob"))
	tab.asks("join", inRoom("hall"))
	ada.silent()
	s.about("who is in the room already joins anew, silently")
	bob.asks("join", inRoom("hall"), `"last":10`)
	ada.silent()
	s.about("only the last tab to go leaves")
	tab.asks("leave", inRoom("hall"))
	ada.silent()
	bob.asks("leave", inRoom("hall"))
	ada.hears("user_left")
	s.about("a room without history")
	ada.asks("join", inRoom("lounge"))
	s.about("without a ref there is no reply to a success")
	bob.says(`{"type":"join","room":"lounge"}`)
	ada.hears("user_joined")
	s.about("whose connection ends leaves")
	bob.bye()
	ada.hears("user_left")
}

func walkMessage(s *transcript) {
	h := serve(s, house())
	ada := s.person("ada", h.connect("ada"))
	bob := s.person("bob", h.connect("bob"))
	ada.asks("join", inRoom("hall"))
	bob.asks("join", inRoom("hall"))
	ada.hears("user_joined")
	said := func(from *person) {
		from.hears("reply", "message")
		bob.hears("message")
	}
	s.about("text")
	ada.says(`{"type":"message","ref":2,"room":"hall","data":"Hello, <b>Bob</b> & all\u2028"}`)
	said(ada)
	s.about("JSON, under an event of its own")
	ada.says(`{"type":"message","ref":3,"room":"hall","event":"board.move","data":{"from":"e2","to":"e4","check":false,"clock":[59.5,60]}}`)
	said(ada)
	s.about("binary")
	ada.saysBinary(`{"type":"message","ref":4,"room":"hall","event":"ink"}`, []byte{0, 1, 0xFE, 0xFF})
	said(ada)
	s.about("null is data too")
	ada.says(`{"type":"message","ref":5,"room":"hall","data":null}`)
	said(ada)
	s.about("without a ref")
	ada.says(`{"type":"message","room":"hall","data":"no answer, please"}`)
	ada.hears("message")
	bob.hears("message")
	s.about("ephemeral: not stored, no offset")
	ada.says(`{"type":"message","ref":6,"room":"hall","event":"typing","data":true,"store":false}`)
	said(ada)
	s.about("not to the sender's own connection")
	ada.says(`{"type":"message","ref":7,"room":"hall","data":"no echo","echo":false}`)
	ada.hears("reply")
	bob.hears("message")
	s.about("an idempotency key: stored once")
	ada.says(`{"type":"message","ref":8,"room":"hall","data":"once","id":"key-1"}`)
	said(ada)
	ada.says(`{"type":"message","ref":9,"room":"hall","data":"once","id":"key-1"}`)
	ada.hears("reply")
	s.about("from the host, from a system sender, and to one user alone")
	ctx := context.Background()
	for _, opts := range [][]room.PublishOption{nil, {room.From("system"), room.Ephemeral()}} {
		if _, err := h.srv.Room("hall").Publish(ctx, "notice", map[string]int{"in_minutes": 5}, opts...); err != nil {
			s.Fatal(err)
		}
		ada.hears("message")
		bob.hears("message")
	}
	if err := h.srv.User("ada").Send(ctx, "nudge", "You are up."); err != nil {
		s.Fatal(err)
	}
	ada.hears("message")
	s.about("in a room without history nothing has an offset")
	ada.asks("join", inRoom("lounge"))
	bob.asks("join", inRoom("lounge"))
	ada.hears("user_joined")
	ada.ref = 20
	ada.says(`{"type":"message","ref":21,"room":"lounge","data":"gone with the wind","id":"key-2"}`)
	said(ada)
	ada.silent()
	bob.silent()
}

func walkHistory(s *transcript) {
	h := serve(s, house())
	ada := s.person("ada", h.connect("ada"))
	ada.asks("join", inRoom("hall"))
	s.about("nothing has been said")
	ada.asks("history", inRoom("hall"))
	for i := range 6 {
		ada.asks("message", inRoom("hall"), saying(fmt.Sprint(i+1)), `"echo":false`)
	}
	ada.saysBinary(`{"type":"message","room":"hall","echo":false,"id":"key"}`, []byte{0xCA, 0xFE})
	s.about("edited and redacted")
	for _, change := range []string{"message_edited", "message_redacted", "message_redacted"} {
		ada.ref++
		switch change {
		case "message_edited":
			ada.says(`{"type":"edit","ref":%d,"room":"hall","target":2,"data":"two"}`, ada.ref)
		default:
			ada.says(`{"type":"redact","ref":%d,"room":"hall","target":%d,"reason":"a slip"}`, ada.ref, ada.ref-6)
		}
		ada.hears("reply", change)
	}
	s.about("the newest page, then those before it")
	ada.asks("history", inRoom("hall"), `"limit":3`)
	ada.asks("history", inRoom("hall"), `"before":5,"limit":3`)
	ada.asks("history", inRoom("hall"), `"before":2,"limit":3`)
	s.about("nothing is before the first")
	ada.asks("history", inRoom("hall"), `"before":1`)
	ada.asks("history", inRoom("hall"), `"before":0`)
	s.about("from the start, forwards")
	ada.asks("history", inRoom("hall"), `"after":0,"limit":3`)
	ada.asks("history", inRoom("hall"), `"after":3,"limit":300`)
	ada.asks("history", inRoom("hall"), `"after":99`)
	s.about("join with the newest")
	bob := s.person("bob", h.connect("bob"))
	bob.asks("join", inRoom("hall"), `"last":2`)
	ada.hears("user_joined")
	s.about("a room that keeps nothing has an empty history")
	bob.asks("join", inRoom("lounge"))
	bob.asks("history", inRoom("lounge"))
}

func walkRecovery(s *transcript) {
	h := serve(s, limits(func(l *room.Limits) { l.Replay = 3 }),
		room.WithRooms("hall", room.Settings{Permission: room.Public, History: room.Keep(5, time.Hour)}))
	ada := s.person("ada", h.connect("ada"))
	ada.asks("join", inRoom("hall"))
	say := func(n int) (epoch string) {
		for range n {
			f := ada.request("message", inRoom("hall"), saying(`"…"`), `"echo":false`)
			r, err := parse(f.Data, false)
			if err != nil {
				s.Fatal(err)
			}
			epoch = r.Epoch
		}
		return epoch
	}
	epoch := say(4)
	bob := h.connect("bob")
	back := func(about, epoch string, offset int) {
		s.about(about)
		p := &person{visitor: bob, s: s, name: "bob"}
		p.asks("join", inRoom("hall"), fmt.Sprintf(`"since":{"epoch":%q,"offset":%d}`, epoch, offset))
		p.asks("leave", inRoom("hall"))
		ada.expect("user_joined")
		ada.expect("user_left")
	}
	s.about("four messages are in the log, which keeps five")
	back("nothing was missed", epoch, 4)
	back("two were missed", epoch, 2)
	back("more were missed than one reply brings: the newest", epoch, 0)
	back("a position that there has not been", epoch, 9)
	back("another epoch", "AAAAAAAAAAAAAAAAAAAAAAAAAA", 3)
	say(4)
	s.about("four more: the log begins at 4")
	back("just in time", epoch, 5)
	back("too late", epoch, 2)
	ada.says(`{"type":"edit","room":"hall","target":7,"data":"…!"}`)
	ada.hears("message_edited")
	ada.says(`{"type":"redact","room":"hall","target":8}`)
	ada.hears("message_redacted")
	back("an edit and a redaction were missed", epoch, 7)
}

func walkMembers(s *transcript) {
	h := serve(s, house(), limits(func(l *room.Limits) { l.Page = 3 }))
	for _, name := range []string{"bob", "cyd", "cyd", "dan~name.Dan"} {
		h.in(name, "hall")
	}
	s.about("more members than a page has")
	ada := s.person("ada", h.connect("ada~name.Ada"))
	ada.asks("join", inRoom("hall"))
	ada.asks("members", inRoom("hall"))
	ada.asks("members", inRoom("hall"), `"after":"cyd"`)
	ada.asks("members", inRoom("hall"), `"after":"","limit":1`)
	ada.asks("members", inRoom("hall"), `"after":"b","limit":2`)
	ada.asks("members", inRoom("hall"), `"after":"z"`)
}

func walkManage(s *transcript) {
	h := serve(s, house())
	ada := s.person("ada", h.connect("ada"))
	bob := s.person("bob", h.connect("bob~role.mod"))
	s.about("a room of one's own, as the pattern has it, and with everything said")
	ada.asks("create", inRoom("club:chess"))
	ada.asks("create", inRoom("club:go"), `"permission":"restricted"`, `"roles":["player","guest"]`, `"invited":["bob"]`, `"max_members":8`)
	ada.asks("settings", inRoom("club:go"))
	s.about("Bob may not enter, then he may")
	bob.asks("settings", inRoom("club:chess"))
	ada.asks("join", inRoom("club:chess"))
	ada.ref++
	ada.says(`{"type":"invite","ref":%d,"room":"club:chess","user":"bob"}`, ada.ref)
	ada.hears("reply", "room_updated")
	bob.asks("settings", inRoom("club:chess"))
	bob.asks("join", inRoom("club:chess"))
	ada.hears("user_joined")
	s.about("update: everyone is told, the invited are not shown to all")
	ada.ref++
	ada.says(`{"type":"update","ref":%d,"room":"club:chess","permission":"public","max_members":2}`, ada.ref)
	ada.hears("reply", "room_updated")
	bob.hears("room_updated")
	s.about("update lets go of who may not stay; they may hear of the update, or not")
	ada.ref++
	ada.says(`{"type":"update","ref":%d,"room":"club:chess","permission":"owner_only"}`, ada.ref)
	ada.hears("reply", "room_updated", "user_left")
	bob.isOut()
	s.about("delete: everyone is told, then nobody is in it")
	ada.ref++
	ada.says(`{"type":"delete","ref":%d,"room":"club:chess"}`, ada.ref)
	ada.hears("reply", "room_deleted")
	ada.asks("members", inRoom("club:chess"))
	ada.asks("settings", inRoom("club:chess"))
	s.about("a pattern may say what its rooms can be made")
	ada.asks("create", inRoom("cell:ada"), `"permission":"public"`)
	ada.asks("create", inRoom("cell:ada"))
	ada.asks("update", inRoom("cell:ada"), `"permission":"public"`)
	ada.asks("update", inRoom("cell:ada"), `"permission":"private"`)
	ada.asks("update", inRoom("cell:ada"), `"permission":"owner_only"`)
	s.about("nobody's room: the host's own, standing")
	ada.asks("settings", inRoom("staff"))
	ada.asks("settings", inRoom("hall"))
}

func walkModerate(s *transcript) {
	h := serve(s, house())
	ada := s.person("ada", h.connect("ada"))
	bob := s.person("bob", h.connect("bob"))
	ada.asks("create", inRoom("club:chess"), `"permission":"public"`)
	ada.asks("join", inRoom("club:chess"))
	enter := func() {
		bob.asks("join", inRoom("club:chess"))
		ada.hears("user_joined")
	}
	enter()
	s.about("kick: Bob may come back")
	act := func(typ string, more ...string) {
		s.Helper()
		ada.ref++
		ada.says("%s", envelope(ada.ref, typ, append([]string{inRoom("club:chess"), ofUser("bob")}, more...)...))
	}
	act("kick", `"reason":"Cool down."`)
	ada.hears("reply", "user_left")
	bob.hears("removed")
	enter()
	s.about("mute, for a while, for ever, and no more")
	act("mute", `"for_ms":60000`)
	ada.hears("reply")
	bob.asks("message", inRoom("club:chess"), saying(`"Why?"`))
	act("mute")
	ada.hears("reply")
	bob.asks("message", inRoom("club:chess"), saying(`"Why?"`))
	act("unmute")
	ada.hears("reply")
	bob.ref++
	bob.says(`{"type":"message","ref":%d,"room":"club:chess","data":"Thanks."}`, bob.ref)
	bob.hears("reply", "message")
	ada.hears("message")
	s.about("ban, for a while, for ever, and no more")
	act("ban", `"for_ms":60000`, `"reason":"Enough."`)
	ada.hears("reply", "user_left")
	bob.hears("removed")
	bob.asks("join", inRoom("club:chess"))
	act("ban")
	ada.hears("reply")
	bob.asks("join", inRoom("club:chess"))
	act("unban")
	ada.hears("reply")
	enter()
	s.about("invite and uninvite: in a private room that is who stays")
	act("invite")
	ada.hears("reply", "room_updated")
	bob.hears("room_updated")
	ada.ref++
	ada.says(`{"type":"update","ref":%d,"room":"club:chess","permission":"private"}`, ada.ref)
	ada.hears("reply", "room_updated")
	bob.hears("room_updated")
	act("uninvite")
	ada.hears("reply", "room_updated", "user_left")
	bob.isOut()
	s.about("doing it again changes nothing and is no fault")
	for _, typ := range []string{"uninvite", "kick", "unban", "unmute"} {
		act(typ)
		ada.hears("reply")
	}
	s.about("nobody acts on themselves, and members on nobody")
	for _, typ := range []string{"kick", "ban", "mute"} {
		ada.asks(typ, inRoom("club:chess"), ofUser("ada"))
		bob.asks(typ, inRoom("club:chess"), ofUser("ada"))
	}
}

// isOut hears that one is out of a room. What was said before may be lost.
func (p *person) isOut() {
	p.s.Helper()
	for {
		f := p.next()
		if f.Type == "room_updated" {
			continue
		}
		if f.Type != "removed" {
			p.s.Fatalf("%s heard %s, want removed", p.name, f)
		}
		p.wrote(f)
		return
	}
}

func walkCall(s *transcript) {
	h := serve(s, house())
	type move struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
	room.Handle(h.srv, "move", func(ctx context.Context, c *room.Conn, m move) (map[string]string, error) {
		switch m.To {
		case "a9":
			return nil, &room.Error{Code: room.CodeConflict, Message: "There is no such square."}
		case "b9":
			return nil, errors.New("the text of a host's own error is not told")
		case "c9":
			panic("nor is a panic's")
		}
		return map[string]string{"by": c.Identity().ID, "room": room.CallRoom(ctx), "moved": m.From + m.To}, nil
	})
	room.Handle(h.srv, "resign", func(context.Context, *room.Conn, struct{}) (*struct{}, error) { return nil, nil })
	ada := s.person("ada", h.connect("ada"))
	ada.asks("call", `"event":"move"`, saying(`{"from":"e2","to":"e4"}`))
	s.about("without data; the handler returns nothing")
	ada.asks("call", `"event":"resign"`)
	s.about("in a room one is in")
	ada.asks("call", `"event":"move"`, inRoom("hall"), saying(`{}`))
	ada.asks("join", inRoom("hall"))
	ada.asks("call", `"event":"move"`, inRoom("hall"), saying(`{}`))
	s.about("without a ref only what fails is answered")
	ada.says(`{"type":"call","event":"resign"}`)
	ada.says(`{"type":"call","event":"move","data":{"to":"a9"}}`)
	ada.hears("error")
	s.about("what the handler refuses, what fails in it, and what it does not take")
	ada.asks("call", `"event":"move"`, saying(`{"to":"a9"}`))
	ada.asks("call", `"event":"move"`, saying(`{"to":"b9"}`))
	ada.asks("call", `"event":"move"`, saying(`{"to":"c9"}`))
	ada.asks("call", `"event":"move"`, saying(`{"to":9}`))
	ada.asks("call", `"event":"castle"`)
	ada.asks("call", `"event":"ca stle"`)
	ada.asks("call", `"event":"castle"`, inRoom("the hall"))
	ada.asks("call", `"event":"castle"`, inRoom(""))
	ada.asks("call")
}

func walkSession(s *transcript) {
	h := serve(s, house(), room.AllowFirstMessageToken(), limits(func(l *room.Limits) { l.Expiring = time.Hour }))
	s.about("ping")
	ada := s.person("ada", h.connect("ada~name.Ada~exp.30s"))
	ada.asks("ping")
	s.about("a fresher token of the same user")
	ada.asks("auth", `"token":"ada~exp.50m"`)
	ada.asks("auth", `"token":"ada"`)
	s.about("those that are no good leave things as they are")
	for _, token := range []string{"bob", "stale", "bad", "down", "", "a b"} {
		ada.asks("auth", fmt.Sprintf(`"token":%q`, token))
	}
	s.about("the first message authenticates")
	signIn := func() *person {
		c, _, _, _ := h.handshake(upgrade()...)
		return &person{visitor: &visitor{client: c}, s: s, name: "bob"}
	}
	bob := signIn()
	bob.asks("join", inRoom("hall"))
	bob.says(`{"type":"ping"}`)
	bob.hears("error")
	bob.says(`{"type":"auth","ref":2,"token":"bob~exp.50m"}`)
	bob.hears("welcome", "reply")
	bob.bye()
	s.about("a token that is no good, and one that cannot be checked now")
	for _, token := range []string{"bad", "stale", "down"} {
		bob = signIn()
		bob.says(`{"type":"auth","ref":1,"token":%q}`, token)
		bob.hears("reply", "close")
	}
	s.about("the token runs out, after a warning")
	cyd := s.person("cyd", h.connect("cyd~exp.300ms"))
	cyd.hears("expiring", "close")
	s.about("the host sends somebody away")
	if err := h.srv.User("ada").Disconnect(context.Background(), "goodbye"); err != nil {
		s.Fatal(err)
	}
	ada.hears("close")
	s.about("the server drains")
	dan := s.person("dan", h.connect("dan"))
	done := make(chan error, 1)
	go func() { done <- h.srv.Shutdown(context.Background()) }()
	dan.hears("goaway", "close")
	if err := <-done; err != nil {
		s.Error(err)
	}
}

func walkPresence(s *transcript) {
	h := serve(s, house())
	ada := s.person("ada", h.connect("ada~name.Ada"))
	bob := s.person("bob", h.connect("bob"))
	ada.asks("join", inRoom("hall"))
	bob.asks("join", inRoom("hall"))
	ada.hears("user_joined")
	s.about("away, with something about it")
	set := func(members ...string) {
		s.Helper()
		ada.ref++
		ada.says("%s", envelope(ada.ref, "presence", members...))
	}
	set(`"status":"away"`, `"meta":{"note":"lunch <1h"}`)
	ada.hears("reply", "presence_update")
	bob.hears("presence_update")
	bob.asks("members", inRoom("hall"))
	s.about("in one room alone")
	set(`"status":"online"`, inRoom("hall"))
	ada.hears("reply", "presence_update")
	bob.hears("presence_update")
	s.about("invisible: offline to the others, and not among the members")
	set(`"status":"offline"`, inRoom("hall"))
	ada.hears("reply", "presence_update")
	bob.hears("presence_update")
	bob.asks("members", inRoom("hall"))
	ada.asks("members", inRoom("hall"))
	set(`"status":"online"`, inRoom("hall"))
	ada.hears("reply", "presence_update")
	bob.hears("user_joined", "presence_update")
	ada.silent()
	bob.silent()
	s.about("no status, and no object, and no member")
	ada.asks("presence", `"status":"busy"`)
	ada.asks("presence", `"status":"away"`, `"meta":[]`)
	ada.asks("presence", `"status":"away"`, `"meta":{"constructor":1}`)
	ada.asks("presence")
	ada.asks("presence", `"status":"away"`, inRoom("lounge"))
}

func walkFaults(s *transcript) {
	h := serve(s, house(), limits(func(l *room.Limits) { l.RoomsPerConnection = 3 }))
	ada := s.person("ada", h.connect("ada"))
	ada.asks("join", inRoom("hall"))
	h.in("bob", "hall").must("message", inRoom("hall"), saying(`"Bob's"`))
	ada.hears("user_joined", "message")
	wrong := func(frames ...string) {
		for _, f := range frames {
			ada.says("%s", f)
			f := ada.next()
			ada.wrote(f)
			if f.Error == nil {
				s.Errorf("%s is no refusal", f)
			}
		}
	}

	s.about("not JSON, or not an object: no ref counts")
	wrong(`{"type":"ping","ref":1`, ``, `[]`, `"ping"`, `{"type":"ping","ref":1} {}`, `{'type':'ping'}`, `{"type":"ping","ref":01}`)
	s.about("an object, but no envelope")
	wrong(`{}`, `{"ref":1}`, `{"type":7,"ref":1}`, `{"type":"dance","ref":1}`, `{"type":"dance"}`, `{"type":"PING","ref":1}`,
		`{"type":"ping","ref":0}`, `{"type":"ping","ref":-1}`, `{"type":"ping","ref":1.0}`, `{"type":"ping","ref":"1"}`, `{"type":"ping","ref":9007199254740992}`,
		`{"type":"ping","ref":1,"__proto__":{}}`, `{"type":"ping","ref":1,"ref":2}`, `{"type":"ping","type":"ping","ref":1}`, `{"type":"message","ref":1,"room":"hall","data":"\ud800"}`)
	s.about("rooms and events")
	for _, name := range []string{``, `a b`, `{r:1}`, `*`, `a\nb`, "é", strings.Repeat("a", 65)} {
		for _, typ := range []string{"join", "leave", "message", "members", "history", "settings", "create", "update", "delete", "kick"} {
			wrong(fmt.Sprintf(`{"type":%q,"ref":1,"room":"%s","user":"bob","data":1}`, typ, name))
		}
		if name != "" {
			wrong(fmt.Sprintf(`{"type":"message","ref":1,"room":"hall","event":"%s","data":1}`, name))
		}
		wrong(fmt.Sprintf(`{"type":"call","ref":1,"event":"%s"}`, name))
	}
	s.about("fields of another kind, out of range, or missing")
	wrong(`{"type":"join","ref":1,"room":7}`, `{"type":"join","ref":1}`, `{"type":"join","ref":1,"room":"hall","last":-1}`,
		`{"type":"join","ref":1,"room":"hall","since":"start"}`, `{"type":"join","ref":1,"room":"hall","since":{"epoch":"x"}}`, `{"type":"join","ref":1,"room":"hall","since":{"offset":1}}`,
		`{"type":"message","ref":1,"room":"hall"}`, `{"type":"message","ref":1,"room":"hall","data":1,"store":"no"}`, `{"type":"message","ref":1,"room":"hall","data":1,"echo":0}`,
		`{"type":"message","ref":1,"room":"hall","data":1,"event":""}`,
		`{"type":"edit","ref":1,"room":"hall","data":1}`, `{"type":"edit","ref":1,"room":"hall","target":1}`, `{"type":"edit","ref":1,"room":"hall","target":0,"data":1}`,
		`{"type":"redact","ref":1,"room":"hall"}`, `{"type":"history","ref":1,"room":"hall","before":2,"after":1}`, `{"type":"history","ref":1,"room":"hall","limit":"all"}`,
		`{"type":"members","ref":1,"room":"hall","after":1}`, `{"type":"create","ref":1,"room":"club:a","permission":"open"}`, `{"type":"create","ref":1,"room":"club:a","permission":"restricted"}`,
		`{"type":"create","ref":1,"room":"club:a","max_members":0}`, `{"type":"create","ref":1,"room":"club:a","max_members":1001}`,
		`{"type":"create","ref":1,"room":"club:a","roles":["a b"]}`, `{"type":"create","ref":1,"room":"club:a","invited":["a b"]}`, `{"type":"create","ref":1,"room":"club:a","invited":"bob"}`,
		`{"type":"auth","ref":1}`)
	s.about("data that is too much")
	wrong(`{"type":"message","ref":1,"room":"hall","data":"`+strings.Repeat("é", 1001)+`"}`,
		`{"type":"message","ref":1,"room":"hall","data":`+strings.Repeat("[", 11)+strings.Repeat("]", 11)+`}`,
		`{"type":"message","ref":1,"room":"hall","data":[`+strings.Repeat("0,", 1000)+`0]}`,
		`{"type":"message","ref":1,"room":"hall","data":{`+keys(101)+`}}`,
		`{"type":"message","ref":1,"room":"hall","data":{"a":1,"a":2}}`,
		`{"type":"message","ref":1,"room":"hall","data":9007199254740992}`,
		`{"type":"message","ref":1,"room":"hall","data":1,"id":"`+strings.Repeat("k", 65)+`"}`,
		`{"type":"redact","ref":1,"room":"hall","target":1,"reason":"`+strings.Repeat("r", 201)+`"}`,
		`{"type":"kick","ref":1,"room":"club:none","user":"bob","reason":"`+strings.Repeat("r", 201)+`"}`)
	s.about("where one is not, or may not be")
	for _, typ := range []string{"leave", "message", "members", "history", "edit", "redact"} {
		wrong(fmt.Sprintf(`{"type":%q,"ref":1,"room":"lounge","data":1,"target":1}`, typ))
	}
	for _, name := range []string{"vault", "nowhere"} {
		for _, typ := range []string{"join", "settings", "create", "update", "delete", "invite", "uninvite", "kick", "ban", "unban", "mute", "unmute"} {
			wrong(fmt.Sprintf(`{"type":%q,"ref":1,"room":%q,"user":"bob"}`, typ, name))
		}
	}
	s.about("what is Bob's is not Ada's to change, and is told apart from nothing by nobody")
	wrong(`{"type":"edit","ref":1,"room":"hall","target":1,"data":1}`, `{"type":"redact","ref":1,"room":"hall","target":1}`,
		`{"type":"edit","ref":1,"room":"hall","target":99,"data":1}`, `{"type":"redact","ref":1,"room":"hall","target":99}`)
	s.about("a room that is there already, one that is full, and one too many")
	ada.asks("create", inRoom("club:a"))
	wrong(`{"type":"create","ref":1,"room":"club:a"}`, `{"type":"create","ref":1,"room":"hall"}`)
	h.in("cyd", "tiny")
	h.in("dan", "tiny")
	wrong(`{"type":"join","ref":1,"room":"tiny"}`)
	ada.asks("join", inRoom("lounge"))
	ada.asks("join", inRoom("club:a"))
	wrong(`{"type":"join","ref":1,"room":"tiny"}`)
	s.about("binary messages")
	binary := func(message []byte) {
		ada.s.add("client", quoted("ada"), "sends_bytes", quoted(fmt.Sprintf("%x", message)))
		ada.write(opBinary, message)
		ada.hears("error")
	}
	binary(nil)
	binary([]byte{0})
	binary([]byte{0, 9, '{', '}'})
	binary(binaryMessage(`{"type":"ping"}`, nil))
	binary(binaryMessage(`{"type":"message","room":"hall","data":1}`, nil))
	binary(binaryMessage(`{"type":"message","room":"hall"`, nil))
	binary(binaryMessage(`{"type":"message","room":"vault"}`, []byte{1}))

	s.about("too fast")
	slow := serve(s, house(), limits(func(l *room.Limits) { l.Requests = limit.PerMinute(1); l.Joins = limit.PerMinute(1) }))
	eve := s.person("eve", slow.connect("eve"))
	eve.asks("ping")
	eve.asks("ping")
	eve.asks("join", inRoom("hall"))
	eve.asks("join", inRoom("hall"))
	eve.says(`{"type":"ping"}`)
	eve.hears("error")
	ada.silent()
}

// keys are n members of an object.
func keys(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"k%d":0`, i)
	}
	return strings.Join(list, ",")
}
