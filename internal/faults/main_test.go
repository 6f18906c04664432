package faults

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	seed    = flag.Uint64("faults.seed", 21, "seed of the script of faults; 0 is one by the clock")
	lasting = flag.Duration("faults.for", 0, "go on with faults for this long; 0 is each of them once")
	figures = flag.String("faults.figures", "", "write the tables to this file")
	verbose = flag.Bool("faults.log", false, "show what the servers log")
)

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(childEnv); ok {
		os.Exit(child(text))
	}
	flag.Parse()
	// Tests that are parallel mostly wait.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	code := m.Run()
	if *figures != "" {
		if err := os.WriteFile(*figures, published.Bytes(), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if code == 0 {
		// In Toxiproxy a connection that ends while its toxics change may leave one
		// of its own behind.
		if err := goleak.Find(
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"),
		); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

var (
	publishing sync.Mutex // protects published
	published  bytes.Buffer
)

// logger shows what servers log when asked to, and else drops it.
func logger(t testing.TB) *slog.Logger {
	if !*verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}
