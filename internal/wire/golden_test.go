package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/golden from the tables and the codec")

// The golden frames are for authors of clients in any language, so everything
// about them is in testdata/golden, and README.md there explains it. These
// tables are where they come from.

// clientFrame is a frame that a client sends.
type clientFrame struct {
	name, about string
	frame       string // the exact bytes
	binary      bool
	code        string // of the refusal, if any
}

// serverFrame is a frame that a server sends.
type serverFrame struct {
	name, about string
	frame       Frame
}

// meaning is what a client frame says, as NAME.want.json states it.
type meaning struct {
	OK      bool            `json:"ok"`
	Type    string          `json:"type,omitempty"`
	Ref     int64           `json:"ref,omitempty"`
	Fields  json.RawMessage `json:"fields,omitempty"`
	Payload *string         `json:"payload_base64,omitempty"`
	Error   *meaningError   `json:"error,omitempty"`
}

type meaningError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// entry is one line of manifest.json.
type entry struct {
	File  string `json:"file"`
	Want  string `json:"want,omitempty"`
	From  string `json:"from"`
	Frame string `json:"frame"`
	About string `json:"about"`
}

func TestGolden(t *testing.T) {
	dir := filepath.Join("testdata", "golden")
	files := make(map[string][]byte)
	var manifest []entry

	for _, c := range clientFrames() {
		e := entry{From: "client", About: c.about}
		e.File, e.Frame = goldenFile("client", c.name, c.binary)
		e.Want = "client/" + c.name + ".want.json"
		manifest = append(manifest, e)
		files[e.File] = []byte(c.frame)

		var req Request
		refused := JSON{}.Decode([]byte(c.frame), c.binary, &req)
		switch {
		case refused == nil && c.code != "":
			t.Errorf("%s: accepted, want %s", e.File, c.code)
		case refused != nil && refused.Code != c.code:
			t.Errorf("%s: got %+v, want %q", e.File, *refused, c.code)
		}
		files[e.Want] = meaningOf(t, &req, refused)
	}
	for _, s := range serverFrames() {
		e := entry{From: "server", About: s.about}
		out, binary := JSON{}.Append(nil, s.frame)
		e.File, e.Frame = goldenFile("server", s.name, binary)
		manifest = append(manifest, e)
		files[e.File] = out
	}
	files["manifest.json"] = indented(t, manifest)

	if *update {
		for _, sub := range []string{"client", "server"} {
			if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}

	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Errorf("%v (run the test with -update)", err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s differs (run the test with -update and look at the change)\nfile  %.300q\ncodec %.300q", name, got, want)
		}
	}
	for _, name := range goldenFiles(t, dir) {
		if _, ok := files[name]; !ok {
			t.Errorf("%s is in no table", name)
		}
	}
}

func goldenFile(side, name string, binary bool) (file, kind string) {
	if binary {
		return path.Join(side, name+".bin"), "binary"
	}
	return path.Join(side, name+".json"), "text"
}

// goldenFiles lists what is in dir, but for what is written by hand.
func goldenFiles(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && name != "README.md" && name != ".gitattributes" {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func indented(t *testing.T, v any) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// meaningOf states a request in the words of the protocol.
func meaningOf(t *testing.T, req *Request, refused *Error) []byte {
	t.Helper()
	m := meaning{OK: refused == nil, Ref: req.Ref}
	if refused != nil {
		m.Error = &meaningError{Code: refused.Code, Message: refused.Message}
		return indented(t, m)
	}
	m.Type = req.Type

	fields := make(map[string]any)
	add := func(name string, v any) {
		if r := reflect.ValueOf(v); !r.IsZero() {
			fields[name] = v
		}
	}
	add("room", req.Room)
	add("event", req.Event)
	add("id", req.ID)
	add("user", req.User)
	add("token", req.Token)
	add("reason", req.Reason)
	add("status", req.Status)
	add("permission", req.Permission)
	add("last", req.Last)
	add("limit", req.Limit)
	add("before", req.Before)
	add("target", req.Target)
	add("for_ms", req.ForMS)
	add("roles", req.Roles)
	add("invited", req.Invited)
	add("max_members", req.MaxMembers)
	add("after", req.Cursor)
	add("meta", json.RawMessage(req.Meta))
	if req.HasAfter {
		fields["after"] = req.After
	}
	if req.NoStore {
		fields["store"] = false
	}
	if req.NoEcho {
		fields["echo"] = false
	}
	if req.Since != nil {
		fields["since"] = map[string]any{"epoch": req.Since.Epoch, "offset": req.Since.Offset}
	}
	if req.Binary {
		payload := base64.StdEncoding.EncodeToString(req.Data)
		m.Payload = &payload
	} else {
		add("data", json.RawMessage(req.Data))
	}
	m.Fields = bytes.TrimSpace(indented(t, fields))
	return indented(t, m)
}

// What the tables must cover.
func TestGoldenIsComplete(t *testing.T) {
	types := make(map[string]bool)
	codes := make(map[string]bool)
	for _, c := range clientFrames() {
		var req Request
		if refused := (JSON{}).Decode([]byte(c.frame), c.binary, &req); refused == nil {
			types[req.Type] = true
		}
		codes[c.code] = true
	}
	for _, typ := range []string{
		TypeAuth, TypeJoin, TypeLeave, TypeMessage, TypeEdit, TypeRedact, TypePresence, TypeMembers, TypeHistory,
		TypeCreate, TypeUpdate, TypeSettings, TypeDelete, TypeInvite, TypeUninvite, TypeKick, TypeBan, TypeUnban,
		TypeMute, TypeUnmute, TypeCall, TypePing,
	} {
		if !types[typ] {
			t.Errorf("no golden frame of type %s is accepted", typ)
		}
	}
	for _, code := range []string{
		codeBadRequest, codeDuplicateKey, codeInvalidEvent, codeInvalidRoom, codeInvalidJSON, codeInvalidUTF8, codeTooDeep,
		codeTooLarge, codeTooManyElements,
	} {
		if !codes[code] {
			t.Errorf("no golden frame is refused with %s", code)
		}
	}

	kinds := make(map[reflect.Type]bool)
	for _, s := range serverFrames() {
		kinds[reflect.TypeOf(s.frame)] = true
		if reply, ok := s.frame.(*Reply); ok {
			kinds[reflect.TypeOf(reply.Data)] = true
		}
	}
	for _, v := range []any{
		&Welcome{}, &Message{}, &Edited{}, &Redacted{}, &Joined{}, &Left{}, &PresenceUpdate{}, &RoomUpdated{},
		&RoomDeleted{}, &Removed{}, &Expiring{}, &Goaway{}, &Failure{}, &Reply{},
		&AuthResult{}, &JoinResult{}, &RoomResult{}, &RoomUserResult{}, &PublishResult{}, &ChangeResult{},
		&StatusResult{}, &MembersResult{}, &HistoryResult{}, &Settings{}, &PingResult{},
		Raw{},
	} {
		if !kinds[reflect.TypeOf(v)] {
			t.Errorf("no golden frame has a %T", v)
		}
	}

	names := make(map[string]bool)
	for _, c := range clientFrames() {
		names["client/"+c.name] = true
	}
	for _, s := range serverFrames() {
		names["server/"+s.name] = true
	}
	if want := len(clientFrames()) + len(serverFrames()); len(names) != want {
		t.Errorf("%d names for %d frames", len(names), want)
	}
	valid := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("-_/", r)
	}
	for name := range names {
		if slices.ContainsFunc([]rune(name), func(r rune) bool { return !valid(r) }) {
			t.Errorf("%q is no name for a file", name)
		}
	}
}
