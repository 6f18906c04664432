package redistest

import (
	"testing"

	"github.com/redis/rueidis"
)

// Each runs f against a server alone, a cluster, and a primary found through
// Sentinels, as parallel subtests "alone", "cluster" and "sentinel".
func Each(t *testing.T, f func(t *testing.T, client rueidis.Client)) {
	t.Helper()
	for _, kind := range []struct {
		name  string
		start func(t *testing.T) rueidis.Client
	}{
		{"alone", func(t *testing.T) rueidis.Client { return Start(t).Client() }},
		{"cluster", func(t *testing.T) rueidis.Client { return StartCluster(t).Client() }},
		{"sentinel", func(t *testing.T) rueidis.Client { return StartSentinel(t).Client() }},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			f(t, kind.start(t))
		})
	}
}
