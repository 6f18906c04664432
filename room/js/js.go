// Package js holds wardroom's browser client: one ES module without
// dependencies, and its TypeScript declarations.
//
// A host application serves both from its own binary:
//
//	mux.Handle("GET /js/", js.Handler())
//
// and its pages import them:
//
//	<script type="module">
//	  import { Client } from "/js/wardroom.js";
//	</script>
//
// README.md in this directory describes the client. The module is written in
// src/, one noun per file; wardroom.js is those files joined, so that a page
// needs one request and can never mix two versions. After a change in src/
//
//	go test ./room/js -run Bundle -update
//
// joins them again.
package js

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

//go:embed wardroom.js wardroom.d.ts
var files embed.FS

// FS returns a read-only file system with wardroom.js and wardroom.d.ts at its
// root, for hosts that have an asset pipeline of their own.
func FS() fs.FS { return files }

// Handler serves wardroom.js and wardroom.d.ts to GET and HEAD requests. It
// goes by the last element of the path alone, so it can be mounted anywhere,
// with [http.StripPrefix] or without. Every other name is 404.
//
// Browsers are told to ask again before they use a copy (Cache-Control:
// no-cache) and get 304 by ETag (RFC 9110, section 8.8.3) until the host is
// built with another version. The handler is safe for concurrent use.
func Handler() http.Handler {
	assets := map[string]asset{
		"wardroom.js":   newAsset("wardroom.js", "text/javascript; charset=utf-8"), // RFC 9239
		"wardroom.d.ts": newAsset("wardroom.d.ts", "application/typescript; charset=utf-8"),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		a, ok := assets[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			header.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		header.Set("Content-Type", a.contentType)
		header.Set("Cache-Control", "no-cache")
		header.Set("ETag", a.etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.content))
	})
}

type asset struct {
	content           []byte
	contentType, etag string
}

func newAsset(name, contentType string) asset {
	content, err := files.ReadFile(name)
	if err != nil {
		panic("wardroom: " + err.Error()) // the compiler embedded it
	}
	sum := sha256.Sum256(content)
	return asset{content, contentType, `"` + hex.EncodeToString(sum[:16]) + `"`}
}
