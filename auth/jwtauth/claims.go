package jwtauth

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// times are a token's claims about time; a zero one is absent.
type times struct {
	expires, notBefore, issued time.Time
}

// check holds RFC 7519 section 4.1.4 and 4.1.5: from exp on, and before nbf, the token is not accepted.
func (t times) check(now time.Time, leeway time.Duration) error {
	if !t.expires.IsZero() && !now.Before(t.expires.Add(leeway)) {
		return fmt.Errorf("%w: exp is over", auth.ErrExpired)
	}
	if !t.notBefore.IsZero() && now.Before(t.notBefore.Add(-leeway)) {
		return refuse("nbf is still to come")
	}
	// An issuer's clock may run ahead a little; by more than that it is no longer clear what its exp means.
	if t.issued.After(now.Add(maxLeeway)) {
		return refuse("iat is in the future")
	}
	return nil
}

// checkClaims checks the registered claims of a token whose signature is right, except iss, by which the issuer was found.
func (iss *issuer) checkClaims(claims map[string]any, now time.Time, leeway time.Duration) (times, error) {
	if !iss.InsecureAnyAudience && !iss.hasAudience(claims["aud"]) {
		return times{}, refuse("aud is missing or wrong")
	}
	if s, ok := claims["sub"].(string); (!ok || s == "") && !iss.InsecureNoSubject {
		return times{}, refuse("sub is missing")
	}
	var t times
	for _, f := range []struct {
		name string
		at   *time.Time
	}{{"exp", &t.expires}, {"nbf", &t.notBefore}, {"iat", &t.issued}} {
		value, ok := claims[f.name]
		if !ok {
			continue
		}
		if *f.at, ok = numericDate(value); !ok {
			return times{}, refuse(f.name + " is not a date")
		}
	}
	if t.expires.IsZero() && !iss.InsecureNoExpiry {
		return times{}, refuse("exp is missing")
	}
	return t, t.check(now, leeway)
}

// hasAudience takes aud in both forms of RFC 7519 section 4.1.3, a string and an array of strings.
func (iss *issuer) hasAudience(aud any) bool {
	switch aud := aud.(type) {
	case string:
		return slices.Contains(iss.Audiences, aud)
	case []any:
		found := false
		for _, a := range aud {
			s, ok := a.(string)
			if !ok {
				return false
			}
			found = found || slices.Contains(iss.Audiences, s)
		}
		return found
	default:
		return false
	}
}

// maxDate is the last second of the year 9999.
const maxDate = 253402300799

// numericDate reads a NumericDate (RFC 7519 section 2): seconds since the Unix epoch, with a fraction or not. A string
// of digits is none. Zero is taken as the first second, so that it cannot pass for absent.
func numericDate(v any) (time.Time, bool) {
	seconds, ok := v.(float64)
	if !ok || seconds < 0 || seconds > maxDate {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))), true
}
