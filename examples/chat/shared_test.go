//go:build unix

package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
)

const sameSecret = "0123456789abcdef0123456789abcdef"

// until waits for what has to happen.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not in %v", what, patience)
		}
	}
}

// joins joins a room, as soon as that is possible.
func (v *person) joins(room string) {
	v.t.Helper()
	until(v.t, "join "+room, func() bool {
		code := v.request("join", `"room":"`+room+`"`)
		if code != "" && code != "unavailable" && code != "timeout" {
			v.t.Fatalf("join: %s", code)
		}
		return code == ""
	})
}

// says says something, again until it is acknowledged.
func (v *person) says(room, text string) {
	v.t.Helper()
	until(v.t, "say "+text, func() bool {
		code := v.request("message", `"room":"`+room+`"`, `"data":"`+text+`"`, `"id":"`+text+`"`)
		if code != "" && code != "unavailable" && code != "timeout" {
			v.t.Fatalf("message: %s", code)
		}
		return code == ""
	})
}

// hears skips to what somebody says.
func (v *person) hears(from, text string) {
	v.t.Helper()
	for {
		if f := v.expect("message"); f.From == from && string(f.Data) == `"`+text+`"` {
			return
		}
	}
}

// Two processes on one Redis are one chat, and outlast a Redis that is killed
// and comes back with nothing.
func TestTwoProcesses(t *testing.T) {
	redis := redistest.Start(t)
	flags := []string{"-redis", redis.URL(), "-secret", sameSecret}
	one, two := start(t, flags...), start(t, flags...)
	ada := one.enter(`{"name":"Ada"}`)
	ada.joins("lobby")
	// A token of one process is good on the other.
	conn, err := two.dial(one.login(`{"name":"Bob"}`).Token, two.address)
	if err != nil {
		t.Fatal(err)
	}
	bob := &person{t: t, conn: conn}
	bob.joins("lobby")
	if f := ada.expect("user_joined"); f.User != "bob" {
		t.Errorf("got %+v", f)
	}
	ada.says("lobby", "from one")
	bob.hears("ada", "from one")
	bob.says("lobby", "from two")
	ada.hears("bob", "from two")
	// tiny has two places, wherever they are taken.
	cyd := two.enter(`{"name":"Cyd"}`)
	ada.joins("tiny")
	bob.joins("tiny")
	if code := cyd.request("join", `"room":"tiny"`); code != "room_full" {
		t.Errorf("a third one in tiny: %q", code)
	}
	// What one has created the other knows.
	if code := ada.request("create", `"room":"team:red"`); code != "" {
		t.Errorf("create: %s", code)
	}
	if code := bob.request("create", `"room":"team:red"`); code != "already_exists" {
		t.Errorf("create again, elsewhere: %q", code)
	}

	redis.Kill()
	if code := ada.request("message", `"room":"lobby"`, `"data":"lost"`); code != "unavailable" {
		t.Errorf("a message without Redis: %q", code)
	}
	if status, _ := one.request(http.MethodGet, "/healthz", ""); status != http.StatusOK {
		t.Errorf("GET /healthz without Redis: %d", status)
	}
	if err := two.tries(two.login(`{"name":"Eve"}`).Token, two.address); err == nil || err.Error() != "503" {
		t.Errorf("who comes while Redis is away: %v, want 503", err)
	}
	redis.Restart()
	ada.says("lobby", "again")
	bob.hears("ada", "again")
	bob.says("lobby", "and back")
	ada.hears("bob", "and back")
	until(t, "somebody comes in", func() bool { return two.tries(two.login(`{"name":"Eve"}`).Token, two.address) == nil })
	for _, v := range []*person{ada, bob, cyd} {
		_ = v.conn.CloseNow()
	}
	one.stop()
	two.stop()
	if log := one.log.String(); strings.Contains(log, "panic") {
		t.Errorf("one panicked:\n%s", log)
	}
}

// The server starts before Redis does, and refuses clients until then.
func TestRedisNotUpYet(t *testing.T) {
	redis := redistest.Start(t)
	redis.Kill()
	p := start(t, "-redis", redis.URL(), "-secret", sameSecret)
	if status, _ := p.request(http.MethodGet, "/healthz", ""); status != http.StatusOK {
		t.Errorf("GET /healthz: %d", status)
	}
	token := p.login(`{"name":"Ada"}`).Token
	if err := p.tries(token, p.address); err == nil || err.Error() != "503" {
		t.Errorf("before Redis is up: %v, want 503", err)
	}
	redis.Restart()
	until(t, "Redis is found", func() bool { return p.tries(token, p.address) == nil })
	ada := p.enter(`{"name":"Ada"}`)
	ada.joins("lobby")
	ada.says("lobby", "hello")
	// It ends as it should when Redis is away again.
	redis.Kill()
	_ = ada.conn.CloseNow()
	p.stop()
}

func TestBadRedis(t *testing.T) {
	cmd := command(t, "-addr", "127.0.0.1:0", "-redis", "http://:hunter2@nowhere")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.HasPrefix(string(out), "chat: -redis: ") || strings.Contains(string(out), "hunter2") {
		t.Errorf("%v: %s", err, out)
	}
}
