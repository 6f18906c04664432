//go:build !unix

package transport

import (
	"runtime"
	"time"
)

// breath exists on unix only.
type breath struct{}

func lungs() *breath { return nil }

func (*breath) take(since time.Time) time.Time {
	runtime.Gosched()
	return since
}
