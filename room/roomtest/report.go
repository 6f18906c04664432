package roomtest

import (
	"fmt"
	"strings"
)

// shown is how many frames a failure shows.
const shown = 20

// fail ends the test with what was wrong and what there was instead.
func (c *Client) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("roomtest: %s: %s%s", c.name, fmt.Sprintf(format, args...), c.report())
}

// report is what came and was not expected, and whether the connection is open.
func (c *Client) report() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	switch n := len(c.frames); n {
	case 0:
		b.WriteString("\nnothing else has come")
	default:
		fmt.Fprintf(&b, "\n%d came that nobody has expected yet, oldest first:", n)
		for i, f := range c.frames {
			if i == shown {
				fmt.Fprintf(&b, "\n\t… and %d more", n-shown)
				break
			}
			fmt.Fprintf(&b, "\n\t%v", f)
		}
	}
	if c.end != nil {
		fmt.Fprintf(&b, "\nthe connection has ended with %d %q", c.end.Code, c.end.Reason)
	} else {
		b.WriteString("\nthe connection is open")
	}
	return b.String()
}
