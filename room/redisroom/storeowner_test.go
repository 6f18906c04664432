package redisroom_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
)

// What calls leave behind that were cut off half way counts nothing, and goes
// when it is old; what may still be on its way stays.
func TestClaimsLeftBehind(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := redisroom.NewStore(server.Client(), patient())
	const key = "wardroom:{ro:ada}"
	if _, err := s.Create(t.Context(), room.Record{Room: "hers", Owner: "ada"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), room.Record{Room: "his", Owner: "bob"}); err != nil {
		t.Fatal(err)
	}
	for i, room := range []string{"hers", "his", "none", "a b"} {
		for j, age := range []time.Duration{time.Minute, 2 * time.Hour} {
			claim := fmt.Sprintf("%013x TOKEN%d%d %s", time.Now().Add(-age).UnixMilli(), i, j, room)
			server.Do("ZADD", key, "0", claim)
		}
	}
	server.Do("ZADD", key, "0", "of no known form")
	for range 2 {
		if n, err := s.Owned(t.Context(), "ada"); err != nil || n != 1 {
			t.Errorf("ada owns %d rooms, %v", n, err)
		}
	}
	if left := server.Do("ZCARD", key); left != "5" { // the true one, and four from a minute ago
		t.Errorf("%s claims are left", left)
	}
	for range 600 { // more than are looked at in one round trip
		if _, err := s.Create(t.Context(), room.Record{Room: "his", Owner: "ada"}); err == nil {
			t.Fatal("created twice")
		}
	}
	if left := server.Do("ZCARD", key); left != "5" {
		t.Errorf("%s claims are left by creations that failed", left)
	}
	for i := range 600 {
		if _, err := s.Create(t.Context(), room.Record{Room: fmt.Sprint("many", i), Owner: "ada"}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.Owned(t.Context(), "ada"); err != nil || n != 601 {
		t.Errorf("ada owns %d rooms, %v", n, err)
	}
}

// dropping is a client whose answers get lost after a script has run.
type dropping struct {
	rueidis.Client
	drop bool
}

func (d *dropping) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	name := command.Commands()[0]
	reply := d.Client.Do(ctx, command)
	if d.drop && name == "EVALSHA" {
		over, cancel := context.WithCancel(ctx)
		cancel()
		return d.Client.Do(over, d.B().Ping().Build())
	}
	return reply
}

// A record whose creation was not answered counts like any other.
func TestOwnedAfterALostAnswer(t *testing.T) {
	t.Parallel()
	d := &dropping{Client: redistest.Start(t).Client()}
	s := redisroom.NewStore(d, patient())
	for _, try := range attempts(s) { // so that the scripts are known
		_ = try(t.Context())
	}
	_ = s.Delete(t.Context(), "new")
	if _, err := s.Create(t.Context(), room.Record{Room: "first", Owner: "ada"}); err != nil {
		t.Fatal(err)
	}
	d.drop = true
	if _, err := s.Create(t.Context(), room.Record{Room: "second", Owner: "ada"}); err == nil {
		t.Fatal("no error")
	}
	rec := room.Record{Room: "first", Owner: "bob", Version: 1}
	if _, err := s.Update(t.Context(), rec); err == nil {
		t.Fatal("no error")
	}
	d.drop = false
	if rec, err := s.Update(t.Context(), rec); err != nil || rec.Version != 2 {
		t.Fatalf("%+v, %v", rec, err) // the one before had only asked for a claim
	}
	for user, want := range map[string]int{"ada": 1, "bob": 1} {
		if n, err := s.Owned(t.Context(), user); err != nil || n != want {
			t.Errorf("%s owns %d rooms, %v, want %d", user, n, err, want)
		}
	}
	d.drop = true
	_ = s.Delete(t.Context(), "second")
	d.drop = false
	if n, err := s.Owned(t.Context(), "ada"); err != nil || n != 0 {
		t.Errorf("ada owns %d rooms, %v", n, err)
	}
}
