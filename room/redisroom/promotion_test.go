package redisroom_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/presence/redispresence"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
	"github.com/wardroom/wardroom/room/roomtest"
)

// Sentinels promote a replica that has not got who came, went and changed last.
// Nobody says a word, one room keeps no history, and leases and sweeps are those
// of the defaults: who is in a room, for its members on every server and for the
// store, is right soon after.
func TestPromotionLosesWhoIsThere(t *testing.T) {
	t.Parallel()
	redis := redistest.StartSentinel(t)
	limits := room.DefaultLimits()
	limits.Grace = 100 * time.Millisecond
	limits.ConnectsPerIP.Events, limits.Requests = 1000, limit.Rate{}
	var servers [2]*roomtest.Server
	for i := range servers {
		client := redis.Client()
		broker := redisroom.NewBroker(client, patient())
		t.Cleanup(broker.Close)
		servers[i] = roomtest.NewServer(t,
			room.WithLimits(limits), room.WithNode(fmt.Sprint("node", i)), room.WithBroker(broker),
			room.WithStore(redisroom.NewStore(client, patient())), room.WithPresence(redispresence.New(client, redispresence.WithTimeout(2*time.Second))),
			room.WithRooms("hall", room.Settings{Permission: room.Public, History: room.Keep(100, time.Hour)}),
			room.WithRooms("lounge", room.Settings{Permission: room.Public}),
		)
	}
	store := redisroom.NewStore(redis.Client(), patient())
	// listed is who a member is told is there, and held who has a place.
	ref := 1_000_000
	listed := func(c *roomtest.Client, name string) string {
		ref++
		c.Write(fmt.Sprintf(`{"type":"members","ref":%d,"room":%q}`, ref, name))
		f := c.Await("the members", func(f *roomtest.Frame) bool { return f.Type == "reply" && f.Ref == int64(ref) })
		if !f.OK {
			return string(f.Fault.Code)
		}
		var page struct {
			Members []roomtest.Member `json:"members"`
		}
		if err := f.Decode(&page); err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, m := range page.Members {
			list = append(list, fmt.Sprint(m.User, " ", m.Status))
		}
		return strings.Join(list, ", ")
	}
	held := func(name string) string {
		list, _, err := store.Members(t.Context(), name, "", 100)
		if err != nil {
			return err.Error()
		}
		var users []string
		for _, m := range list {
			users = append(users, m.User)
		}
		return strings.Join(users, ", ")
	}
	ada, bob, cyd, dan := servers[0].Connect(t, "ada"), servers[0].Connect(t, "bob"), servers[1].Connect(t, "cyd"), servers[1].Connect(t, "dan")
	for _, name := range []string{"hall", "lounge"} {
		for _, c := range []*roomtest.Client{ada, bob, cyd, dan} {
			c.Join(name)
		}
	}
	redis.Replicated()
	was := redis.Primary()
	was.Strand()
	ada.Close()
	dan.Leave("lounge")
	bob.Request("presence", roomtest.Fields{"status": "away"}).ExpectOK()
	eve := servers[1].Connect(t, "eve")
	for _, name := range []string{"hall", "lounge"} {
		eve.Join(name)
	}
	want := map[string][2]string{
		"hall":   {"bob away, cyd online, dan online, eve online", "bob, cyd, dan, eve"},
		"lounge": {"bob away, cyd online, eve online", "bob, cyd, eve"},
	}
	agree := func(what string) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			var wrong []string
			for name, w := range want {
				for user, c := range map[string]*roomtest.Client{"bob": bob, "eve": eve} {
					if got := listed(c, name); got != w[0] {
						wrong = append(wrong, fmt.Sprintf("%s is told that in %s are %s, want %s", user, name, got, w[0]))
					}
				}
				if got := held(name); got != w[1] {
					wrong = append(wrong, fmt.Sprintf("in %s are %s, want %s", name, got, w[1]))
				}
			}
			if wrong == nil {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %s", what, strings.Join(wrong, "\n"))
			}
		}
	}
	agree("before")
	for _, replica := range redis.Servers {
		key := "wardroom:{pr:hall}:entries"
		if replica != was && (replica.Do("HEXISTS", key, "ada") != "1" || replica.Do("HEXISTS", key, "eve") != "0") {
			t.Fatal("a replica has got it")
		}
	}
	was.Kill()
	redis.Promoted(was)
	promoted := time.Now()
	agree("after the promotion")
	t.Logf("it took %v", time.Since(promoted))
	time.Sleep(time.Second)
	agree("later")
}
