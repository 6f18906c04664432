//go:build race

package room_test

// race scales down what the race detector makes slow.
const race = true
