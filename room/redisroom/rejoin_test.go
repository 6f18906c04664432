package redisroom_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
	"github.com/wardroom/wardroom/room/roomtest"
)

// site is some servers on one Redis.
type site struct {
	t     *testing.T
	redis *redistest.Server
}

// station is one of them.
type station struct {
	*roomtest.Server
	broker *redisroom.Broker
}

func (s *site) serve() *station {
	client := s.redis.Client()
	b := node(s.t, client, patient())
	return &station{roomtest.NewServer(s.t, room.WithBroker(b), room.WithStore(redisroom.NewStore(client, patient())),
		room.WithRooms("hall", room.Settings{Permission: room.Public, History: room.Keep(1000, time.Hour)})), b}
}

// well waits until a server's calls succeed again. It asks for nothing of the
// room that the test is about.
func (s *station) well(t *testing.T) {
	t.Helper()
	eventually(t, "servers that are well", func() error {
		if err := s.broker.Health(); err != nil {
			return err
		}
		if _, err := s.broker.Replay(context.Background(), "no room", room.Range{Limit: 1}); err != nil {
			return err
		}
		_, _, err := s.Room("hall").Members(context.Background(), "", 1)
		return err
	})
}

// say publishes data until that succeeds.
func (s *station) say(t *testing.T, data string) (r room.Receipt) {
	t.Helper()
	eventually(t, "publish", func() (err error) {
		r, err = s.Room("hall").Publish(context.Background(), "message", data)
		return err
	})
	return r
}

// guest is a client that knows how far it has come.
type guest struct {
	*roomtest.Client
	t    *testing.T
	name string
	at   room.Position
}

func (s *station) guest(t *testing.T, name string) *guest {
	g := &guest{t: t, name: name}
	g.connect(s)
	g.at = g.Join("hall").Position()
	return g
}

func (g *guest) connect(s *station) {
	g.Client = s.Connect(g.t, g.name, roomtest.OverTCP(), roomtest.WithPatience(patience))
}

// hear expects messages that come by themselves.
func (g *guest) hear(data ...string) {
	g.t.Helper()
	for _, d := range data {
		f := g.ExpectMessage("hall", d)
		if f.Offset != g.at.Offset+1 {
			g.t.Errorf("%s: %q is at %+v, after %+v", g.name, d, f.Position(), g.at)
		}
		g.at = f.Position()
	}
}

// rejoin connects anew and comes back, when the server is ready for that.
func (g *guest) rejoin(s *station) *roomtest.Joined {
	g.t.Helper()
	g.connect(s)
	j := new(roomtest.Joined)
	eventually(g.t, "rejoin", func() error {
		g.Request("join", roomtest.Fields{"room": "hall", "since": roomtest.Fields{"epoch": g.at.Epoch, "offset": g.at.Offset}})
		f := g.Await("the reply", func(f *roomtest.Frame) bool { return f.Type == "reply" })
		if !f.OK && f.Fault.Code == room.CodeUnavailable {
			return fmt.Errorf("%v", f)
		}
		return f.Decode(j)
	})
	return j
}

// back connects anew and expects to have missed exactly these.
func (g *guest) back(s *station, missed ...string) {
	g.t.Helper()
	j := g.rejoin(s)
	if !j.Recovered || len(j.Messages) != len(missed) {
		g.t.Errorf("%s: since %+v: recovered %v, now at %+v with %d messages, want %d", g.name, g.at, j.Recovered, j.Position(), len(j.Messages), len(missed))
	}
	for i, m := range j.Messages {
		data := m.Type
		if data != "message_redacted" {
			if err := json.Unmarshal(m.Data, &data); err != nil {
				g.t.Error(err)
			}
		}
		g.at.Offset++
		if i < len(missed) && data != missed[i] || m.Position() != (room.Position{Epoch: j.Epoch, Offset: g.at.Offset}) {
			g.t.Errorf("%s: number %d that was missed is %q at %+v, want %q at %d of %s", g.name, i, data, m.Position(), missed, g.at.Offset, j.Epoch)
		}
	}
	if j.Offset != g.at.Offset {
		g.t.Errorf("%s: the reply is at %+v, its messages end at %d", g.name, j.Position(), g.at.Offset)
	}
	g.at = j.Position()
}

// alone expects that nothing but comings and goings came besides.
func (g *guest) alone() {
	g.t.Helper()
	for _, f := range g.Discard() {
		if f.Type != "user_joined" && f.Type != "user_left" {
			g.t.Errorf("%s: besides came %v", g.name, f)
		}
	}
}

// Who comes back after Redis was restarted has missed what was said meanwhile
// and nothing else, on a server that stayed with the room, on one that did not
// and on a new one, whether or not something was said since.
func TestRejoinAfterRestart(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"speaks", "rejoins"} {
		t.Run("who comes first "+first, func(t *testing.T) {
			t.Parallel()
			s := &site{t, redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")}
			one, two := s.serve(), s.serve()
			ada, bob, cyd, dan, eve := one.guest(t, "ada"), one.guest(t, "bob"), two.guest(t, "cyd"), one.guest(t, "dan"), two.guest(t, "eve")
			all := []*guest{ada, bob, cyd, dan, eve}
			one.say(t, "1")
			slip := one.say(t, "2")
			for _, g := range all {
				g.hear("1", "2")
			}
			for _, g := range all[1:] {
				g.alone()
				g.Disconnect()
			}
			two.say(t, "3")
			ada.hear("3")
			ada.Request("edit", roomtest.Fields{"room": "hall", "target": ada.Send("hall", "slip").Offset, "data": "4, edited"}).ExpectOK()
			ada.hear("slip")
			ada.at = ada.Expect("message_edited", "hall").Position()
			if err := one.redact(slip); err != nil {
				t.Fatal(err)
			}
			ada.at = ada.Expect("message_redacted", "hall").Position()
			missed := []string{"3", "4, edited", "4, edited", "message_redacted"}
			epoch := ada.at.Epoch

			s.redis.Kill()
			s.redis.Restart()
			three := s.serve()
			for _, srv := range []*station{one, two, three} {
				srv.well(t)
			}
			if first == "speaks" {
				three.say(t, "5")
				missed = append(missed, "5")
				ada.hear("5")
			}
			bob.back(one, missed...)
			cyd.back(two, missed...)
			dan.back(three, missed...)
			eve.back(one, missed...)
			for _, g := range all[1:] {
				if g.at.Epoch == epoch {
					t.Errorf("%s: the epoch is still %s: the test shows nothing", g.name, epoch)
				}
			}
			one.say(t, "6")
			for _, g := range all {
				g.hear("6")
				g.alone()
			}

			// And once more, in both epochs.
			eve.Disconnect()
			two.say(t, "7")
			eve.back(three, "7")
			dan.Disconnect()
			s.redis.Kill()
			s.redis.Restart()
			for _, srv := range []*station{one, two, three} {
				srv.well(t)
			}
			dan.back(two, "7")
			bob.hear("7")
			bob.Disconnect()
			bob.back(one)
			three.say(t, "8")
			for _, g := range []*guest{bob, dan, eve} {
				g.hear("8")
				g.alone()
			}
		})
	}
}

// redact takes back what the host said.
func (s *station) redact(r room.Receipt) error {
	m := room.Message{Kind: room.KindRedacted, Room: "hall", Target: r.Offset, At: time.UnixMilli(time.Now().UnixMilli())}
	_, err := s.broker.Amend(context.Background(), m, "", room.Keep(1000, time.Hour))
	return err
}

// Who has seen what Redis lost is told so; who has not has missed nothing, also
// on a server that has heard what is lost.
func TestRejoinAfterLoss(t *testing.T) {
	t.Parallel()
	for round := range 3 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			s := &site{t, redistest.Start(t)}
			one := s.serve()
			ada, bob, cyd := one.guest(t, "ada"), one.guest(t, "bob"), one.guest(t, "cyd")
			one.say(t, "1")
			for _, g := range []*guest{ada, bob, cyd} {
				g.hear("1")
			}
			bob.Disconnect()
			one.say(t, "2")
			s.redis.Do("SAVE")
			one.say(t, "lost")
			cyd.hear("2", "lost")
			cyd.alone()
			cyd.Disconnect()
			s.redis.Kill()
			s.redis.Restart()
			if round > 0 {
				one.well(t)
			}
			missed := []string{"2"}
			if round > 1 {
				one.say(t, "3")
				missed = append(missed, "3")
			}
			eventually(t, "health", one.broker.Health)
			bob.back(one, missed...)
			j := cyd.rejoin(one)
			if j.Recovered || j.Epoch == cyd.at.Epoch || len(j.Messages) != len(missed)+1 {
				t.Errorf("who has seen what is lost is told %+v", j)
			}
			cyd.at = j.Position()
			one.say(t, "4")
			bob.hear("4")
			cyd.hear("4")
			bob.alone()
			cyd.alone()
		})
	}
}
