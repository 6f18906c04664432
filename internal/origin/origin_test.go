package origin

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// request is a handshake with the given Origin headers.
func request(host string, overTLS bool, origins ...string) *http.Request {
	r := &http.Request{Host: host, Header: http.Header{}}
	for _, o := range origins {
		r.Header.Add("Origin", o)
	}
	if overTLS {
		r.TLS = &tls.ConnectionState{}
	}
	return r
}

func policy(tb testing.TB, patterns ...string) *Policy {
	tb.Helper()
	p, err := New(patterns...)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestOriginAbsent(t *testing.T) {
	for _, tt := range []struct {
		name            string
		require, cookie bool
		ok              bool
	}{
		{"native client with a token", false, false, true},
		{"cookie", false, true, false},
		{"token, but RequireOrigin", true, false, false},
		{"cookie and RequireOrigin", true, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, patterns := range [][]string{nil, {"https://app.example.com"}} {
				p := policy(t, patterns...)
				p.RequireOrigin = tt.require
				err := p.Check(request("app.example.com", true), tt.cookie)
				if (err == nil) != tt.ok {
					t.Errorf("patterns %q: %v", patterns, err)
				}
				if err != nil && !errors.Is(err, ErrForbidden) {
					t.Errorf("%v is no ErrForbidden", err)
				}
			}
		})
	}
}

// allowed is the list that the tests of forms and look-alikes use.
var allowed = []string{
	"https://app.com",
	"http://dev.app.com:8080",
	"https://*.tenants.app.com",
	"https://[2001:db8::1]",
	"http://127.0.0.1:3000",
	"https://xn--bcher-kva.example",
	"capacitor://localhost",
}

func TestOriginAllowed(t *testing.T) {
	p := policy(t, allowed...)
	for _, o := range []string{
		"https://app.com",
		"https://app.com:443",
		"HTTPS://APP.com",
		"http://dev.app.com:8080",
		"https://one.tenants.app.com",
		"https://One.Tenants.App.Com:443",
		"https://[2001:db8::1]",
		"https://[2001:DB8:0:0::0:1]:443",
		"http://127.0.0.1:3000",
		"https://xn--bcher-kva.example",
		"capacitor://localhost",
	} {
		for _, cookie := range []bool{false, true} {
			if err := p.Check(request("elsewhere", false, o), cookie); err != nil {
				t.Errorf("%q with cookie %v: %v", o, cookie, err)
			}
		}
	}
}

func TestOriginForms(t *testing.T) {
	p := policy(t, allowed...)
	for name, o := range map[string]string{
		"null":                       "null",
		"empty":                      "",
		"star":                       "*",
		"userinfo":                   "https://app.com@evil.com",
		"userinfo before ours":       "https://evil.com@app.com",
		"empty userinfo":             "https://@app.com",
		"path":                       "https://app.com/",
		"longer path":                "https://app.com/x",
		"path that ends like ours":   "https://evil.com/https://app.com",
		"backslash":                  `https://app.com\.evil.com`,
		"query":                      "https://app.com?x",
		"fragment":                   "https://app.com#x",
		"no scheme":                  "//app.com",
		"host only":                  "app.com",
		"one slash":                  "https:/app.com",
		"three slashes":              "https:///app.com",
		"file":                       "file://",
		"file with our host":         "file://app.com",
		"other scheme":               "http://app.com",
		"websocket scheme":           "wss://app.com",
		"javascript":                 "javascript://app.com",
		"scheme of bytes":            "h\x00ttps://app.com",
		"scheme that starts wrong":   "1https://app.com",
		"other port":                 "https://app.com:8443",
		"port of the other scheme":   "https://app.com:80",
		"empty port":                 "https://app.com:",
		"port zero":                  "https://app.com:0",
		"padded port":                "https://app.com:0443",
		"port that wraps":            "https://app.com:65979",
		"long port":                  "https://app.com:4430000000",
		"signed port":                "https://app.com:+443",
		"two ports":                  "https://app.com:443:443",
		"port missing":               "http://dev.app.com",
		"trailing dot":               "https://app.com.",
		"leading dot":                "https://.app.com",
		"empty label":                "https://app..com",
		"leading space":              " https://app.com",
		"trailing space":             "https://app.com ",
		"tab":                        "https://app.com\t",
		"two in one header":          "https://app.com, https://app.com",
		"two by space":               "https://app.com https://evil.com",
		"percent":                    "https://app%2ecom",
		"beyond ASCII":               "https://bücher.example",
		"fullwidth dot":              "https://app\uff0ecom",
		"Kelvin sign":                "https://xn--bcher-\u212Ava.example",
		"IPv6 without brackets":      "https://2001:db8::1",
		"IPv6 unclosed":              "https://[2001:db8::1",
		"IPv6 with a tail":           "https://[2001:db8::1].evil.com",
		"IPv6 with a port glued on":  "https://[2001:db8::1]x443",
		"IPv6 with a zone":           "https://[2001:db8::1%25eth0]",
		"IPv4 in brackets":           "http://[127.0.0.1]:3000",
		"IPv4 short":                 "http://127.1:3000",
		"IPv4 hex":                   "http://0x7f.0.0.0x1:3000",
		"IPv4 octal":                 "http://0177.0.0.1:3000",
		"IPv4 as a number":           "http://2130706433:3000",
		"other scheme without ports": "tauri://localhost",
		"port where none is":         "capacitor://localhost:80",
		"too long":                   "https://" + strings.Repeat("a.", 200) + "com",
		"wildcard: none":             "https://tenants.app.com",
		"wildcard: two labels":       "https://a.b.tenants.app.com",
		"wildcard: empty label":      "https://.tenants.app.com",
		"wildcard: literal star":     "https://*.tenants.app.com",
		"wildcard: other scheme":     "http://one.tenants.app.com",
		"wildcard: other port":       "https://one.tenants.app.com:444",
		"wildcard: label with dash":  "https://-one.tenants.app.com",
	} {
		t.Run(name, func(t *testing.T) {
			err := p.Check(request("app.com", true, o), false)
			if !errors.Is(err, ErrForbidden) {
				t.Errorf("Origin %q gives %v", o, err)
			}
		})
	}
}

func TestOriginLookAlikes(t *testing.T) {
	p := policy(t, allowed...)
	for _, o := range []string{
		"https://app.com.evil",
		"https://app.com.evil.com",
		"https://evilapp.com",
		"https://app.co",
		"https://app.comm",
		"https://aapp.com",
		"https://www.app.com",
		"https://app-com.evil.com",
		"https://one.tenants.app.com.evil.com",
		"https://one.evil-tenants.app.com",
		"https://tenants.app.com.one.evil.com",
		"https://a.tenantsXapp.com",
		"http://127.0.0.1.evil.com:3000",
		"https://xn--bcher-kva.example.evil.com",
		"https://evil.com",
	} {
		if err := p.Check(request("app.com", true, o), false); !errors.Is(err, ErrForbidden) {
			t.Errorf("Origin %q gives %v", o, err)
		}
	}
}

func TestOriginSentTwice(t *testing.T) {
	p := policy(t, "https://app.com")
	for _, origins := range [][]string{
		{"https://app.com", "https://app.com"},
		{"https://app.com", "https://evil.com"},
		{"https://evil.com", "https://app.com"},
		{"", "https://app.com"},
	} {
		if err := p.Check(request("app.com", true, origins...), false); !errors.Is(err, ErrForbidden) {
			t.Errorf("%q gives %v", origins, err)
		}
	}
}

func TestOriginForgedHost(t *testing.T) {
	p := policy(t, "https://app.com")
	if err := p.Check(request("evil.com", true, "https://evil.com"), false); !errors.Is(err, ErrForbidden) {
		t.Errorf("a Host that equals a foreign Origin gives %v", err)
	}
	if err := p.Check(request("evil.com", true, "https://app.com"), false); err != nil {
		t.Errorf("with a list, Host decides nothing: %v", err)
	}
}

func TestOriginSameOrigin(t *testing.T) {
	long := strings.Repeat("a.", 126) + "co" // 254 bytes, one too many
	p := policy(t)
	for _, tt := range []struct {
		host   string
		tls    bool
		origin string
		ok     bool
	}{
		{"app.com", true, "https://app.com", true},
		{"App.com", true, "https://app.COM:443", true},
		{"app.com:443", true, "https://app.com", true},
		{"app.com:8443", true, "https://app.com:8443", true},
		{"app.com", true, "http://app.com", false},
		{"app.com:80", true, "http://app.com", false},
		{"app.com", false, "http://app.com", true},
		{"app.com", false, "https://app.com", true}, // a proxy ended TLS
		{"localhost:8080", false, "http://localhost:8080", true},
		{"localhost:8080", false, "http://localhost:8081", false},
		{"localhost:8080", false, "http://localhost", false},
		{"127.0.0.1:8080", false, "http://localhost:8080", false},
		{"[::1]:8080", false, "http://[0:0::1]:8080", true},
		{"app.com:80", false, "https://app.com", false},
		{"app.com", false, "https://app.com:80", false},
		{"app.com", false, "capacitor://app.com", false},
		{"app.com", false, "https://app.com.evil.com", false},
		{"app.com", false, "https://evil.com", false},
		{"app.com.", false, "https://app.com", false},
		{"[fe80::1%eth0]", false, "http://[fe80::1%eth0]", false},
		{long, false, "http://" + long, false},
		{long[2:], false, "http://" + long[2:], true},
		{"", false, "https://app.com", false},
		{"", false, "https://", false},
		{"user@app.com", false, "https://app.com", false},
		{"app.com/x", false, "https://app.com", false},
		{"app.com", false, "null", false},
	} {
		err := p.Check(request(tt.host, tt.tls, tt.origin), true)
		if (err == nil) != tt.ok {
			t.Errorf("Host %q, TLS %v, Origin %q: %v", tt.host, tt.tls, tt.origin, err)
		}
	}
}

// An error goes into logs beside other text; what the client sent must not reach it.
func TestOriginErrorsAreConstant(t *testing.T) {
	const canary = "canary-4711"
	p := policy(t, "https://app.com")
	for _, origins := range [][]string{
		{"https://" + canary},
		{canary},
		{canary, canary},
		{"https://" + canary + "@app.com"},
	} {
		err := p.Check(request(canary, true, origins...), true)
		if err == nil || strings.Contains(err.Error(), canary) || strings.Contains(fmt.Sprintf("%#v", err), canary) {
			t.Errorf("%q gives %v", origins, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct{ pattern, advice string }{
		{"", "write an origin"},
		{"*", "list the sites"},
		{"null", "serve the page"},
		{"app.com", "https:// in front"},
		{"//app.com", "https:// in front"},
		{"wss://app.com", "https:// in place"},
		{"ws://app.com", "http:// in place"},
		{"file://", "serve the page"},
		{"file:///tmp/page.html", "serve the page"},
		{"https://app.com/", "no path"},
		{"https://app.com/chat", "no path"},
		{"https://app.com?x=1", "no path"},
		{"https://ada@app.com", "no user"},
		{"https://app.com:*", "each scheme and port"},
		{"http*://app.com", "each scheme and port"},
		{"*://app.com", "each scheme and port"},
		{"https://*", "too near the end"},
		{"https://*.com", "too near the end"},
		{"https://app.*", "too near the end"},
		{"https://*.*.com", "too near the end"},
		{"https://a.*.com", "too near the end"},
		{"https://*app.example.com", "whole label"},
		{"https://app*.example.com", "whole label"},
		{"https://**.example.com", "whole label"},
		{"https://bücher.example", "xn--"},
		{"https://app.com https://b.com", "without spaces"},
		{"https://app.com.", "is not an origin"},
		{"https://app.com:0", "is not an origin"},
		{"https://app.com:99999", "is not an origin"},
		{"https://", "is not an origin"},
		{"https://127.1", "is not an origin"},
		{"https://0x7f.0.0.0x1", "is not an origin"},
		{"https://*.0.0.1", "is not an origin"},
		{"https://[::1", "is not an origin"},
		{"https://-a.com", "is not an origin"},
		{"https://" + strings.Repeat("a", 64) + ".com", "is not an origin"},
		{"https://" + strings.Repeat("a.", 200) + "com", "too long"},
	} {
		_, err := New("https://fine.example", tt.pattern)
		if err == nil || !strings.Contains(err.Error(), tt.advice) {
			t.Errorf("%q: error %v does not say %q", tt.pattern, err, tt.advice)
		}
	}
}

func TestNewWildcards(t *testing.T) {
	for _, tt := range []struct {
		pattern, origin string
		ok              bool
	}{
		{"http://*.localhost:8080", "http://a.localhost:8080", true},
		{"http://*.localhost:8080", "http://localhost:8080", false},
		{"http://*.localhost:8080", "https://a.localhost:8080", false},
		{"http://*.LOCALHOST", "http://a.localhost:80", true},
		{"https://*.corp.internal", "https://a.corp.internal", true},
		{"https://a.*.example.com", "https://a.b.example.com", true},
		{"https://a.*.example.com", "https://a.b.c.example.com", false},
		{"https://*.*.example.com", "https://a.b.example.com", true},
		{"https://*.*.example.com", "https://a.example.com", false},
		{"https://*.Example.com:8443", "https://a.example.com:8443", true},
	} {
		err := policy(t, tt.pattern).Check(request("h", true, tt.origin), true)
		if (err == nil) != tt.ok {
			t.Errorf("%q against %q: %v", tt.origin, tt.pattern, err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	p := policy(b, allowed...)
	for _, o := range []string{"https://app.com", "https://one.tenants.app.com", "https://evil.com"} {
		b.Run(strings.TrimPrefix(o, "https://"), func(b *testing.B) {
			r := request("app.com", true, o)
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Check(r, true)
			}
		})
	}
}
