package e2e

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// TestChat is one test so that its stories share a browser and a build.
func TestChat(t *testing.T) {
	h := house{browser: startBrowser(t), chat: buildChat(t)}
	for _, story := range []struct {
		name string
		tell func(*testing.T, house)
	}{
		{"talk", talk},
		{"reload", reload},
		{"markup", markup},
		{"change", change},
		{"doors", doors},
		{"tiny", tiny},
		{"refusals", refusals},
		{"history", history},
		{"restart", restart},
		{"recovery", recovery},
		{"keyboard", keyboard},
		{"looks", looks},
		{"picture", picture},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel() // mostly they wait
			story.tell(t, h)
		})
	}
}
