//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is a line of the table: a figure of a scenario.
type row struct {
	scenario string
	unit     string
	value    func(result) float64
	format   string
}

func rows() []row {
	perMillion := func(r result) float64 { return r.PerMillion }
	return []row{
		{"A", "CPU s per million deliveries", perMillion, "%.2f"},
		{"B", "CPU s per million deliveries", perMillion, "%.1f"},
		{"C", "CPU s per million deliveries", perMillion, "%.1f"},
		{"C", "p50 latency, ms", func(r result) float64 { return r.P50 }, "%.0f"},
		{"C", "p99 latency, ms", func(r result) float64 { return r.P99 }, "%.0f"},
		{"D", "KiB RSS each", func(r result) float64 { return r.KiB }, "%.1f"},
		{"E", "CPU µs each", func(r result) float64 { return r.Connect }, "%.0f"},
		{"F", "CPU s per million deliveries", perMillion, "%.1f"},
	}
}

// growth are the rows of the scenarios that only wardroom is put through.
func growth() []row {
	perMillion := func(r result) float64 { return r.PerMillion }
	var list []row
	for _, s := range scenarios() {
		switch {
		case s.load == "huge":
			list = append(
				list,
				row{s.name, "p99 in the small room before the huge one speaks, ms", func(r result) float64 { return r.Alone }, "%.1f"},
				row{s.name, "p99 in the small room meanwhile, ms", func(r result) float64 { return r.P99 }, "%.1f"},
				row{s.name, "p99 of a join of the huge room meanwhile, ms", func(r result) float64 { return r.Join }, "%.1f"},
			)
		case s.load == "accepted":
			list = append(list, row{s.name, "CPU µs per message", perMillion, "%.1f"})
		case s.own && (s.load == "A" || s.load == "B" || s.load == "rooms"):
			list = append(list, row{s.name, "CPU s per million deliveries", perMillion, "%.2f"})
		case s.own:
			list = append(list, row{s.name, "CPU µs per refusal", perMillion, "%.1f"})
		}
		if s.redis && s.load == "A" {
			list = append(list, row{s.name, "scripts run per message", func(r result) float64 { return r.RoundTrip }, "%.2f"})
		}
	}
	return list
}

// head says what was run where, and how.
func (p *plan) head(w io.Writer, reps int) {
	fmt.Fprintf(w, "%s, %s, Linux %s, %d CPUs, %s, node %s. Server on CPU %d, load on CPU %d, GOMAXPROCS=1 for both. Medians of %d interleaved runs, %v each. Load of the machine before: %s.\n\n",
		time.Now().UTC().Format("2006-01-02 15:04 MST"), model(), kernel(), runtime.NumCPU(), runtime.Version(), output("node", "--version"), p.serverCPU, p.loadCPU, reps, p.dur, p.before)
}

// summary is the table against the peers alone.
func (p *plan) summary(w io.Writer, reps int) {
	p.head(w, reps)
	for _, s := range p.scenarios {
		if !s.own {
			fmt.Fprintf(w, "- %s: "+s.about+"\n", s.name, s.members)
		}
	}
	fmt.Fprint(w, "\n")
	p.table(w, p.servers, rows())
}

// report is everything.
func (p *plan) report(w io.Writer, reps int) {
	p.summary(w, reps)
	fmt.Fprint(w, "\nwardroom: HS256 tokens verified (where the column does not say otherwise), origin rules at their default, every limit counted (rates raised so that the load is not refused), "+
		"JSON and UTF-8 validated, sessions, presence, audit log at level warn, heartbeats, slow-consumer rule, memory stores; no history.\n")
	loaded := func(r result) float64 { return 100 * r.LoadCPU / max(r.Seconds, 1e-9) }
	served := func(r result) float64 { return 100 * r.CPU / max(r.Seconds, 1e-9) }
	thousands := func(r result) float64 { return float64(r.Deliveries) / max(r.Seconds, 1e-9) / 1000 }
	perRead := func(r result) float64 { return r.PerRead }
	var further []row
	for _, s := range p.scenarios {
		if s.name == "D" || s.name == "E" || s.own {
			continue
		}
		further = append(further,
			row{s.name, "thousand deliveries/s", thousands, "%.0f"}, row{s.name, "server busy, %", served, "%.0f"},
			row{s.name, "load busy, %", loaded, "%.0f"}, row{s.name, "deliveries per read of a client", perRead, "%.1f"})
	}
	if len(further) > 0 {
		fmt.Fprint(w, "\nWhether the load was the limit, and how much was joined:\n\n")
		p.table(w, p.servers, further)
	}
	alone := slices.DeleteFunc(slices.Clone(p.servers), func(s server) bool { return s.name != "wardroom" && s.name != "floor" })
	if len(alone) > 0 && slices.ContainsFunc(p.scenarios, func(s scenario) bool { return s.own }) {
		fmt.Fprint(w, "\nwardroom, as rooms, members and refusals become many, and with nodes that share a Redis:\n\n")
		for _, s := range p.scenarios {
			if s.own {
				fmt.Fprintf(w, "- %s: "+s.about+"\n", s.name, s.members)
			}
		}
		fmt.Fprint(w, "\n")
		p.table(w, alone, growth())
	}
	for _, f := range p.failures {
		fmt.Fprintf(w, "\nFailed: %s\n", f)
	}
}

// between replaces what stands in a file between the two comments that name
// the benchmark.
func between(path, text string) error {
	const begin, end = "<!-- bench -->\n", "<!-- /bench -->"
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(b), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for the table", path)
	}
	return os.WriteFile(path, []byte(before+begin+text+end+after), 0o644)
}

func (p *plan) table(w io.Writer, servers []server, list []row) {
	fmt.Fprint(w, "| scenario |")
	for _, s := range servers {
		fmt.Fprintf(w, " %s |", s.name)
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("---:|", len(servers)))
	for _, r := range list {
		if !p.has(r.scenario) {
			continue
		}
		fmt.Fprintf(w, "| %s: %s |", r.scenario, r.unit)
		for _, s := range servers {
			fmt.Fprintf(w, " %s |", p.value(r, s.name))
		}
		fmt.Fprintln(w)
	}
}

func (p *plan) has(scenario string) bool {
	for _, s := range p.scenarios {
		if s.name == scenario {
			return true
		}
	}
	return false
}

// value is a cell: the median, with a mark where connections were lost.
func (p *plan) value(r row, server string) string {
	results := p.results[cell{r.scenario, server}]
	if len(results) == 0 {
		return "–"
	}
	var values []float64
	lost := 0
	for _, res := range results {
		values = append(values, r.value(res))
		lost = max(lost, res.Lost)
	}
	s := fmt.Sprintf(r.format, median(values))
	if lost > 0 {
		s += fmt.Sprintf(" (%d lost)", lost)
	}
	return s
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(b))
}

// busy is the load average of the last minute. Others' work makes every figure
// of a run worse, and latencies most.
func busy() string {
	b, _ := os.ReadFile("/proc/loadavg")
	minute, _, _ := strings.Cut(string(b), " ")
	return minute
}

func model() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func output(name string, args ...string) string {
	b, err := exec.CommandContext(context.Background(), name, args...).Output()
	if err != nil {
		return "absent"
	}
	return strings.TrimSpace(string(b))
}
