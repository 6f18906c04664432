package faults

import (
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// count is how much of what leaks there is in this process.
type count struct{ goroutines, descriptors int }

// slack is what a client of Redis may hold more or less of.
const slack = 6

// census counts after nodes have been used and left once, so that what is made
// for good is there.
func census(o *oracle, nodes []*node) count {
	c := gather(newOracle(newSheet("warm-up")), nodes, plan{prefix: "w", guests: 60, halls: 6, lives: 5, every: 100 * time.Millisecond}, rand.Uint64())
	_ = c.arrive()
	time.Sleep(time.Second)
	c.leave()
	_ = o
	return steady()
}

// steady counts when nothing changes any more.
func steady() count {
	last := now()
	for range 50 {
		time.Sleep(100 * time.Millisecond)
		next := now()
		if next == last {
			break
		}
		last = next
	}
	return last
}

func now() count {
	return count{len(goroutines()), descriptors()}
}

// goroutines are the stacks of all but Toxiproxy's, which leaves some of its own
// behind when toxics change while connections end.
func goroutines() []string {
	buf := make([]byte, 4<<20)
	list := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	return slices.DeleteFunc(list, func(stack string) bool { return strings.Contains(stack, "Shopify/toxiproxy") })
}

func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // no such thing here
	}
	return len(list)
}

// again sees that there is no more than there was, within 5 s.
func (was count) again(o *oracle) {
	began := time.Now()
	for {
		is := now()
		if is.goroutines <= was.goroutines+slack && is.descriptors <= was.descriptors+slack {
			o.took("goroutines and descriptors at the baseline after", time.Since(began))
			o.count("goroutines above the baseline", max(0, is.goroutines-was.goroutines))
			o.count("descriptors above the baseline", max(0, is.descriptors-was.descriptors))
			return
		}
		if time.Since(began) > 5*time.Second {
			o.violate(leaked, "%+v, were %+v\n%s", is, was, strings.Join(goroutines(), "\n\n"))
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
