package room

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/validate"
)

// Settings are what the rooms of one pattern have in common; see [WithRooms].
type Settings struct {
	// Permission is that of a room of which nothing else is said. The zero
	// value is Private.
	Permission Permission
	// Permissions are those that clients may give the rooms they own, besides
	// Permission. Nil means all of them, an empty list none.
	Permissions []Permission
	// Roles are those that may enter when the permission is Restricted.
	Roles []string
	// MaxMembers is how many users fit in, however many connections each
	// has. 0 means 1,000. Clients may ask for less.
	MaxMembers int
	// History says what is kept of what was said. The zero value keeps
	// nothing: messages have no offset then and nobody can catch up.
	History Retention
	// Rates are how fast messages may be sent to each room, in place of
	// Limits.Messages, and how fast other requests may be made. Nil means those
	// of Limits.
	Rates *Rates
	// RoleRates are in place of Rates for users who have the role: the first
	// of them that fits.
	RoleRates []RoleRates
	// Rules are what data has to pass, in place of Limits.Data. Nil means
	// those.
	Rules *validate.Rules
	// Events has rules for the messages of one event, in place of Rules.
	Events map[string]validate.Rules
	// Moderators are the roles whose users may invite, kick, ban and mute,
	// and redact what others said, in every room of the pattern. A room's
	// owner, and the users in Record.Moderators, always may.
	Moderators []string
	// AllowCreate lets clients make rooms of this pattern, which they then
	// own.
	AllowCreate bool
	// KeepEmpty is for how long a room that somebody created outlives its last
	// member. 0 means an hour, a negative time for ever.
	KeepEmpty time.Duration
	// Standing rooms exist from the start, one for every name that matches,
	// and have no owner. A pattern without a * is always standing.
	Standing bool
}

// RoleRates are the rates of users with a role.
type RoleRates struct {
	Role string
	Rates
}

// Retention says how much of a room's log is kept.
type Retention struct {
	// Messages is the number of messages kept; 0 keeps nothing.
	Messages int
	// Age is how long each is kept; 0 means 24 hours.
	Age time.Duration
}

// Keep is a Retention of the newest n messages, none older than age. They are
// in memory, this process' or that of Redis, for each room.
func Keep(n int, age time.Duration) Retention { return Retention{Messages: n, Age: age} }

const (
	defaultMaxMembers = 1000
	defaultAge        = 24 * time.Hour
	defaultKeepEmpty  = time.Hour
	maxRoles          = 64
	maxInvited        = 1000
)

func (s *Settings) normalise() error {
	if s.Permission == "" {
		s.Permission = Private
	}
	if err := s.Permission.check(); err != nil {
		return err
	}
	for _, p := range s.Permissions {
		if err := p.check(); err != nil {
			return err
		}
	}
	if s.Permission == Restricted && len(s.Roles) == 0 {
		return fmt.Errorf("permission restricted without roles lets nobody in: set Settings.Roles")
	}
	if s.MaxMembers == 0 {
		s.MaxMembers = defaultMaxMembers
	}
	if s.MaxMembers < 0 {
		return fmt.Errorf("Settings.MaxMembers is %d: use 0 for 1,000, or a number of users", s.MaxMembers)
	}
	if s.History.Messages < 0 || s.History.Age < 0 {
		return fmt.Errorf("Settings.History is %+v: use room.Keep(1000, 24*time.Hour), or leave it out to keep nothing", s.History)
	}
	if s.History.Messages == 0 && s.History.Age > 0 {
		return fmt.Errorf("Settings.History keeps 0 messages for %v: use room.Keep(1000, 24*time.Hour), or leave it out to keep nothing", s.History.Age)
	}
	for event := range s.Events {
		if !validate.Event(event) {
			return fmt.Errorf("event %q: use 1 to 64 of _ - . : A-Z a-z 0-9", event)
		}
	}
	if s.Rates != nil {
		if err := s.Rates.check(); err != nil {
			return err
		}
	}
	for _, r := range s.RoleRates {
		if err := r.check(); err != nil {
			return fmt.Errorf("role %q: %w", r.Role, err)
		}
	}
	if s.KeepEmpty == 0 {
		s.KeepEmpty = defaultKeepEmpty
	}
	if s.History.Messages > 0 && s.History.Age == 0 {
		s.History.Age = defaultAge
	}
	return nil
}

func (r *Rates) check() error {
	for name, rate := range map[string]limit.Rate{
		"Connection": r.Connection, "User": r.User, "UserInRoom": r.UserInRoom, "Room": r.Room,
		"ConnectionBytes": r.ConnectionBytes, "UserBytes": r.UserBytes, "UserInRoomBytes": r.UserInRoomBytes, "RoomBytes": r.RoomBytes,
		"Joins": r.Joins, "History": r.History,
	} {
		if err := rate.Validate(); err != nil {
			return fmt.Errorf("Rates.%s: %w", name, err)
		}
	}
	for event, rate := range r.Calls {
		if err := rate.Validate(); err != nil {
			return fmt.Errorf("Rates.Calls[%q]: %w", event, err)
		}
	}
	return nil
}

// mayBecome reports whether a client may give a room the permission.
func (s *Settings) mayBecome(p Permission) bool {
	return s.Permissions == nil || p == s.Permission || slices.Contains(s.Permissions, p)
}

// rates are those of a user in the pattern's rooms, nil where Limits.Messages
// apply.
func (s *Settings) rates(id *auth.Identity) *Rates {
	for i := range s.RoleRates {
		if id.HasRole(s.RoleRates[i].Role) {
			return &s.RoleRates[i].Rates
		}
	}
	return s.Rates
}

// pattern is one entry of WithRooms.
type pattern struct {
	text     string
	segments []string
	settings Settings
}

func parsePattern(text string, s Settings) (pattern, error) {
	if err := s.normalise(); err != nil {
		return pattern{}, fmt.Errorf("rooms %q: %w", text, err)
	}
	if len(text) > validate.MaxRoomLen {
		return pattern{}, fmt.Errorf("rooms %q: use a name or pattern of at most %d characters", text, validate.MaxRoomLen)
	}
	segments := strings.Split(text, ":")
	wild := false
	for _, seg := range segments {
		switch {
		case seg == "*":
			wild = true
		case seg == "" || strings.Contains(seg, "*") || !validate.Room(seg):
			return pattern{}, fmt.Errorf("rooms %q: use names of A-Z a-z 0-9 _ - . separated by : with * in the place of whole names, such as %q", text, "team:*")
		}
	}
	if !wild {
		s.Standing = true
	}
	if s.Standing && s.AllowCreate {
		return pattern{}, fmt.Errorf("rooms %q are there from the start, so that nobody can create them: leave Settings.AllowCreate out, or use a pattern with * that is not Standing, such as %q", text, "team:*")
	}
	return pattern{text: text, segments: segments, settings: s}, nil
}

// matches compares segment by segment; * stands for exactly one, not empty.
func (p *pattern) matches(name string) bool {
	rest, more := name, true
	for _, want := range p.segments {
		if !more {
			return false
		}
		var seg string
		seg, rest, more = strings.Cut(rest, ":")
		if seg == "" || want != "*" && want != seg {
			return false
		}
	}
	return !more
}

// patterns finds the settings of a room by its name: an exact pattern wins,
// then the first that matches in the order they were given.
type patterns struct {
	exact map[string]*pattern
	wild  []*pattern
}

func (ps *patterns) add(p pattern) error {
	if ps.exact == nil {
		ps.exact = make(map[string]*pattern)
	}
	if !strings.Contains(p.text, "*") {
		if ps.exact[p.text] != nil {
			return fmt.Errorf("rooms %q are given twice", p.text)
		}
		ps.exact[p.text] = &p
		return nil
	}
	for _, have := range ps.wild {
		if have.text == p.text {
			return fmt.Errorf("rooms %q are given twice", p.text)
		}
	}
	ps.wild = append(ps.wild, &p)
	return nil
}

// find returns nil for a name that no pattern matches.
func (ps *patterns) find(name string) *Settings {
	if p := ps.exact[name]; p != nil {
		return &p.settings
	}
	for _, p := range ps.wild {
		if p.matches(name) {
			return &p.settings
		}
	}
	return nil
}
