package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is a line of go test -json: the TestEvent of go doc test2json, and the
// BuildEvent of go help buildjson, which has ImportPath in place of Package.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
}

// line is one piece of output and the test that wrote it; the package itself
// writes under the empty name.
type line struct{ test, text string }

// pkg is a package whose tests have not all ended.
type pkg struct {
	lines []line
	ended map[string]string // test to its last action: pass, fail or skip
}

type report struct {
	out     io.Writer
	allowed allowList

	open    map[string]*pkg
	passed  map[string]bool // "import/path TestName"
	failed  []string
	refused []refusal
}

// refusal is a test that skipped and may not.
type refusal struct{ name, why string }

func newReport(out io.Writer, allowed allowList) *report {
	return &report{out: out, allowed: allowed, open: make(map[string]*pkg), passed: make(map[string]bool)}
}

// read takes events until in ends. A line that is no event, such as what make
// or a compiler says, is passed on as it is.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		text, err := lines.ReadBytes('\n')
		if len(text) > 0 {
			var e event
			if bytes.HasPrefix(text, []byte("{")) && json.Unmarshal(text, &e) == nil && e.Action != "" {
				r.take(e)
			} else {
				fmt.Fprintf(r.out, "%s\n", bytes.TrimRight(text, "\r\n"))
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	if e.Package == "" {
		r.build(e)
		return
	}
	p := r.open[e.Package]
	if p == nil {
		p = &pkg{ended: make(map[string]string)}
		r.open[e.Package] = p
	}
	switch e.Action {
	case "output":
		p.lines = append(p.lines, line{e.Test, e.Output})
	case "pass", "fail", "skip":
		if e.Test == "" {
			delete(r.open, e.Package)
			r.end(e.Package, p, e.Action)
			return
		}
		p.ended[e.Test] = e.Action
		switch e.Action {
		case "pass":
			r.passed[e.Package+" "+e.Test] = true
		case "skip":
			r.skip(e.Package, e.Test, p)
		}
	}
}

func (r *report) build(e event) {
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "build-fail":
		r.failed = append(r.failed, e.ImportPath+" (build)")
	}
}

func (r *report) skip(path, test string, p *pkg) {
	var why []string
	for _, l := range p.lines {
		if l.test == test && !frame(l.text) {
			why = append(why, strings.TrimSpace(l.text))
		}
	}
	refused := refusal{path + " " + test, strings.Join(why, " ")}
	if r.allowed.allows(path, test) {
		fmt.Fprintf(r.out, "skip, allowed: %s: %s\n", refused.name, refused.why)
		return
	}
	r.refused = append(r.refused, refused)
}

// end prints a package's result: its closing line when it passed, and
// everything but the output of its good tests when it failed.
func (r *report) end(path string, p *pkg, action string) {
	if action == "fail" {
		r.failed = append(r.failed, path)
	}
	for _, l := range p.lines {
		var show bool
		switch {
		case action != "fail":
			show = l.test == "" && (strings.HasPrefix(l.text, "ok ") || strings.HasPrefix(l.text, "? "))
		case l.test == "":
			show = true
		default:
			ended := p.ended[l.test]
			show = ended != "pass" && ended != "skip" && !strings.HasPrefix(l.text, "=== ")
		}
		if show {
			fmt.Fprint(r.out, l.text)
		}
	}
}

// verdict is nil when everything passed and nothing was skipped unallowed. A
// test that skipped in one run and passed in another was not skipped.
func (r *report) verdict() error {
	var errs []error
	for _, path := range slices.Sorted(maps.Keys(r.open)) {
		r.end(path, r.open[path], "fail")
	}
	if len(r.failed) > 0 {
		errs = append(errs, fmt.Errorf("failed: %s", strings.Join(r.failed, ", ")))
	}
	for _, refused := range r.refused {
		if !r.passed[refused.name] {
			errs = append(errs, fmt.Errorf("skipped, not allowed: %s: %s", refused.name, refused.why))
		}
	}
	if len(r.passed) == 0 && len(r.failed) == 0 {
		errs = append(errs, errors.New("no test ran"))
	}
	return errors.Join(errs...)
}

// frame reports whether text is a line that package testing put around a
// test's own output.
func frame(text string) bool {
	text = strings.TrimLeft(text, " ")
	return strings.HasPrefix(text, "=== ") || strings.HasPrefix(text, "--- ")
}
