package room_test

import (
	"context"
	"fmt"
	"io"
	"testing"
)

// beginTest makes an example a test, for what wants a testing.TB. Its end comes
// with end.
func beginTest() *exampleTest { return new(exampleTest) }

type exampleTest struct {
	testing.TB // nil: what is not below is not used
	cleanups   []func()
}

func (*exampleTest) Helper()                  {}
func (e *exampleTest) Cleanup(f func())       { e.cleanups = append(e.cleanups, f) }
func (*exampleTest) Context() context.Context { return context.Background() }
func (*exampleTest) Output() io.Writer        { return io.Discard }

func (*exampleTest) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// stopped is what Fatalf panics with.
type stopped struct{}

func (e *exampleTest) Fatalf(format string, args ...any) {
	e.Errorf(format, args...)
	panic(stopped{})
}

func (e *exampleTest) Fatal(args ...any) { e.Fatalf("%s", fmt.Sprint(args...)) }

// end runs the cleanups. What went wrong has been printed and is not among the
// example's output.
func (e *exampleTest) end() {
	p := recover()
	for i := len(e.cleanups) - 1; i >= 0; i-- {
		e.cleanups[i]()
	}
	if p != nil && p != any(stopped{}) {
		panic(p)
	}
}
