package room

import (
	"fmt"
	"slices"

	"github.com/wardroom/wardroom/auth"
)

// Permission says who may enter a room. Whoever made the room, its owner, may
// enter whatever it says; a ban outweighs them all.
type Permission string

const (
	// Private rooms are for their owner and those invited; moderators need an
	// invitation, too. It is the zero value's meaning: nobody gets in unless
	// somebody says so.
	Private Permission = "private"
	// Public rooms are for everyone who is authenticated.
	Public Permission = "public"
	// Restricted rooms are for those who have one of the room's roles.
	Restricted Permission = "restricted"
	// OwnerOnly rooms are for their owner, on any number of devices.
	OwnerOnly Permission = "owner_only"
)

func (p Permission) valid() bool {
	switch p {
	case Private, Public, Restricted, OwnerOnly:
		return true
	}
	return false
}

// mayEnter is the rule of the four permissions.
func (r *Record) mayEnter(id *auth.Identity) bool {
	if !id.Can(r.Room, auth.Join) {
		return false
	}
	if r.ownedBy(id) {
		return true
	}
	switch r.Permission {
	case Public:
		return true
	case Restricted:
		return slices.ContainsFunc(r.Roles, id.HasRole)
	case Private:
		return slices.Contains(r.Invited, id.ID)
	}
	return false
}

// mayManage says who may change a room's settings and delete it.
func (r *Record) mayManage(id *auth.Identity) bool {
	return r.ownedBy(id) && id.Can(r.Room, auth.Manage)
}

// mayModerate says who may invite, kick, ban, mute and redact. In a room that
// is not there nobody may, or an invitation would bring it about.
func (r *Record) mayModerate(id *auth.Identity, settings *Settings) bool {
	return id.Can(r.Room, auth.Moderate) && (r.Version > 0 || settings.Standing) &&
		(r.ownedBy(id) || slices.Contains(r.Moderators, id.ID) || slices.ContainsFunc(settings.Moderators, id.HasRole))
}

// mayActOn says whether whoever moderates may kick, ban or mute a user: nobody
// the owner, and only the owner another moderator.
func (r *Record) mayActOn(id *auth.Identity, user string) bool {
	return user != id.ID && user != r.Owner && (r.ownedBy(id) || !slices.Contains(r.Moderators, user))
}

func (r *Record) ownedBy(id *auth.Identity) bool {
	return r.Owner != "" && r.Owner == id.ID
}

// mayEverywhere says whether capabilities leave a verb to a request that names
// no room: only those for every room do.
func mayEverywhere(id *auth.Identity, verb auth.Verb) bool {
	return id.Capabilities == nil || slices.ContainsFunc(id.Capabilities, func(c auth.Capability) bool {
		return c.Rooms == "**" && c.Verbs&verb == verb
	})
}

func (p Permission) check() error {
	if !p.valid() {
		return fmt.Errorf("permission %q: use room.Public, room.Private, room.Restricted or room.OwnerOnly", string(p))
	}
	return nil
}
