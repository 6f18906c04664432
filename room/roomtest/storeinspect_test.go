package roomtest

import (
	"context"
	"slices"

	"github.com/wardroom/wardroom/room"
)

// inspectMutants are the inspectors that the suite has to find wrong.
var inspectMutants = []mutant{
	{bug: "expels nobody", by: "expel", real: true},
	{bug: "expels everyone", by: "expel"},
	{bug: "expelling removes", by: "expel"},
	{bug: "expels from everywhere", by: "expel"},
	{bug: "who was expelled stays so", by: "expel", real: true},
	{bug: "deleting expels nobody", by: "expel by delete"},
	{bug: "finds nothing", by: "inspect", real: true},
	{bug: "finds in another order", by: "inspect"},
	{bug: "finds no sanctions", by: "inspect"},
	{bug: "finds bans for mutes", by: "inspect"},
	{bug: "finds everyone in", by: "inspect seats", real: true},
}

// inspectMutant is the store in memory with a bug in what [room.Inspector] adds.
type inspectMutant struct {
	room.Inspector
	bug     string
	seated  map[room.Seat]bool
	expels  map[room.Seat]bool
	deletes bool
}

// mutated is a store with a bug, which may be none.
func mutated(bug string) room.Store {
	switch {
	case bug == "":
		return room.NewMemoryStore()
	case slices.ContainsFunc(nodeMutants, func(m mutant) bool { return m.bug == bug }):
		return newMutantNodes(bug)
	case !slices.ContainsFunc(inspectMutants, func(m mutant) bool { return m.bug == bug }):
		return newMutantStore(bug)
	}
	return &inspectMutant{Inspector: room.NewMemoryStore().(room.Inspector), bug: bug, seated: make(map[room.Seat]bool), expels: make(map[room.Seat]bool)}
}

func (s *inspectMutant) Admit(ctx context.Context, seat room.Seat, version int64, most int) (room.Admission, error) {
	if s.bug != "" {
		s.seated[seat] = true
	}
	return s.Inspector.Admit(ctx, seat, version, most)
}

func (s *inspectMutant) Delete(ctx context.Context, name string) error {
	if s.bug != "" {
		s.deletes = true
	}
	return s.Inspector.Delete(ctx, name)
}

func (s *inspectMutant) Expel(ctx context.Context, name, user string) error {
	switch s.bug {
	case "":
	case "expels nobody":
		return nil
	case "expels everyone", "expels from everywhere":
		for seat := range s.seated {
			if s.bug == "expels everyone" && seat.Room == name || seat.User == user {
				_ = s.Inspector.Expel(ctx, seat.Room, seat.User)
			}
		}
	case "expelling removes":
		for seat := range s.seated {
			if seat.Room == name && seat.User == user {
				_, _ = s.Dismiss(ctx, seat)
			}
		}
	case "who was expelled stays so":
		for seat := range s.seated {
			s.expels[seat] = s.expels[seat] || seat.Room == name && seat.User == user
		}
	}
	return s.Inspector.Expel(ctx, name, user)
}

func (s *inspectMutant) Inspect(ctx context.Context, asks []room.Inspection) ([]room.Finding, error) {
	list, err := s.Inspector.Inspect(ctx, asks)
	switch s.bug {
	case "finds nothing":
		for i := range list {
			list[i] = room.Finding{Seats: make([]room.SeatFinding, len(list[i].Seats))}
		}
	case "finds in another order":
		for i := range list {
			slices.Reverse(list[i].Seats)
		}
	}
	for i := range list {
		for j := range list[i].Seats {
			found := &list[i].Seats[j]
			switch s.bug {
			case "who was expelled stays so":
				found.Expelled = found.Expelled || s.expels[asks[i].Seats[j]]
			case "deleting expels nobody":
				found.Expelled = found.Expelled && !s.deletes
			case "finds no sanctions":
				*found = room.SeatFinding{Expelled: found.Expelled}
			case "finds everyone in":
				found.Node = asks[i].Seats[j].Node
			case "finds bans for mutes":
				found.Banned, found.Muted = found.Muted, found.Banned
			}
		}
	}
	return list, err
}
