//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
)

// asChat makes this test's own executable be the command.
const asChat = "BE_THE_CHAT"

func TestMain(m *testing.M) {
	if os.Getenv(asChat) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// patience is for a machine that has other things to do.
const patience = 30 * time.Second

// process is the command, running.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string // as printed

	reading sync.WaitGroup
	out     []string // lines of standard output; complete when reading is done
	log     strings.Builder
}

// start runs the command until it prints its address.
func start(t *testing.T, flags ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: command(t, append([]string{"-addr", "127.0.0.1:0"}, flags...)...)}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make(chan string, 1)
	p.reading.Go(func() {
		defer close(first)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if p.out = append(p.out, lines.Text()); len(p.out) == 1 {
				first <- lines.Text()
			}
		}
	})
	line, ok := <-first
	if !ok {
		_ = p.cmd.Wait()
		t.Fatalf("it printed nothing and said %s", p.log.String())
	}
	i := strings.Index(line, "http://")
	if i < 0 {
		t.Fatalf("no address in %q", line)
	}
	p.address = strings.TrimRight(line[i:], "/ ")
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // what a test has not stopped
	return p
}

func command(t *testing.T, flags ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], flags...)
	cmd.Env = append(os.Environ(), asChat+"=1", "GORACE=atexit_sleep_ms=0") // the race detector likes to linger
	return cmd
}

// stop ends the command as a supervisor would. It must end with 0, with no
// more than its one line printed.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	p.reading.Wait()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("after SIGTERM: %v\n%s", err, p.log.String())
	}
	if len(p.out) != 1 {
		p.t.Errorf("it printed %q, want one line", p.out)
	}
}

// request makes an HTTP request and returns the answer's status and body.
func (p *process) request(method, path, body string) (int, string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, p.address+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// account is what the login answers.
type account struct {
	Token     string `json:"token"`
	User      string `json:"user"`
	Name      string `json:"name"`
	ExpiresAt int64  `json:"expires_at"`
}

func (p *process) login(body string) account {
	p.t.Helper()
	status, text := p.request(http.MethodPost, "/login", body)
	var a account
	if err := json.Unmarshal([]byte(text), &a); err != nil || status != http.StatusOK {
		p.t.Fatalf("login %s: %d %s", body, status, text)
	}
	return a
}

// person is somebody in the chat.
type person struct {
	t    *testing.T
	conn *websocket.Conn
	ref  int
}

type frame struct {
	Type  string `json:"type"`
	Ref   int    `json:"ref"`
	OK    bool   `json:"ok"`
	Error struct {
		Code string `json:"code"`
	} `json:"error"`
	Data   json.RawMessage `json:"data"`
	User   string          `json:"user"`
	Name   string          `json:"name"`
	From   string          `json:"from"`
	Offset int             `json:"offset"`
}

func (p *process) dial(token, origin string) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, p.address+"/ws", &websocket.DialOptions{
		Subprotocols: []string{"wardroom.v1.json", "bearer." + token},
		HTTPHeader:   http.Header{"Origin": {origin}},
		HTTPClient:   &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
	if err != nil {
		if resp != nil {
			return nil, fmt.Errorf("%d", resp.StatusCode)
		}
		return nil, err
	}
	p.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn, nil
}

// tries connects and goes at once.
func (p *process) tries(token, origin string) error {
	p.t.Helper()
	conn, err := p.dial(token, origin)
	if err != nil {
		return err
	}
	return conn.CloseNow()
}

func (p *process) enter(body string) *person {
	p.t.Helper()
	conn, err := p.dial(p.login(body).Token, p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	v := &person{t: p.t, conn: conn}
	if f, err := v.read(); err != nil || f.Type != "welcome" {
		p.t.Fatalf("%+v, %v", f, err)
	}
	return v
}

func (v *person) read() (f frame, err error) {
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	_, data, err := v.conn.Read(ctx)
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	return f, err
}

// expect skips to the next frame of a type.
func (v *person) expect(typ string) frame {
	v.t.Helper()
	for {
		f, err := v.read()
		if err != nil {
			v.t.Fatalf("waiting for %s: %v", typ, err)
		}
		if f.Type == typ {
			return f
		}
	}
}

// request sends a request and returns the code that it is refused with, empty
// for none.
func (v *person) request(typ string, members ...string) string {
	v.t.Helper()
	v.ref++
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	text := fmt.Sprintf(`{"type":%q,"ref":%d%s}`, typ, v.ref, strings.Join(append([]string{""}, members...), ","))
	if err := v.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		v.t.Fatal(err)
	}
	f := v.expect("reply")
	if f.Ref != v.ref || f.OK == (f.Error.Code != "") {
		v.t.Fatalf("%s is answered %+v", text, f)
	}
	return f.Error.Code
}

func TestChat(t *testing.T) {
	p := start(t)
	if status, _ := p.request(http.MethodGet, "/healthz", ""); status != http.StatusOK {
		t.Errorf("GET /healthz: %d", status)
	}
	if status, page := p.request(http.MethodGet, "/", ""); status != http.StatusOK || !strings.Contains(page, "<title>") {
		t.Errorf("GET /: %d %.100s", status, page)
	}
	if status, script := p.request(http.MethodGet, "/js/wardroom.js", ""); status != http.StatusOK || !strings.Contains(script, "export") {
		t.Errorf("GET /js/wardroom.js: %d %.100s", status, script)
	}

	ada, bob := p.enter(`{"name":"Ada"}`), p.enter(`{"name":"Bob"}`)
	if code := ada.request("join", `"room":"lobby"`); code != "" {
		t.Fatalf("join: %s", code)
	}
	if code := bob.request("join", `"room":"lobby"`); code != "" {
		t.Fatalf("join: %s", code)
	}
	if f := ada.expect("user_joined"); f.User != "bob" || f.Name != "Bob" {
		t.Errorf("got %+v", f)
	}
	if code := bob.request("message", `"room":"lobby"`, `"data":"Hello, Ada!"`); code != "" {
		t.Errorf("message: %s", code)
	}
	if f := ada.expect("message"); f.From != "bob" || string(f.Data) != `"Hello, Ada!"` || f.Offset != 1 {
		t.Errorf("got %+v", f)
	}

	// SIGTERM says goodbye to those who are there.
	var leaving sync.WaitGroup
	for _, v := range []*person{ada, bob} {
		leaving.Go(func() {
			v.expect("goaway")
			for {
				if _, err := v.read(); err != nil {
					if websocket.CloseStatus(err) != 4200 {
						t.Errorf("closed with %v", err)
					}
					return
				}
			}
		})
	}
	p.stop()
	leaving.Wait()
}

// The rooms are those of docs/PROTOCOL.md, "The reference server".
func TestRooms(t *testing.T) {
	p := start(t)
	ada, bob, cyd := p.enter(`{"name":"Ada","roles":["staff"]}`), p.enter(`{"name":"Bob"}`), p.enter(`{"name":"Cyd","roles":[]}`)
	for _, step := range []struct {
		who  *person
		typ  string
		room string
		code string
	}{
		{ada, "join", "staff", ""},
		{bob, "join", "staff", "forbidden"},
		{ada, "create", "team:red", ""},
		{ada, "join", "team:red", ""},
		{bob, "join", "team:red", "forbidden"},
		{bob, "join", "team:blue", "forbidden"},
		{bob, "create", "team:red", "already_exists"},
		{bob, "create", "office:bob", ""},
		{bob, "join", "office:bob", ""},
		{ada, "join", "office:bob", "forbidden"},
		{ada, "join", "tiny", ""},
		{bob, "join", "tiny", ""},
		{cyd, "join", "tiny", "room_full"},
		{cyd, "join", "fast", ""},
		{cyd, "create", "hall", "forbidden"},
		{cyd, "join", "hall", "forbidden"},
	} {
		if code := step.who.request(step.typ, fmt.Sprintf(`"room":%q`, step.room)); code != step.code {
			t.Errorf("%s %s: %q, want %q", step.typ, step.room, code, step.code)
		}
	}
	for _, typ := range []string{"create", "update"} { // an office stays its owner's
		if code := bob.request(typ, `"room":"office:bob"`, `"permission":"public"`); code == "" {
			t.Errorf("%s makes an office public", typ)
		}
	}
	for _, v := range []*person{ada, bob, cyd} {
		_ = v.conn.CloseNow() // or the drain would wait for its answer
	}
	p.stop()
}

func TestLogin(t *testing.T) {
	p := start(t)
	a := p.login(`{"name":"Ada Lovelace","roles":["staff"]}`)
	if a.User == "" || a.Name != "Ada Lovelace" || time.Until(time.UnixMilli(a.ExpiresAt)) < time.Minute {
		t.Errorf("login: %+v", a)
	}
	parts := strings.Split(a.Token, ".")
	if len(parts) != 3 {
		t.Fatalf("token %q", a.Token)
	}
	read := func(part string) map[string]any {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		m := make(map[string]any)
		if err := errors.Join(err, json.Unmarshal(raw, &m)); err != nil {
			t.Fatalf("%q: %v", part, err)
		}
		return m
	}
	if header := read(parts[0]); header["alg"] != "HS256" {
		t.Errorf("header %v", header)
	}
	claims := read(parts[1])
	audience := fmt.Sprint(claims["aud"])
	if claims["iss"] != "wardroom-chat" || strings.Trim(audience, "[]") != "wardroom-chat" || claims["sub"] != a.User || claims["name"] != a.Name ||
		fmt.Sprint(claims["roles"]) != "[staff]" || claims["exp"] == nil {
		t.Errorf("claims %v", claims)
	}
	// The same name is the same user, another is another.
	if again := p.login(`{"name":"Ada Lovelace"}`); again.User != a.User {
		t.Errorf("again: %q, want %q", again.User, a.User)
	}
	for _, name := range []string{"Ada", "Adá Lovelace", "艾达", "艾丽"} {
		if other := p.login(fmt.Sprintf(`{"name":%q}`, name)); other.User == a.User || other.User == "" {
			t.Errorf("%s is %q", name, other.User)
		}
	}
	if p.login(`{"name":"艾达"}`).User == p.login(`{"name":"艾丽"}`).User {
		t.Error("two names in another script are one user")
	}
	for _, body := range []string{``, `{}`, `[]`, `{"name":""}`, `{"name":7}`, `{"name":"` + strings.Repeat("a", 65) + `"}`, `{"name":"` + strings.Repeat("a", 5000) + `"}`} {
		if status, text := p.request(http.MethodPost, "/login", body); status != http.StatusBadRequest || !strings.Contains(text, "bad_request") {
			t.Errorf("login %.40s: %d %s", body, status, text)
		}
	}
	p.stop()
}

// Who may connect: good tokens from pages of our own, or of the origins that
// the flag names; and tokens outlive a restart that keeps the key.
func TestFlags(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	p := start(t, "-secret", secret, "-origins", "https://chat.example,https://*.apps.example", "-log", "json", "-level", "warn")
	token := p.login(`{"name":"Ada"}`).Token
	for origin, want := range map[string]string{
		"https://chat.example": "", "https://a.apps.example": "", "https://evil.example": "403", "https://a.b.apps.example": "403",
	} {
		if err := p.tries(token, origin); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v, want %q", origin, err, want)
		}
	}
	p.stop()
	for line := range strings.Lines(p.log.String()) {
		var record struct {
			Level string `json:"level"`
			Msg   string `json:"msg"`
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Msg == "" || record.Level == "INFO" {
			t.Errorf("logged %q, %v", line, err)
		}
	}
	if !strings.Contains(p.log.String(), "demo") {
		t.Error("the log does not say that the login is a demo")
	}

	p = start(t, "-secret", secret)
	if err := p.tries(token, p.address); err != nil {
		t.Errorf("after a restart with the same key: %v", err)
	}
	if err := p.tries(token, "https://chat.example"); err == nil || err.Error() != "403" {
		t.Errorf("a page of elsewhere: %v", err)
	}
	p.stop()

	p = start(t)
	if err := p.tries(token, p.address); err == nil || err.Error() != "401" {
		t.Errorf("after a restart with another key: %v", err)
	}
	p.stop()
}

// Without -origins only pages of the address itself may connect, by the name
// that -addr gives it and by the one that is printed.
func TestOwnAddress(t *testing.T) {
	for given, also := range map[string]bool{"127.0.0.1:0": false, "localhost:0": true, "0.0.0.0:0": true} {
		p := start(t, "-addr", given)
		_, port, _ := strings.Cut(strings.TrimPrefix(p.address, "http://"), ":")
		port = port[strings.LastIndex(port, ":")+1:]
		loopback := "http://127.0.0.1:" + port
		printed := p.address
		p.address = loopback
		token := p.login(`{"name":"Ada"}`).Token
		if err := p.tries(token, printed); err != nil {
			t.Errorf("%s: the printed %s: %v", given, printed, err)
		}
		if err := p.tries(token, "http://localhost:"+port); (err == nil) != also {
			t.Errorf("%s: localhost: %v", given, err)
		}
		for _, other := range []string{"https://127.0.0.1:" + port, "http://127.0.0.1", "http://127.0.0.2:" + port, "http://localhost"} {
			if err := p.tries(token, other); err == nil || err.Error() != "403" {
				t.Errorf("%s: %s: %v", given, other, err)
			}
		}
		p.stop()
	}
}

// What is wrong with a flag is said, and nothing is served.
func TestBadFlags(t *testing.T) {
	for name, flags := range map[string][]string{
		"log":     {"-log", "xml"},
		"level":   {"-level", "loud"},
		"address": {"-addr", "nowhere:at:all"},
		"secret":  {"-addr", "127.0.0.1:0", "-secret", "short"},
		"origin":  {"-addr", "127.0.0.1:0", "-origins", "chat.example"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, flags...)
			var out, log strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &log
			err := cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("ended with %v", err)
			}
			if out.Len() > 0 || !strings.HasPrefix(log.String(), "chat: ") {
				t.Errorf("printed %q and said %q", out.String(), log.String())
			}
		})
	}
}
