//go:build linux

package main

import "time"

// histogram counts durations in steps of 20 µs, up to 20 s.
type histogram struct {
	counts []uint32
	total  int
	most   time.Duration
}

const histogramStep = 20 * time.Microsecond

func newHistogram() *histogram {
	return &histogram{counts: make([]uint32, 20*time.Second/histogramStep+1)}
}

func (h *histogram) add(d time.Duration) {
	h.counts[min(max(0, int(d/histogramStep)), len(h.counts)-1)]++
	h.total++
	h.most = max(h.most, d)
}

// quantile is the duration that the share q of all did not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	left := int(q * float64(h.total))
	for i, n := range h.counts {
		if left -= int(n); left < 0 {
			return time.Duration(i+1) * histogramStep
		}
	}
	return h.most
}
