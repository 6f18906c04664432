package redisroom

import "crypto/sha256"

// digest names a message ID of a user: 128 bits of the hash of both.
func digest(from, id string) string {
	h := sha256.New()
	h.Write([]byte{byte(len(from) >> 8), byte(len(from))})
	h.Write([]byte(from))
	h.Write([]byte(id))
	return string(h.Sum(nil)[:16])
}
