package room_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/golden from what the server says")

// Golden files are whole exchanges, for authors of clients in any language;
// testdata/golden/README.md explains them. Each is written by one walk.
var walks = map[string]func(*transcript){
	"handshake": walkHandshake,
	"session":   walkSession,
	"join":      walkJoin,
	"message":   walkMessage,
	"history":   walkHistory,
	"recovery":  walkRecovery,
	"members":   walkMembers,
	"manage":    walkManage,
	"moderate":  walkModerate,
	"call":      walkCall,
	"presence":  walkPresence,
	"faults":    walkFaults,
}

func TestGolden(t *testing.T) {
	dir := filepath.Join("testdata", "golden")
	for name, walk := range walks {
		t.Run(name, func(t *testing.T) {
			s := &transcript{T: t, names: make(map[string]string), counts: make(map[string]int), began: time.Now()}
			walk(s)
			got := []byte("[\n" + strings.Join(s.lines, ",\n") + "\n]\n")
			if !json.Valid(got) {
				t.Fatalf("not JSON:\n%s", got)
			}
			file := filepath.Join(dir, name+".json")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v (run the test with -update)", err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s: (run the test with -update and look at the change)\n%s", file, firstDifference(string(got), string(want)))
			}
		})
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".json"); ok && walks[name] == nil {
			t.Errorf("no walk writes %s", f.Name())
		}
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d\ngot  %s\nfile %s", i+1, at(g, i), at(w, i))
		}
	}
	return ""
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(no more lines)"
}

// transcript is a golden file in the making.
type transcript struct {
	*testing.T
	lines  []string
	names  map[string]string // volatile values by what stands for them
	counts map[string]int
	began  time.Time
}

// about starts a part of the file.
func (s *transcript) about(what string) { s.add("about", quoted(what)) }

// add writes a line of pairs of a name and a JSON text.
func (s *transcript) add(pairs ...string) {
	var line strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&line, `%c%q:%s`, "{,"[min(i, 1)], pairs[i], pairs[i+1])
	}
	s.lines = append(s.lines, line.String()+"}")
}

func quoted(text string) string {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string always can be
	return strings.TrimSpace(buf.String())
}

// person is somebody whose frames are written down.
type person struct {
	*visitor
	s    *transcript
	name string
}

// person writes down a visitor's frames from the welcome on.
func (s *transcript) person(name string, v *visitor) *person {
	p := &person{visitor: v, s: s, name: name}
	p.wrote(v.welcome)
	return p
}

// says sends a text message.
func (p *person) says(format string, args ...any) {
	p.s.Helper()
	text := fmt.Sprintf(format, args...)
	if json.Valid([]byte(text)) {
		p.s.add("client", quoted(p.name), "sends", p.s.steady(text))
	} else {
		p.s.add("client", quoted(p.name), "sends_text", quoted(text))
	}
	p.send(text)
}

// saysBinary sends a binary message.
func (p *person) saysBinary(header string, payload []byte) {
	p.s.Helper()
	p.s.add("client", quoted(p.name), "sends", p.s.steady(header), "payload_base64", quoted(base64.StdEncoding.EncodeToString(payload)))
	p.sendBinary(header, payload)
}

// hears reads as many frames as types are named, and writes them down in that
// order: between a reply and what the room says there is none in the protocol.
// It returns them.
func (p *person) hears(types ...string) []frame {
	p.s.Helper()
	came := make([]frame, len(types))
	for i := range came {
		came[i] = p.next()
	}
	list := make([]frame, 0, len(types))
	for _, typ := range types {
		i := slices.IndexFunc(came, func(f frame) bool { return f.Type == typ })
		if i < 0 {
			p.s.Fatalf("%s heard %v, want %v", p.name, came, types)
		}
		p.wrote(came[i])
		list = append(list, came[i])
		came = slices.Delete(came, i, i+1)
	}
	return list
}

// asks sends a request with a ref and hears the reply, which must come next.
func (p *person) asks(typ string, members ...string) frame {
	p.s.Helper()
	p.ref++
	p.says("%s", envelope(p.ref, typ, members...))
	f := p.hears("reply")[0]
	if f.Ref != p.ref {
		p.s.Fatalf("%s heard %s, want the reply to %d", p.name, f, p.ref)
	}
	return f
}

// wrote writes down a frame of the server.
func (p *person) wrote(f frame) {
	if f.Type == "close" {
		p.s.add("client", quoted(p.name), "gets_close", strconv.Itoa(f.status), "reason", quoted(f.Reason))
		return
	}
	pairs := []string{"client", quoted(p.name), "gets", p.s.steady(f.text)}
	if f.binary {
		pairs = append(pairs, "payload_base64", quoted(base64.StdEncoding.EncodeToString(f.payload)))
	}
	p.s.add(pairs...)
}

var (
	instants  = regexp.MustCompile(`"(at|since|created_at|expires_at)":(\d+)`)
	durations = regexp.MustCompile(`"(retry_after_ms|in_ms|reconnect_in_ms)":(\d+)`)
	randoms   = regexp.MustCompile(`"(connection|session|epoch|id)":"([A-Z2-7]{26,})"`)
)

// steady puts placeholders in the place of what differs from run to run, after
// a look whether it is plausible. The same value gets the same placeholder.
func (s *transcript) steady(text string) string {
	s.Helper()
	text = instants.ReplaceAllStringFunc(text, func(m string) string {
		part := instants.FindStringSubmatch(m)
		ms, err := strconv.ParseInt(part[2], 10, 64)
		earliest, latest := s.began.UnixMilli(), time.Now().UnixMilli()
		if part[1] == "expires_at" {
			latest += time.Hour.Milliseconds()
		}
		if err != nil || ms < earliest || ms > latest {
			s.Errorf("%s is not a time of this test, %d to %d", m, earliest, latest)
		}
		return fmt.Sprintf(`"%s":"TIME"`, part[1])
	})
	text = durations.ReplaceAllStringFunc(text, func(m string) string {
		part := durations.FindStringSubmatch(m)
		if part[2] == "0" && part[1] == "retry_after_ms" {
			return m
		}
		if ms, err := strconv.Atoi(part[2]); err != nil || ms > int(time.Hour.Milliseconds()) {
			s.Errorf("%s is not a time to wait", m)
		}
		return fmt.Sprintf(`"%s":"MS"`, part[1])
	})
	return randoms.ReplaceAllStringFunc(text, func(m string) string {
		part := randoms.FindStringSubmatch(m)
		if s.names[part[2]] == "" {
			s.counts[part[1]]++
			s.names[part[2]] = fmt.Sprintf("%s-%d", strings.ToUpper(part[1]), s.counts[part[1]])
		}
		return fmt.Sprintf(`"%s":"%s"`, part[1], s.names[part[2]])
	})
}
