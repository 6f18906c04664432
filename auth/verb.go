package auth

import (
	"fmt"
	"strings"
)

// Verb is a set of things to do in a room, one bit each.
type Verb uint32

// The verbs of a [Capability].
const (
	Join     Verb = 1 << iota // enter the room and receive what is said there
	Publish                   // send messages, edit and redact one's own
	History                   // read what was said before, also by joining with since or last
	Presence                  // see who is there, and set one's own status
	Moderate                  // invite, kick, ban, mute and their opposites; redact what others said
	Create                    // create the room
	Manage                    // change its settings, delete it
	Call                      // call the host's handlers in it
)

// AllVerbs has the bit of every verb.
const AllVerbs = Join | Publish | History | Presence | Moderate | Create | Manage | Call

// verbNames are in the order of the bits.
var verbNames = [...]string{"join", "publish", "history", "presence", "moderate", "create", "manage", "call"}

// String returns the names of the verbs in v with | between them, such as join|publish, "all" for [AllVerbs] and "none"
// for no verb. [ParseVerb] reads it back.
func (v Verb) String() string {
	switch v {
	case 0:
		return "none"
	case AllVerbs:
		return "all"
	}
	var b strings.Builder
	for i, name := range verbNames {
		if v&(1<<i) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('|')
		}
		b.WriteString(name)
	}
	if rest := v &^ AllVerbs; rest != 0 {
		if b.Len() > 0 {
			b.WriteByte('|')
		}
		fmt.Fprintf(&b, "%#x", uint32(rest))
	}
	return b.String()
}

// ParseVerb reads a verb's name, or several with | between them, in lower case. "all" and "*" stand for [AllVerbs] and
// "none" for no verb.
func ParseVerb(s string) (Verb, error) {
	switch s {
	case "none":
		return 0, nil
	case "all", "*":
		return AllVerbs, nil
	}
	var v Verb
	for name := range strings.SplitSeq(s, "|") {
		bit, ok := verbNamed(name)
		if !ok {
			return 0, fmt.Errorf("unknown verb %.20q: use %s or all", name, strings.Join(verbNames[:], ", "))
		}
		v |= bit
	}
	return v, nil
}

func verbNamed(name string) (Verb, bool) {
	for i, n := range verbNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// MarshalText implements [encoding.TextMarshaler] with the form of String.
func (v Verb) MarshalText() ([]byte, error) {
	if v&^AllVerbs != 0 {
		return nil, fmt.Errorf("verb %s has unknown bits", v)
	}
	return []byte(v.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler] as [ParseVerb].
func (v *Verb) UnmarshalText(text []byte) error {
	parsed, err := ParseVerb(string(text))
	if err != nil {
		return err
	}
	*v = parsed
	return nil
}
