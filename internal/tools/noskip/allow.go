package main

import (
	"fmt"
	"strings"
)

// allowList holds "import/path TestName" for every test that may skip.
type allowList map[string]bool

func parseAllowList(text string) (allowList, error) {
	allowed := make(allowList)
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		switch fields := strings.Fields(line); len(fields) {
		case 0:
		case 2:
			allowed[fields[0]+" "+fields[1]] = true
		default:
			return nil, fmt.Errorf("line %d: want an import path and a test name, got %q", number, strings.TrimSpace(line))
		}
	}
	return allowed, nil
}

// allows reports whether test, or a test that it is part of, is on the list.
func (a allowList) allows(pkg, test string) bool {
	for {
		if a[pkg+" "+test] {
			return true
		}
		slash := strings.LastIndexByte(test, '/')
		if slash < 0 {
			return false
		}
		test = test[:slash]
	}
}
