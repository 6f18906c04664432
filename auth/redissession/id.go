package redissession

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/wardroom/wardroom/auth"
)

const (
	randomLength = 26 // of auth.NewSessionID
	tagBytes     = 20
	tagLength    = tagBytes * 8 / 5
)

// Tag returns what the keys of a user have in common: the first 20 bytes of the SHA-256 of the ID, in base32.
func Tag(user string) string {
	digest := sha256.Sum256([]byte(user))
	return base32.StdEncoding.EncodeToString(digest[:tagBytes])
}

// newID returns an ID for a session of the user with the tag.
func newID(tag string) string {
	return auth.NewSessionID() + tag
}

// tagOf returns the tag in a session's ID, unless it is none of ours. It says nothing of whether there is such a session.
func tagOf(id string) (tag string, ok bool) {
	if len(id) != randomLength+tagLength {
		return "", false
	}
	for i := range len(id) {
		if c := id[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return "", false
		}
	}
	return id[randomLength:], true
}

// none stands for a time or a token that there is not.
const none = "-"

// tokenDigest is what a token ID is kept by: it has the same short length for all, whatever an issuer writes into one.
func tokenDigest(tokenID string) string {
	if tokenID == "" {
		return none
	}
	digest := sha256.Sum256([]byte(tokenID))
	return hex.EncodeToString(digest[:16])
}

// The first and the last time that a store tells apart. What is beyond them is as good as they are.
var (
	firstTime = time.Time{}
	lastTime  = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

// micros writes a time in microseconds since 1970, rounded down.
func micros(t time.Time) string {
	switch {
	case t.Before(firstTime):
		t = firstTime
	case t.After(lastTime):
		t = lastTime
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}

// microsUp is micros rounded up, so that a revocation covers no less than was said.
func microsUp(t time.Time) string {
	if down := t.Truncate(time.Microsecond); !down.Equal(t) {
		t = down.Add(time.Microsecond)
	}
	return micros(t)
}

// microsOrNone is micros of a time that may be zero, which means never.
func microsOrNone(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return micros(t)
}

func microsOf(d time.Duration) string {
	return strconv.FormatInt(d.Microseconds(), 10)
}
