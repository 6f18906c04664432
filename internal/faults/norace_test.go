//go:build !race

package faults

// For these see race_test.go.
const (
	raceSlack   = 0
	raceHealing = 0
)
