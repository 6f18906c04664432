package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// hear notes what nobody should find in the console of a page that works. It
// runs on the goroutine that reads from the browser.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			var words []string
			for _, arg := range e.Args {
				words = append(words, string(arg.Value)+arg.Description)
			}
			b.complaints = append(b.complaints, fmt.Sprintf("console.%s: %s", e.Type, strings.Join(words, " ")))
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			text += " " + thrown.Description
		}
		b.complaints = append(b.complaints, "exception: "+text)
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			b.complaints = append(b.complaints, fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, b.origin+"/") && !strings.HasPrefix(e.Request.URL, "data:") {
			b.strangers = append(b.strangers, e.Request.URL)
		}
	}
}

// heard returns all complaints so far.
func (b *tab) heard() []string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), 5*time.Second)
	defer cancel()
	// When the page has answered, all that was before has been heard.
	_ = chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void]("0"))
	b.mu.Lock()
	defer b.mu.Unlock()
	all := append([]string(nil), b.complaints...)
	for _, url := range b.strangers {
		all = append(all, "the page asked another server: "+url)
	}
	return all
}

// forgive drops the complaints that contain part, which the story expects.
func (b *tab) forgive(part string) {
	b.heard()
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := b.complaints[:0]
	for _, complaint := range b.complaints {
		if !strings.Contains(complaint, part) {
			kept = append(kept, complaint)
		}
	}
	b.complaints = kept
}
