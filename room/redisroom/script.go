package redisroom

import (
	"crypto/sha1" //nolint:gosec // Redis names scripts by it
	_ "embed"
	"encoding/hex"
)

var (
	//go:embed lua/log.lua
	logText string
	//go:embed lua/publish.lua
	publishText string
	//go:embed lua/amend.lua
	amendText string
	//go:embed lua/position.lua
	positionText string
	//go:embed lua/fill.lua
	fillText string
	//go:embed lua/replay.lua
	replayText string
	//go:embed lua/forget.lua
	forgetText string
)

var (
	publishScript  = newRoomScript(publishText)
	amendScript    = newRoomScript(amendText)
	positionScript = newRoomScript(positionText)
	fillScript     = newRoomScript(fillText)
	replayScript   = newRoomScript(replayText)
	forgetScript   = newRoomScript(forgetText)
)

// script is one that many calls of go out together. None is read-only: a
// replica may be behind.
type script struct{ text, sha string }

func newRoomScript(text string) *script {
	text = logText + text
	sum := sha1.Sum([]byte(text)) //nolint:gosec // as above
	return &script{text, hex.EncodeToString(sum[:])}
}
