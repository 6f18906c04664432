package e2e

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

//go:embed testdata/seen.js
var seen string

//go:embed testdata/contrast.js
var contrast string

// patience is for one thing to happen on a machine that is busy.
const patience = 20 * time.Second

// house is what the stories share.
type house struct {
	browser context.Context
	chat    string // the program
}

// tab is a page in a browser context of its own: its storage, and so its
// user, is nobody else's.
type tab struct {
	t   *testing.T
	who string // for failures
	ctx context.Context
	srv *server

	origin string // of the page

	close func() // ends the tab, which must not have complained

	mu         sync.Mutex
	complaints []string // guarded by mu: what the page or the browser complained about
	strangers  []string // guarded by mu: requests that did not go to the server
}

// open opens the server's page in a new tab. It is closed when the test ends,
// if not before.
func (h house) open(t *testing.T, srv *server, who string) *tab {
	t.Helper()
	return h.openAt(t, srv, srv.origin(), who)
}

// openAt is open for a page whose address is not the server's own.
func (h house) openAt(t *testing.T, srv *server, origin, who string) *tab {
	t.Helper()
	b := &tab{t: t, who: who, srv: srv, origin: origin}
	ctx, cancel := chromedp.NewContext(h.browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.hear))
	b.ctx = ctx
	b.close = sync.OnceFunc(func() {
		for _, complaint := range b.heard() {
			t.Errorf("%s: %s", who, complaint)
		}
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("%s: closing the tab: %v", who, err)
		}
		cancel()
	})
	t.Cleanup(b.close)
	// The tab lives as long as the context of what is done in it first.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	b.do(
		chromedp.EmulateViewport(1200, 760),

		chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			// Each of the tabs believes that it is the one in front.
			_, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
			return err
		}),
		chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: seen})
			return err
		}),
		chromedp.Navigate(origin+"/"),
	)
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fatalf("%v", err)
	}
}

// eval sets result to the value of a JavaScript expression, which may be a
// promise. A nil result drops it.
func (b *tab) eval(expression string, result any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.fatalf("%s: %v", expression, err)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal(value, result); err != nil {
		b.fatalf("%s = %s: %v", expression, value, err)
	}
}

// until waits for a JavaScript expression to be true.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void]("seen.until(() => "+expression+")", chromedp.EvalAwaitPromise))
	if err != nil {
		b.fatalf("waiting until %s: %v\n%s", what, err, expression)
	}
}

// fatalf fails the test and says what the user saw.
func (b *tab) fatalf(format string, args ...any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), 5*time.Second)
	defer cancel()
	screen, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		screen = err.Error()
	}
	b.t.Fatalf("%s: %s\n--- on the page\n%s\n--- complaints\n%s\n--- the server's log\n%s", b.who, fmt.Sprintf(format, args...), screen, strings.Join(b.heard(), "\n"), b.srv.log.String())
}

// quote writes a string in JavaScript.
func quote(s string) string {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings can be written
	}
	return string(quoted)
}
