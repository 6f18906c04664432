//go:build race

package faults

import "time"

// raceSlack is what calls may take longer than otherwise under the race
// detector, with which everything takes several times as long.
const raceSlack = 500 * time.Millisecond
