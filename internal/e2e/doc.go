// Package e2e holds no code. Its test drives examples/chat as people do: the
// example is built and run as a process, and each of its users is a tab in
// headless Chromium, with a browser context of its own, that sees and presses
// what is on the page.
//
//	go test .                                     everything
//	go test -run TestChat/restart .               one story
//	go test -run TestChat/picture -update .       write docs/chat.png
//
// Where no Chromium or Chrome is on PATH the test skips. Add -count=1 to run
// again after a change that is only in the example: go test does not see that
// one.
package e2e
