package transport

import (
	"bytes"
	"compress/flate"
	"sync"
)

// deflaters are shared because a compressor is large (over 600 KiB) and is
// needed only for the moment a message is published.
var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // fails only for a bad level
	return w
}}

// Deflate appends the permessage-deflate form of a message payload, made
// without context takeover so that every connection can be sent the same
// bytes (RFC 7692, sections 7.2.1 and 7.1.1.1).
func Deflate(dst, payload []byte) []byte {
	buf := bytes.NewBuffer(dst)
	w := deflaters.Get().(*flate.Writer)
	w.Reset(buf)
	_, _ = w.Write(payload) // a bytes.Buffer takes everything
	_ = w.Flush()
	deflaters.Put(w)
	out := buf.Bytes()
	return out[:len(out)-4] // the 00 00 FF FF that the receiver adds again
}
