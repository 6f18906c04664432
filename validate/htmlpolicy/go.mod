module github.com/wardroom/wardroom/validate/htmlpolicy

go 1.25.0

require (
	github.com/microcosm-cc/bluemonday v1.0.27
	github.com/wardroom/wardroom v0.0.0
	go.uber.org/goleak v1.3.0
	golang.org/x/net v0.57.0
)

require (
	github.com/aymerick/douceur v0.2.0 // indirect
	github.com/gorilla/css v1.0.1 // indirect
)

replace github.com/wardroom/wardroom => ../..
