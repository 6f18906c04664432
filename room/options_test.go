package room_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/validate"
)

func letIn(context.Context, *room.Conn, string) error { return nil }

// What is wrong with an option is said by New, with what to write instead.
func TestOptionErrors(t *testing.T) {
	who := room.WithAuthenticator(auth.AuthenticatorFunc(gate))
	lobby := room.WithRooms("lobby", room.Settings{Permission: room.Public})
	with := func(opts ...room.Option) []room.Option { return append([]room.Option{who, lobby}, opts...) }
	limited := func(change func(*room.Limits)) []room.Option {
		l := room.DefaultLimits()
		change(&l)
		return with(room.WithLimits(l))
	}
	rooms := func(pattern string, s room.Settings) []room.Option {
		return []room.Option{who, room.WithRooms(pattern, s)}
	}
	for name, tt := range map[string]struct {
		opts []room.Option
		say  []string // parts of the error
	}{
		"nothing":                 {nil, []string{"WithAuthenticator", "jwtauth.Authenticator"}},
		"no rooms":                {[]room.Option{who}, []string{"no rooms", `WithRooms("lobby"`}},
		"no authenticator":        {[]room.Option{lobby}, []string{"use WithAuthenticator"}},
		"nil authenticator":       {[]room.Option{lobby, room.WithAuthenticator(nil)}, []string{"WithAuthenticator(nil)", "jwtauth.Authenticator"}},
		"nil store":               {with(room.WithStore(nil)), []string{"WithStore(nil)", "leave it out"}},
		"nil broker":              {with(room.WithBroker(nil)), []string{"WithBroker(nil)", "leave it out"}},
		"nil limiter":             {with(room.WithLimiter(nil)), []string{"WithLimiter(nil)", "leave it out"}},
		"nil sessions":            {with(room.WithSessions(nil)), []string{"WithSessions(nil)", "leave it out"}},
		"nil presence":            {with(room.WithPresence(nil)), []string{"WithPresence(nil)", "leave it out"}},
		"nil logger":              {with(room.WithLogger(nil)), []string{"WithLogger(nil)", "slog.DiscardHandler"}},
		"nil option":              {with(nil), []string{"option 3 is nil", "leave it out"}},
		"nil option among others": {with(room.Options(nil)), []string{"option 1 is nil"}},
		"no cookie":               {with(room.WithCookie("")), []string{"WithCookie", `""`, "__Host-session"}},
		"cookie":                  {with(room.WithCookie("my session")), []string{"WithCookie", `"my session"`, "__Host-session"}},
		"nil hook":                {with(room.OnMessage(nil)), []string{"OnMessage(nil)", "leave it out"}},
		"hook twice":              {with(room.OnJoin(letIn), room.OnJoin(letIn)), []string{"OnJoin is given twice", "in one"}},
		"origin and any":          {with(room.WithOrigins("https://a.example"), room.InsecureAnyOrigin()), []string{"WithOrigins and InsecureAnyOrigin", "use one"}},
		"required and any":        {with(room.RequireOrigin(), room.InsecureAnyOrigin()), []string{"RequireOrigin and InsecureAnyOrigin", "use one"}},
		"origin with a path":      {with(room.WithOrigins("https://a.example/chat")), []string{"WithOrigins", "https://a.example"}},
		"origin without a scheme": {with(room.WithOrigins("a.example")), []string{"WithOrigins", "https:// in front"}},
		"origin for everyone":     {with(room.WithOrigins("*")), []string{"WithOrigins"}},
		"origin near the end":     {with(room.WithOrigins("https://*.com")), []string{"WithOrigins", "https://*.example.com"}},
		"proxy":                   {with(room.WithTrustedProxies("10.0.0.1/8")), []string{"WithTrustedProxies", "10.0.0.0/8"}},
		"every proxy":             {with(room.WithTrustedProxies("0.0.0.0/0")), []string{"WithTrustedProxies", "every address"}},
		"no address":              {with(room.WithTrustedProxies("proxy.example")), []string{"WithTrustedProxies", `"proxy.example"`, "10.0.0.7", "not looked up"}},
		"no prefix":               {with(room.WithTrustedProxies("10.0.0.0/33")), []string{"WithTrustedProxies", `"10.0.0.0/33"`, "10.0.0.0/8"}},
		"rooms twice":             {with(lobby), []string{`"lobby"`, "twice"}},
		"pattern twice":           {append(rooms("team:*", room.Settings{}), room.WithRooms("team:*", room.Settings{})), []string{`"team:*"`, "twice"}},
		"pattern of a part":       {rooms("team-*", room.Settings{}), []string{`"team-*"`, `"team:*"`}},
		"pattern with a space":    {rooms("my team", room.Settings{}), []string{`"my team"`, "A-Z a-z 0-9"}},
		"no pattern":              {rooms("", room.Settings{}), []string{`""`, "A-Z a-z 0-9"}},
		"long name":               {rooms(strings.Repeat("a", 65), room.Settings{}), []string{"64"}},
		"permission":              {rooms("a", room.Settings{Permission: "open"}), []string{`"open"`, "room.Public", "room.Private", "room.Restricted", "room.OwnerOnly"}},
		"permissions":             {rooms("a", room.Settings{Permissions: []room.Permission{"open"}}), []string{`"open"`, "room.Public"}},
		"restricted":              {rooms("a", room.Settings{Permission: room.Restricted}), []string{"lets nobody in", "Settings.Roles"}},
		"members":                 {rooms("a", room.Settings{MaxMembers: -1}), []string{"Settings.MaxMembers is -1", "use 0"}},
		"history":                 {rooms("a", room.Settings{History: room.Keep(-1, 0)}), []string{"Settings.History", "room.Keep(1000"}},
		"history of nothing":      {rooms("a", room.Settings{History: room.Keep(0, time.Hour)}), []string{"0 messages", "room.Keep(1000"}},
		"created standing":        {rooms("a", room.Settings{AllowCreate: true}), []string{`"a"`, "AllowCreate", `"team:*"`}},
		"rates":                   {rooms("a", room.Settings{Rates: &room.Rates{User: limit.PerSecond(0)}}), []string{`"a"`, "0 events"}},
		"events":                  {rooms("a", room.Settings{Events: map[string]validate.Rules{"a b": {}}}), []string{`"a b"`, "A-Z a-z 0-9"}},
		"no limits":               {with(room.WithLimits(room.Limits{})), []string{"room.DefaultLimits()"}},
		"limit of nothing":        {limited(func(l *room.Limits) { l.Page = 0 }), []string{"Limits.Page is 0", "room.DefaultLimits()"}},
		"negative limit":          {limited(func(l *room.Limits) { l.TextFrame = -1 }), []string{"Limits.TextFrame is -1", "room.DefaultLimits()"}},
		"unbounded frames":        {limited(func(l *room.Limits) { l.Data.BinaryBytes = validate.Unlimited }), []string{"Limits.Data.BinaryBytes is -1", "room.DefaultLimits()"}},
		"no time":                 {limited(func(l *room.Limits) { l.Write = 0 }), []string{"Limits.Write is 0s", "room.DefaultLimits()"}},
		"rate of nothing":         {limited(func(l *room.Limits) { l.Joins = limit.PerSecond(0) }), []string{"Limits.Joins", "0 events"}},
		"rate of no time":         {limited(func(l *room.Limits) { l.Joins = limit.Rate{Events: 5} }), []string{"Limits.Joins", "5 events per 0s", "limit.PerSecond(5)"}},
		"away at once":            {limited(func(l *room.Limits) { l.AwayAfter = -1 }), []string{"Limits.AwayAfter is -1ns", "use 0"}},
		"beats too rare":          {limited(func(l *room.Limits) { l.PresenceTimeout = time.Second }), []string{"Limits.PresenceTimeout is 1s", "PresenceBeat 30s"}},
		"too few bytes":           {limited(func(l *room.Limits) { l.Bytes = limit.PerSecond(1000) }), []string{"Limits.Bytes", "Burst"}},
	} {
		t.Run(name, func(t *testing.T) {
			srv, err := room.New(tt.opts...)
			if err == nil || srv != nil {
				t.Fatalf("New returned %v, %v", srv, err)
			}
			for _, part := range append(tt.say, "room: ") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q has several lines", err)
			}
		})
	}
	if _, err := room.New(with(room.Options(room.WithNode("n1"), room.WithLogger(slog.New(slog.DiscardHandler))))...); err != nil {
		t.Errorf("sound options: %v", err)
	}
}

// The settings of a room are those of its exact name, else of the first pattern
// that matches.
func TestPatterns(t *testing.T) {
	all := func(n int) room.Settings {
		return room.Settings{Permission: room.Public, Standing: true, MaxMembers: n}
	}
	h := serve(t,
		room.WithRooms("team:*", all(1)), room.WithRooms("team:*:notes", all(2)), room.WithRooms("*:special", all(3)),
		room.WithRooms("team:red", all(4)), room.WithRooms("*:*:*", all(5)), room.WithRooms("closed:*", room.Settings{Permission: room.Public}))
	ada := h.connect("ada")
	for name, want := range map[string]int{
		"team:7": 1, "team:special": 1, "club:special": 3, "team:red": 4, "team:7:notes": 2, "team:7:other": 5, "a:b:c": 5,
		"team": 0, "team:": 0, ":special": 0, "team::notes": 0, "TEAM:red": 0, "team:7:notes:more": 0, "closed:1": 0,
	} {
		f := ada.request("settings", inRoom(name))
		got := 0
		if f.Error == nil {
			r, err := parseResult(f)
			if err != nil {
				t.Fatal(err)
			}
			got = r.MaxMembers
		}
		if got != want {
			t.Errorf("%s: %d, want %d: %s", name, got, want, f)
		}
	}
}

// With nothing but what has no default nobody gets in who should not.
func TestSafeByDefault(t *testing.T) {
	h := serve(t, room.WithRooms("secret", room.Settings{}), room.WithRooms("club:*", room.Settings{}))
	for status, lines := range map[int][]string{
		401: upgrade(),
		403: upgrade("Authorization: Bearer ada", "Origin: https://evil.example"),
	} {
		if _, got, _, _ := h.handshake(lines...); got != status {
			t.Errorf("got %d, want %d", got, status)
		}
	}
	ada := h.connect("ada~role.admin")
	for _, name := range []string{"secret", "club:1", "other"} {
		ada.refused("forbidden", "join", inRoom(name))
		ada.refused("forbidden", "create", inRoom(name))
	}
}

// The welcome tells the limits that apply; 0 is no limit, and a slow rate is
// not rounded to it.
func TestWelcomeTellsLimits(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*room.Limits)
		want   []string
	}{
		"defaults": {func(l *room.Limits) { *l = room.DefaultLimits() }, []string{
			`"text_frame_bytes":1048576`, `"text_chars":1000`, `"json_bytes":524288`, `"binary_bytes":5242880`, `"json_depth":10`, `"array_elements":1000`,
			`"object_keys":100`, `"rooms":128`, `"messages_per_second":50`, `"messages_per_second_user":100`, `"messages_per_second_room":1000`,
			`"requests_per_second":50`, `"joins_per_second":10`, `"history_per_second":50`, `"bytes_per_second":4194304`,
			`"connections_user":20`, `"room_members":1000`,
		}},
		"none":  {func(l *room.Limits) { l.Requests = limit.Rate{}; l.Data.TextChars = validate.Unlimited }, []string{`"requests_per_second":0`, `"text_chars":0`}},
		"slow":  {func(l *room.Limits) { l.Requests = limit.PerMinute(5) }, []string{`"requests_per_second":1`}},
		"zero":  {func(l *room.Limits) { l.Data = validate.Limits{BinaryBytes: 7} }, []string{`"text_chars":1000`, `"json_depth":10`, `"binary_bytes":7`}},
		"beats": {func(l *room.Limits) { l.Heartbeat = 1500 * time.Millisecond }, []string{`"heartbeat_ms":1500`}},
	} {
		t.Run(name, func(t *testing.T) {
			h := serve(t, house(), limits(tt.change))
			text := h.connect("ada").welcome.text
			if i := slices.IndexFunc(tt.want, func(part string) bool { return !strings.Contains(text, part) }); i >= 0 {
				t.Errorf("%s is not in %s", tt.want[i], text)
			}
		})
	}
}
