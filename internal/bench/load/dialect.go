//go:build linux

package main

import (
	"bytes"
	"fmt"
)

// dialect is how one kind of server is spoken to.
type dialect struct {
	// path of the handshake.
	path func(room string) string
	// token says that the handshake carries one.
	token bool
	// hello are the frames that are sent after the upgrade, one after the
	// other, each when what the one before waits for has come.
	hello func(room string) []step
	// publish is the frame that says data, which is JSON, to the room.
	publish func(room string, data []byte) []byte
	// count is how many messages of the room a frame brings. One that is
	// deflated is not looked into.
	count func(frame []byte, deflated bool) int
}

// step sends a frame, none when empty, and waits for a text frame that holds
// something.
type step struct{ send, wait string }

var dialects = map[string]dialect{
	// Whatever a client sends goes to the room of its handshake, as it is.
	"plain": {
		path:    func(room string) string { return "/ws?room=" + room },
		hello:   func(string) []step { return nil },
		publish: func(_ string, data []byte) []byte { return data },
		count:   func([]byte, bool) int { return 1 },
	},
	"wardroom": {
		path:  func(string) string { return "/ws" },
		token: true,
		hello: func(room string) []step {
			return []step{{"", `"type":"welcome"`}, {`{"type":"join","ref":1,"room":"` + room + `"}`, `"ref":1,"ok":true`}}
		},
		publish: func(room string, data []byte) []byte {
			return fmt.Appendf(nil, `{"type":"message","room":"%s","data":%s}`, room, data)
		},
		count: func(frame []byte, deflated bool) int {
			if deflated || bytes.HasPrefix(frame, []byte(`{"type":"message",`)) {
				return 1
			}
			return 0
		},
	},
	"centrifuge": {
		path: func(string) string { return "/ws" },
		hello: func(room string) []step {
			return []step{
				{`{"id":1,"connect":{}}`, `"id":1,"connect":`},
				{`{"id":2,"subscribe":{"channel":"` + room + `"}}`, `"id":2,"subscribe":`},
			}
		},
		publish: func(room string, data []byte) []byte {
			return fmt.Appendf(nil, `{"id":3,"publish":{"channel":"%s","data":%s}}`, room, data)
		},
		// Several messages, one a line, may share a frame.
		count: func(frame []byte, deflated bool) int {
			if deflated {
				return 1
			}
			return bytes.Count(frame, []byte(`{"push":`))
		},
	},
	"socketio": {
		path: func(room string) string { return "/socket.io/?EIO=4&transport=websocket&room=" + room },
		hello: func(string) []step {
			return []step{{"", `0{"sid"`}, {"40", `40{"sid"`}}
		},
		publish: func(_ string, data []byte) []byte { return fmt.Appendf(nil, `42["m",%s]`, data) },
		count: func(frame []byte, deflated bool) int {
			if deflated || bytes.HasPrefix(frame, []byte("42")) {
				return 1
			}
			return 0
		},
	},
}
