//go:build linux

// Command bench measures wardroom and its peers and prints the table of
// docs/PERFORMANCE.md as Markdown:
//
//	go run ./cmd/bench            # in internal/bench
//	go run ./cmd/bench -reps 1 -scenarios A,B -peers floor,wardroom
//	go run ./cmd/bench -write ../.. # puts the tables into README.md and docs/PERFORMANCE.md
//
// Servers are processes of their own, started anew for every run and bound to
// one CPU; the load generator is bound to another. Repetitions are interleaved,
// so that a disturbance hits all alike, and medians are shown.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	reps := flag.Int("reps", 3, "repetitions of every run")
	dur := flag.Duration("for", 1500*time.Millisecond, "time of measuring in one run")
	only := flag.String("scenarios", "", "names of the scenarios to run, separated by commas or, where there are semicolons, by those; default all")
	peers := flag.String("peers", "", "comma-separated names of the servers to run; default all")
	scale := flag.Float64("scale", 1, "factor for the numbers of members")
	serverCPU := flag.Int("server-cpu", 0, "CPU of the servers")
	loadCPU := flag.Int("load-cpu", 1, "CPU of the load generator")
	write := flag.String("write", "", "root of the repository whose README.md and docs/PERFORMANCE.md get the tables")
	pprof := flag.String("pprof", "", "address at which each Go server serves its profiles meanwhile")
	flag.Parse()

	p := plan{dur: *dur, serverCPU: *serverCPU, loadCPU: *loadCPU, pprof: *pprof, before: busy(), results: make(map[cell][]result)}
	for _, s := range scenarios() {
		if wanted(*only, s.name) {
			s.members = int(float64(s.members) * *scale)
			p.scenarios = append(p.scenarios, fit(s))
		}
	}
	dir, err := os.MkdirTemp("", "wardroom-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p.dir = dir
	all, err := servers(dir)
	if err != nil {
		return err
	}
	for _, s := range all {
		if wanted(*peers, s.name) {
			p.servers = append(p.servers, s)
		}
	}
	if err := p.build(); err != nil {
		return err
	}
	for rep := range *reps {
		p.round(rep)
	}
	p.report(os.Stdout, *reps)
	if *write == "" {
		return nil
	}
	var readme, whole strings.Builder
	p.summary(&readme, *reps)
	p.report(&whole, *reps)
	return errors.Join(
		between(filepath.Join(*write, "README.md"), readme.String()),
		between(filepath.Join(*write, "docs", "PERFORMANCE.md"), whole.String()),
	)
}

func wanted(list, name string) bool {
	sep := ","
	if strings.Contains(list, ";") {
		sep = ";"
	}
	return list == "" || slices.Contains(strings.Split(list, sep), name)
}

// fit makes a scenario smaller that needs more descriptors than there are.
func fit(s scenario) scenario {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return s
	}
	if most := int(min(l.Max, 1<<30)) - 200; s.members > most && s.name != "E" {
		fmt.Fprintf(os.Stderr, "%s: %d instead of %d members, for want of file descriptors\n", s.name, most, s.members)
		s.members = most
	}
	return s
}

// median of a list that is not empty.
func median[T cmp.Ordered](list []T) T {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}
