//go:build race

package faults

import "time"

const (
	// raceSlack is what calls may take longer than otherwise under the race
	// detector, with which everything takes several times as long.
	raceSlack = 500 * time.Millisecond
	// raceHealing is what everything may take longer to be as before.
	raceHealing = 10 * time.Second
)
