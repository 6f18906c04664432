package redisroom

import (
	_ "embed"

	"github.com/wardroom/wardroom/internal/redisx"
)

var (
	//go:embed lua/room.lua
	roomText string
	//go:embed lua/create.lua
	createText string
	//go:embed lua/update.lua
	updateText string
	//go:embed lua/delete.lua
	deleteText string
	//go:embed lua/admit.lua
	admitText string
	//go:embed lua/dismiss.lua
	dismissText string
	//go:embed lua/sanction.lua
	sanctionText string
	//go:embed lua/expel.lua
	expelText string
	//go:embed lua/inspect.lua
	inspectText string
	//go:embed lua/members.lua
	membersText string
	//go:embed lua/reap.lua
	reapText string
	//go:embed lua/bury.lua
	buryText string
	//go:embed lua/nodes.lua
	nodesText string
	//go:embed lua/beat.lua
	beatText string
	//go:embed lua/inherit.lua
	inheritText string
	//go:embed lua/reaped.lua
	reapedText string
)

// storeScripts are the scripts of a store. None is read-only: such a one might
// be run by a replica, which hears of a ban late.
type storeScripts struct {
	create, update, remove, admit, dismiss, sanction, members, reap redisx.Script // of one room
	expel, inspect                                                  redisx.Script // of one room
	bury                                                            redisx.Script // of one shard
	beat, inherit, reaped                                           redisx.Script // of the leases
}

func newStoreScripts() storeScripts {
	room := func(text string) redisx.Script { return redisx.NewScript(roomText+text, false) }
	nodes := func(text string) redisx.Script { return redisx.NewScript(nodesText+text, false) }
	return storeScripts{
		create: room(createText), update: room(updateText), remove: room(deleteText),
		admit: room(admitText), dismiss: room(dismissText), sanction: room(sanctionText),
		expel: room(expelText), inspect: room(inspectText),
		members: room(membersText), reap: room(reapText),
		bury: redisx.NewScript(buryText, false),
		beat: nodes(beatText), inherit: nodes(inheritText), reaped: nodes(reapedText),
	}
}
