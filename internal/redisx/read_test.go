package redisx

import (
	"testing"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
)

// What rueidis may repeat by itself stays what it is when it was answered: a
// connection that broke may be about to write it.
func TestRepeatedCommandsAreKept(t *testing.T) {
	client := redistest.Start(t).Client()
	ctx := t.Context()
	if err := Do(ctx, client, client.B().Hset().Key("k").FieldValue().FieldValue("f", "v").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string]rueidis.Completed{
		"Read":      Read(client, "HGET", "k", "f"),
		"read-only": client.B().Hget().Key("k").Field("f").Build(),
	} {
		for _, do := range []func() rueidis.RedisResult{
			func() rueidis.RedisResult { return Do(ctx, client, command) },
			func() rueidis.RedisResult { return DoMulti(ctx, client, command)[0] },
		} {
			for range 3 {
				if got, err := do().ToString(); got != "v" || err != nil {
					t.Fatalf("%s: %q, %v", name, got, err)
				}
				for range 3 { // they would take its memory
					Do(ctx, client, client.B().Get().Key("other").Build())
				}
			}
		}
	}
	// Where Read is used without Do.
	command := Read(client, "HGET", "k", "f")
	for range 3 {
		if got, err := client.Do(ctx, command).ToString(); got != "v" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
}
