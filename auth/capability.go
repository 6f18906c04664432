package auth

import (
	"errors"
	"fmt"
	"strings"
)

// Capability allows verbs in the rooms that match a pattern.
//
// A pattern is compared with a room's ID segment by segment, where ':' separates segments. The segment * stands for
// exactly one segment that is not empty. The segment ** may only come last and stands for one segment or more. Every
// other segment stands for itself, byte by byte. So team:* matches team:7 but neither team nor team:7:notes, which
// team:** matches too; ** alone matches every room.
type Capability struct {
	Rooms string `json:"rooms"`
	Verbs Verb   `json:"verbs"`
}

// maxPattern is the longest pattern: a room's ID has at most 64 bytes.
const maxPattern = 64

// Validate returns an error that says what is wrong with c: a pattern that could never match a room, or no verb.
// Capabilities that come from outside are to be validated, because one that is misspelled matches nothing in silence.
func (c Capability) Validate() error {
	if c.Verbs == 0 || c.Verbs&^AllVerbs != 0 {
		return errors.New("capability: name at least one verb, and only known ones")
	}
	if c.Rooms == "" || len(c.Rooms) > maxPattern {
		return fmt.Errorf("capability: the pattern must have 1 to %d bytes", maxPattern)
	}
	rest, more := c.Rooms, true
	for more {
		var segment string
		segment, rest, more = strings.Cut(rest, ":")
		switch {
		case segment == "*":
		case segment == "**":
			if more {
				return errors.New("capability: ** may only be the last segment of a pattern")
			}
		case strings.Trim(segment, roomBytes) != "":
			return errors.New("capability: a segment is *, ** or letters, digits, '_', '-' and '.'")
		}
	}
	return nil
}

// roomBytes are the bytes of a room's ID without the separator.
const roomBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."

// Matches reports whether the pattern matches the room. A pattern that does not pass [Capability.Validate] matches no
// valid room.
func (c Capability) Matches(room string) bool {
	pattern := c.Rooms
	if pattern == "" || room == "" {
		return false
	}
	for {
		p, patternRest, patternMore := strings.Cut(pattern, ":")
		r, roomRest, roomMore := strings.Cut(room, ":")
		switch {
		case p == "**":
			return !patternMore && r != ""
		case p == "*" && r == "", p != "*" && p != r:
			return false
		case patternMore != roomMore:
			return false
		case !patternMore:
			return true
		}
		pattern, room = patternRest, roomRest
	}
}
