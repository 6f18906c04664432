//go:build !race

package faults

// raceSlack is for race_test.go.
const raceSlack = 0
