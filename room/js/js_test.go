package js

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFS(t *testing.T) {
	if err := fstest.TestFS(FS(), "wardroom.js", "wardroom.d.ts"); err != nil {
		t.Error(err)
	}
	entries, err := fs.ReadDir(FS(), ".")
	if err != nil || len(entries) != 2 {
		t.Errorf("FS holds %v (%v), want two files", entries, err)
	}
}

func TestHandlerServes(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/js/", Handler())
	mux.Handle("/assets/v1/", http.StripPrefix("/assets/v1/", Handler()))
	mux.Handle("/slash/", http.StripPrefix("/slash", Handler()))
	for _, tt := range []struct{ path, contentType, contains string }{
		{"/js/wardroom.js", "text/javascript; charset=utf-8", "export { Client, Room, WardroomError };"},
		{"/assets/v1/wardroom.js", "text/javascript; charset=utf-8", "export { Client, Room, WardroomError };"},
		{"/slash/wardroom.js", "text/javascript; charset=utf-8", "export { Client, Room, WardroomError };"},
		{"/js/wardroom.d.ts", "application/typescript; charset=utf-8", "export class Client {"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			res, body := do(t, mux, httptest.NewRequest(http.MethodGet, tt.path, nil))
			if res.StatusCode != http.StatusOK {
				t.Fatalf("status %d", res.StatusCode)
			}
			if !strings.Contains(body, tt.contains) {
				t.Errorf("body of %d bytes does not contain %q", len(body), tt.contains)
			}
			for name, want := range map[string]string{
				"Content-Type":           tt.contentType,
				"X-Content-Type-Options": "nosniff",
				"Cache-Control":          "no-cache",
			} {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			etag := res.Header.Get("ETag")
			if len(etag) != 34 || etag[0] != '"' || etag[33] != '"' {
				t.Errorf("ETag %s is not a strong one", etag)
			}
		})
	}
}

func TestHandlerAnswersConditions(t *testing.T) {
	get := func(header, value string) (*http.Response, string) {
		r := httptest.NewRequest(http.MethodGet, "/wardroom.js", nil)
		r.Header.Set(header, value)
		return do(t, Handler(), r)
	}
	res, body := get("Accept", "*/*")
	etag := res.Header.Get("ETag")

	if res, again := get("If-None-Match", etag); res.StatusCode != http.StatusNotModified || again != "" {
		t.Errorf("known: status %d with %d bytes, want 304 with none", res.StatusCode, len(again))
	}
	if res, again := get("If-None-Match", `"other"`); res.StatusCode != http.StatusOK || again != body {
		t.Errorf("outdated: status %d with %d bytes, want all", res.StatusCode, len(again))
	}
	types, _ := do(t, Handler(), httptest.NewRequest(http.MethodGet, "/wardroom.d.ts", nil))
	if types.Header.Get("ETag") == etag {
		t.Error("two files share an ETag")
	}
}

func TestHandlerRefuses(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{http.MethodGet, "/", http.StatusNotFound},
		{http.MethodGet, "/js.go", http.StatusNotFound},
		{http.MethodGet, "/package.json", http.StatusNotFound},
		{http.MethodGet, "/wardroom.js/", http.StatusNotFound},
		{http.MethodGet, "/wardroom.js/x", http.StatusNotFound},
		{http.MethodGet, "/..%2fjs.go", http.StatusNotFound},
		{http.MethodPost, "/wardroom.js", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/wardroom.js", http.StatusMethodNotAllowed},
		{http.MethodHead, "/wardroom.js", http.StatusOK},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			res, body := do(t, Handler(), httptest.NewRequest(tt.method, tt.path, nil))
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
			if res.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("nosniff is missing")
			}
			if tt.method == http.MethodHead && (body != "" || res.Header.Get("Content-Length") == "") {
				t.Errorf("HEAD: %d bytes, Content-Length %q", len(body), res.Header.Get("Content-Length"))
			}
			if tt.status == http.StatusMethodNotAllowed && res.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow: %q", res.Header.Get("Allow"))
			}
		})
	}
}

func do(t *testing.T, h http.Handler, r *http.Request) (*http.Response, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}
