package limittest

import (
	"fmt"
	"strings"
	"time"

	"github.com/wardroom/wardroom/limit"
)

func keys(s *script) {
	r := limit.Rate{Events: 2, Per: 24 * time.Hour}
	all := []string{
		"", " ", "a", "A", "ab", "a:b", "a:", ":b", "a b", "b", "a\x00", "a\x00b", "\x00", "\n", "*", "?", "a*",
		"{a}", "{a}b", "{b}a", "%61", "é", "e\u0301", "\xff", "\xfe", "0", "00", "1", "-1",
		strings.Repeat("k", 1000), strings.Repeat("k", 1001),
		"user:1", "user:11", "user:1:1", "192.0.2.1", "2001:db8::/64",
	}
	for i, key := range all {
		s.admit(key, r, 2)
		s.refuse(key, r, 1)
		for _, fresh := range all[i+1:] {
			s.admit(fresh, r, 0)
		}
	}
	for _, key := range all {
		s.refuse(key, r, 1)
	}
}

func crowd(s *script) {
	r := limit.Rate{Events: 2, Per: 24 * time.Hour}
	fast := limit.Rate{Events: 5, Per: time.Second}
	crowd, pause := 2000, 50*time.Millisecond
	if !s.exact() {
		crowd, pause = 500, 0
	}
	s.admit("debtor", r, 2)
	for i := range crowd {
		key := fmt.Sprint("passer-by ", i)
		s.admit(key, fast, 1)
		s.admit(key, fast, 4)
		time.Sleep(pause)
		if i%10 == 0 {
			s.refuse("debtor", r, 1)
		}
	}
	s.refuse("debtor", r, 1)
	s.admit("passer-by 0", fast, 0)
}
