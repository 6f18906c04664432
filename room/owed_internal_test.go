package room

import "testing"

// However many sessions cannot be released, no more are kept in mind than that.
func TestOwedSessionsAreBounded(t *testing.T) {
	var s Server
	for range 3 {
		s.owe(make([]string, mostOwed/2+1))
	}
	if len(s.owed) != mostOwed {
		t.Errorf("%d are kept in mind, want %d", len(s.owed), mostOwed)
	}
}
