package authtest

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// sessionBugs are the lines that a textbook store can get wrong, and the case that is there for each.
var sessionBugs = []struct{ bug, by string }{
	{"takes the caller's ID", "new IDs"},
	{"counts IDs", "new IDs"},
	{"repeats IDs", "new IDs"},
	{"takes the caller's times", "new IDs"},
	{"loses empty capabilities", "what was stored comes back"},
	{"loses claims", "what was stored comes back"},
	{"loses rooms", "what was stored comes back"},
	{"loses the address", "what was stored comes back"},
	{"loses the token ID", "what was stored comes back"},
	{"creates a new one each call", "what was stored comes back"},
	{"finds by prefix", "what is not there"},
	{"release is strict", "what is not there"},
	{"delete is strict", "what is not there"},
	{"never expires", "expires"},
	{"expires early", "expires"},
	{"lists the expired", "expires"},
	{"touch makes sessions", "expires"},
	{"touch does not slide", "activity puts off the expiry"},
	{"outlives the identity", "not beyond the identity"},
	{"touch says nothing", "touch says what has ended"},
	{"touch stops at the first", "touch says what has ended"},
	{"touch says revoked for unknown", "touch says what has ended"},
	{"touch says unknown for revoked", "touch says what has ended"},
	{"touch takes a thousand", "touch says what has ended"},
	{"goes back", "activity comes late"},
	{"believes clocks that are ahead", "activity comes late"},
	{"touch clears rooms", "touch and rooms"},
	{"rooms are never cleared", "touch and rooms"},
	{"renew keeps the identity", "renew"},
	{"renew begins another", "renew"},
	{"renew is no activity", "renew"},
	{"renews for anybody", "renew refuses"},
	{"renews the revoked", "renew refuses"},
	{"renews, then checks", "renew refuses"},
	{"release does nothing", "release"},
	{"release deletes", "release"},
	{"release puts off", "release"},
	{"touch revives", "release is final"},
	{"releases twice", "release is final"},
	{"renews the released", "release is final"},
	{"delete does nothing", "delete"},
	{"delete takes the user's others", "delete"},
	{"delete revokes", "delete"},
	{"lists the oldest first", "list"},
	{"lists all", "list"},
	{"lists by prefix", "users do not mix"},
	{"revokes by prefix", "users do not mix"},
	{"takes any user", "create refuses"},
	{"takes the expired", "create refuses"},
	{"gives its own slices away", "copies"},
	{"keeps the caller's slice", "copies"},
	{"keeps the slice of a touch", "copies"},
	{"delete does nothing", "many at once"},
	{"the token stays good", "revoke a session"},
	{"revokes once only", "revoke a session"},
	{"lists the revoked", "revoke a session"},
	{"revoked is not found", "revoke a session"},
	{"a token revocation covers all", "revoke a session"},
	{"without a token ID all go", "revoke a session without a token ID"},
	{"revoking deletes", "a revoked session stays known"},
	{"revoking keeps it for ever", "a revoked session stays known"},
	{"token IDs are everybody's", "revoke a token"},
	{"revoking ends no session", "revoke a token"},
	{"create forgets to ask", "revoke a token"},
	{"Revoked knows nothing", "revoke a token"},
	{"revokes what was issued at the time", "revoke what was issued before"},
	{"age unknown is new", "revoke what was issued before"},
	{"never forgets", "remembered until"},
	{"remembers for the TTL", "remembered until"},
	{"no end is the TTL", "remembered until"},
	{"forgets with the session", "remembered until"},
	{"an end that is over is none", "remembered until"},
	{"the last revocation counts", "revocations add up"},
	{"takes any revocation", "revocations that say nothing"},
	{"checks, then creates", "revoke races create"},
}

var ticketBugs = []struct{ bug, by string }{
	{"good for ever", "once"},
	{"reads, then deletes", "once among many"},
	{"loses empty capabilities", "the identity comes back"},
	{"loses the token ID", "the identity comes back"},
	{"expires early", "expires"},
	{"never expires", "expires"},
	{"not there is unavailable", "not there"},
	{"folds keys", "not there"},
	{"takes those that begin alike", "tickets do not mix"},
	{"keeps the first", "replaced"},
	{"keeps the later end", "replaced"},
	{"gives up the oldest of all", "one user's many"},
}

// fails runs one case of a suite in a bubble, in the place of a test that may fail.
func fails[S any](t *testing.T, cases []testCase[S], name string, script func(testing.TB, clock) S) (failed bool, said string) {
	t.Helper()
	i := slices.IndexFunc(cases, func(c testCase[S]) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no case %q", name)
	}
	synctest.Test(t, func(t *testing.T) {
		failed, said = record(t, func(tb testing.TB) {
			cases[i].run(script(tb, clock{unit: time.Hour, slack: time.Millisecond}))
		})
	})
	return failed, said
}

func sessionsOf(bug string) func(testing.TB, clock) *sessions {
	return func(tb testing.TB, c clock) *sessions {
		return newSessions(tb, c, &textbook{ttl: c.ttl(), bug: bug})
	}
}

func ticketsOf(bug string) func(testing.TB, clock) *tickets {
	return func(tb testing.TB, c clock) *tickets {
		return newTickets(tb, c, &ticketbook{bug: bug})
	}
}

// TestSuitesFindBugs shows that each bug is found by the case that is there for it, and that each case is there for one.
func TestSuitesFindBugs(t *testing.T) {
	found := make(map[string]bool)
	for _, b := range sessionBugs {
		t.Run(b.bug+", by "+b.by, func(t *testing.T) {
			if failed, said := fails(t, sessionCases(), b.by, sessionsOf(b.bug)); !failed || strings.Contains(said, "panic: ") {
				t.Errorf("failed %v: %s", failed, said)
			}
		})
		found[b.by] = true
	}
	for _, b := range ticketBugs {
		t.Run(b.bug+", by "+b.by, func(t *testing.T) {
			if failed, said := fails(t, ticketCases(), b.by, ticketsOf(b.bug)); !failed || strings.Contains(said, "panic: ") {
				t.Errorf("failed %v: %s", failed, said)
			}
		})
		found[b.by] = true
	}
	for _, c := range sessionCases() {
		if !found[c.name] || c.why == "" {
			t.Errorf("no bug is found by %q", c.name)
		}
	}
	for _, c := range ticketCases() {
		if !found[c.name] || c.why == "" {
			t.Errorf("no bug is found by %q", c.name)
		}
	}
}

// TestTextbook shows that the suites pass a store that has no bug and is written differently from those in memory.
func TestTextbook(t *testing.T) {
	TestSessionStore(t, func(_ *testing.T, ttl time.Duration) auth.SessionStore { return &textbook{ttl: ttl} })
	TestTicketStore(t, func(*testing.T) auth.TicketStore { return &ticketbook{} })
}

// TestRealTime runs a few cases on the real clock: one that sleeps, and those where goroutines race, which a bubble
// schedules in its own way.
func TestRealTime(t *testing.T) {
	o := []Options{{RealTime: true}}
	pick := []string{"expires", "many at once", "revoke races create"}
	run(t, o, only(sessionCases(), pick), func(_ *testing.T, c clock) *sessions {
		return newSessions(t, c, auth.NewMemorySessions(auth.SessionTTL(c.ttl())))
	})
	pick = []string{"once", "once among many"}
	run(t, o, only(ticketCases(), pick), func(_ *testing.T, c clock) *tickets {
		return newTickets(t, c, auth.NewMemoryTickets())
	})
}

func only[S any](cases []testCase[S], names []string) []testCase[S] {
	return slices.DeleteFunc(cases, func(c testCase[S]) bool { return !slices.Contains(names, c.name) })
}
