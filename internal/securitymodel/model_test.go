package securitymodel

import (
	"fmt"
	"slices"
	"strings"
)

// section is a part of the document that has a table.
type section struct {
	title string
	rows  []row
}

// row is a line of a table: a threat, or the name of a default, and what is
// said of it.
type row struct {
	what    string
	planned bool
	tests   []string // that are named, such as room.TestCanary/json
}

// parse reads the tables of the sections, each from the first cell and the
// last of its rows.
func parse(doc string) []section {
	var list []section
	for line := range strings.Lines(doc) {
		line = strings.TrimSuffix(line, "\n")
		if title, ok := strings.CutPrefix(line, "## "); ok {
			list = append(list, section{title: title})
			continue
		}
		if len(list) == 0 || !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "|---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		r := row{what: cells[0], planned: strings.Contains(line, "*planned*")}
		for i, part := range strings.Split(cells[len(cells)-1], "`") {
			if i%2 == 1 {
				r.tests = append(r.tests, part)
			}
		}
		s := &list[len(list)-1]
		s.rows = append(s.rows, r)
	}
	return list
}

// check returns what is wrong with the tables of threats and of defaults, where
// want has the rows that each section must have and exists says which tests
// there are.
func check(doc string, want map[string][]string, exists func(test string) bool) (faults []string) {
	sections := parse(doc)
	for title, threats := range want {
		i := slices.IndexFunc(sections, func(s section) bool { return s.title == title })
		if i < 0 {
			faults = append(faults, "there is no section "+title)
			continue
		}
		rows := sections[i].rows
		if len(rows) > 0 {
			rows = rows[1:] // the head
		}
		for _, threat := range threats {
			if !slices.ContainsFunc(rows, func(r row) bool { return r.what == threat }) {
				faults = append(faults, fmt.Sprintf("%s: there is no row %q", title, threat))
			}
		}
		for _, r := range rows {
			if !slices.Contains(threats, r.what) {
				faults = append(faults, fmt.Sprintf("%s: the row %q is not in the list of this test", title, r.what))
			}
			if r.planned != (len(r.tests) == 0) {
				faults = append(faults, fmt.Sprintf("%s: the row %q names tests or is planned, not both nor neither", title, r.what))
			}
			for _, test := range r.tests {
				if !exists(test) {
					faults = append(faults, fmt.Sprintf("%s: the row %q names %s, which does not exist", title, r.what, test))
				}
			}
		}
	}
	slices.Sort(faults)
	return faults
}
