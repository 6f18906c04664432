//go:build race

package e2e

// race has the example built with the race detector too.
const race = true
