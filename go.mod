module github.com/wardroom/wardroom

go 1.25.0

require (
	github.com/coder/websocket v1.8.15
	github.com/go-json-experiment/json v0.0.0-20251027170946-4849db3c2f7e
	github.com/lestrrat-go/jwx/v3 v3.3.0
	github.com/lmittmann/tint v1.2.1
	go.uber.org/goleak v1.3.0
)
