package asyncapi

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const (
	docs     = "../../docs"
	frames   = "../wire/testdata/golden"
	walks    = "../../room/testdata/golden"
	document = "asyncapi.json" // the name that references have for the compiler
)

type object = map[string]any

// load reads the document, as JSON would have it.
func load(t *testing.T) object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, asJSON).(object)
}

func decode(t *testing.T, text []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// at follows a path of names into the document.
func at(t *testing.T, doc object, path ...string) object {
	t.Helper()
	for _, name := range path {
		next, ok := doc[name].(object)
		if !ok {
			t.Fatalf("there is no %v", path)
		}
		doc = next
	}
	return doc
}

// schemas compiles every schema of the document, which finds every reference
// that leads nowhere.
func schemas(t *testing.T, doc object) map[string]*jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource(document, doc); err != nil {
		t.Fatal(err)
	}
	compiled := make(map[string]*jsonschema.Schema)
	for name := range at(t, doc, "components", "schemas") {
		s, err := c.Compile(document + "#/components/schemas/" + name)
		if err != nil {
			t.Fatal(err)
		}
		compiled[name] = s
	}
	return compiled
}

// Every reference leads somewhere, every message is in the channel, and every
// request has an operation with its reply.
func TestDocument(t *testing.T) {
	doc := load(t)
	if doc["asyncapi"] != "3.0.0" {
		t.Errorf("asyncapi is %v", doc["asyncapi"])
	}
	for _, name := range []string{"title", "version"} {
		if s, _ := at(t, doc, "info")[name].(string); s == "" {
			t.Errorf("info.%s is missing", name)
		}
	}
	var follow func(v any)
	follow = func(v any) {
		switch v := v.(type) {
		case object:
			if ref, ok := v["$ref"].(string); ok {
				rest, ok := strings.CutPrefix(ref, "#/")
				if !ok {
					t.Fatalf("$ref %q leads out of the document", ref)
				}
				at(t, doc, strings.Split(rest, "/")...)
			}
			for _, part := range v {
				follow(part)
			}
		case []any:
			for _, part := range v {
				follow(part)
			}
		}
	}
	follow(doc)

	inChannel := at(t, doc, "channels", "socket", "messages")
	inComponents := at(t, doc, "components", "messages")
	used := make(map[string]bool)
	use := func(list any) {
		refs, _ := list.([]any)
		for _, ref := range refs {
			s := ref.(object)["$ref"].(string)
			used[strings.TrimPrefix(s, "#/channels/socket/messages/")] = true
		}
	}
	for name, op := range at(t, doc, "operations") {
		op := op.(object)
		use(op["messages"])
		if op["action"] == "receive" {
			reply, ok := op["reply"].(object)
			if !ok {
				t.Errorf("operation %s has no reply", name)
				continue
			}
			use(reply["messages"])
		}
	}
	for name := range inComponents {
		if inChannel[name] == nil || !used[name] {
			t.Errorf("message %s is in no channel or no operation", name)
		}
	}
	for name := range inChannel {
		if inComponents[name] == nil {
			t.Errorf("message %s of the channel is no component", name)
		}
	}
}

// The types, codes and fields are those of docs/PROTOCOL.md.
func TestDocumentIsTheProtocol(t *testing.T) {
	doc := load(t)
	text, err := os.ReadFile(filepath.Join(docs, "PROTOCOL.md"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`([a-z0-9_]+)`")
	for side, heading := range map[string]string{"client-": "## Client → server", "server-": "## Server → client"} {
		_, section, _ := strings.Cut(string(text), heading+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		var types []string
		for line := range strings.Lines(section) {
			cells := strings.Split(line, "|")
			if len(cells) < 4 {
				continue
			}
			for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
				types = append(types, m[1])
				// What comes first in a cell of fields, before any dash or bracket.
				plain, _, _ := strings.Cut(cells[2], "—")
				plain = regexp.MustCompile(`\([^)]*\)|;.*`).ReplaceAllString(plain, "")
				properties := fields(t, doc, side+m[1])
				for _, f := range name.FindAllStringSubmatch(plain, -1) {
					if edited := m[1] == "message_redacted" && f[1] == "data"; !properties[f[1]] && !edited {
						t.Errorf("%s%s has no %s", side, m[1], f[1])
					}
				}
			}
		}
		var have []string
		for n := range at(t, doc, "components", "messages") {
			if s, ok := strings.CutPrefix(n, side); ok {
				have = append(have, s)
			}
		}
		slices.Sort(types)
		slices.Sort(have)
		if len(types) < 13 || !slices.Equal(types, have) {
			t.Errorf("types %s are\n%v\nin PROTOCOL.md and\n%v\nhere", side, types, have)
		}
	}

	_, section, _ := strings.Cut(string(text), "## Error codes\n")
	section, _, _ = strings.Cut(section, "\nA room that")
	var codes []string
	for _, m := range name.FindAllStringSubmatch(section, -1) {
		codes = append(codes, m[1])
	}
	list, _ := at(t, doc, "components", "schemas", "code")["enum"].([]any)
	var have []string
	for _, c := range list {
		have = append(have, c.(string))
	}
	if !slices.Equal(codes, have) {
		t.Errorf("codes are\n%v\nin PROTOCOL.md and\n%v\nhere", codes, have)
	}
}

// fields are the properties of a schema, those of allOf and of a bare $ref
// included.
func fields(t *testing.T, doc object, name string) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	s := at(t, doc, "components", "schemas", name)
	if properties, ok := s["properties"].(object); ok {
		for p := range properties {
			found[p] = true
		}
	}
	all, _ := s["allOf"].([]any)
	for _, part := range all {
		if ref, ok := part.(object)["$ref"].(string); ok {
			for p := range fields(t, doc, strings.TrimPrefix(ref, "#/components/schemas/")) {
				found[p] = true
			}
		}
	}
	return found
}

// Every golden frame is as its schema says: those that the codec refuses as
// bad_request are refused by the schema, too.
func TestGoldenFrames(t *testing.T) {
	doc := load(t)
	compiled := schemas(t, doc)
	text, err := os.ReadFile(filepath.Join(frames, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest []struct{ File, Want, From, Frame string }
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	accepted := make(map[string]bool)
	for _, entry := range manifest {
		frame, err := os.ReadFile(filepath.Join(frames, entry.File))
		if err != nil {
			t.Fatal(err)
		}
		ok, code := true, ""
		if entry.Want != "" {
			ok, code = meaning(t, filepath.Join(frames, entry.Want))
		}
		if !ok && (code != "bad_request" || entry.Frame == "binary") {
			continue // not JSON, or nothing that a schema can say
		}
		if entry.Frame == "binary" {
			n := binary.BigEndian.Uint16(frame)
			header := decode(t, frame[2:2+n]).(object)
			header["data"] = "the payload"
			if frame, err = json.Marshal(header); err != nil {
				t.Fatal(err)
			}
		}
		v := decode(t, frame)
		typ, _ := v.(object)["type"].(string)
		s := compiled[entry.From+"-"+typ]
		if typ == "reply" {
			s = compiled["reply-"+replied(entry.File)]
		}
		if s == nil {
			if ok {
				t.Errorf("%s: there is no schema", entry.File)
			}
			continue
		}
		err = s.Validate(v)
		if ok && err != nil {
			t.Errorf("%s: %v", entry.File, err)
		}
		// What a key deep inside is called, and that 1.0 is no integer, only words say.
		words := strings.Contains(entry.File, "reserved-meta") || strings.Contains(entry.File, "ref-fraction")
		if !ok && err == nil && !words {
			t.Errorf("%s is refused, and its schema lets it pass", entry.File)
		}
		if ok {
			accepted[entry.From+"-"+typ] = true
		}
	}
	for name := range at(t, doc, "components", "messages") {
		if !strings.HasPrefix(name, "reply-") && !accepted[name] {
			t.Errorf("no golden frame shows %s", name)
		}
	}
}

// replied is the type of a request that a golden reply could answer.
func replied(file string) string {
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "reply-"), ".json")
	name, _, _ = strings.Cut(name, "-")
	switch name {
	case "moderation":
		return "kick"
	case "error", "empty":
		return "call"
	}
	return name
}

func meaning(t *testing.T, file string) (ok bool, code string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		OK    bool
		Error struct{ Code string }
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	return want.OK, want.Error.Code
}

// Everything that a server says in the golden walks is as its schema says, and
// each reply as that of the request it answers.
func TestGoldenWalks(t *testing.T) {
	compiled := schemas(t, load(t))
	files, err := filepath.Glob(filepath.Join(walks, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	checked := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// What differs from run to run stands there as a word.
		text = regexp.MustCompile(`"(TIME|MS)"`).ReplaceAll(text, []byte("1"))
		var steps []struct {
			Client  string
			Sends   json.RawMessage
			Gets    json.RawMessage
			Payload *string `json:"payload_base64"`
		}
		if err := json.Unmarshal(text, &steps); err != nil {
			t.Fatal(err)
		}
		asked := make(map[string]string) // type by client and ref
		for _, step := range steps {
			var envelope struct {
				Type string
				Ref  json.Number
			}
			if step.Sends != nil && json.Unmarshal(step.Sends, &envelope) == nil {
				asked[step.Client+" "+envelope.Ref.String()] = envelope.Type
			}
			if step.Gets == nil {
				continue
			}
			v := decode(t, step.Gets).(object)
			if step.Payload != nil {
				v["data"] = "the payload"
			}
			name := "server-" + v["type"].(string)
			if v["type"] == "reply" {
				name = "reply-" + asked[step.Client+" "+v["ref"].(json.Number).String()]
				if compiled[name] == nil && v["ok"] == false {
					name = "reply"
				}
			}
			if compiled[name] == nil {
				t.Errorf("%s: no schema %s for %s", filepath.Base(file), name, step.Gets)
				continue
			}
			if err := compiled[name].Validate(v); err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(file), step.Gets, err)
			}
			checked++
		}
	}
	if checked < 200 {
		t.Errorf("only %d frames were looked at", checked)
	}
}
