// Command noskip reads what go test -json writes and prints what go test
// would have printed without it. It fails when a test failed, when no test
// ran, and when a test was skipped that the allow-list does not name: a suite
// that skips its Redis or its browser half is green and worth little.
//
// Usage:
//
//	go test -json ./... | noskip [-allow FILE]
//
// The input may be of several runs, one after the other. A test that skips in
// one of them and passes in another, such as one that counts allocations and
// cannot under the race detector, is not skipped.
//
// Each line of FILE is an import path and the name of a test in it, and
// allows that test and its subtests to skip. What follows a # is a comment.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	allow := flag.String("allow", "", "file that lists the tests that may skip")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *allow); err != nil {
		fmt.Fprintln(os.Stderr, "noskip:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, allowFile string) error {
	var allowed allowList
	if allowFile != "" {
		text, err := os.ReadFile(allowFile)
		if err != nil {
			return err
		}
		if allowed, err = parseAllowList(string(text)); err != nil {
			return fmt.Errorf("%s: %w", allowFile, err)
		}
	}
	r := newReport(out, allowed)
	if err := r.read(in); err != nil {
		return err
	}
	return r.verdict()
}
