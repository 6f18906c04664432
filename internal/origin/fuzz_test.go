package origin

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzCheck holds that whatever is allowed is, for the standard library's URL parser too, one of the listed scheme,
// host and port and nothing more.
func FuzzCheck(f *testing.F) {
	for _, o := range []string{
		"https://app.com", "https://APP.com:443", "https://one.tenants.app.com", "null", "https://app.com@evil.com",
		"https://app.com/", "https://[2001:db8::1]", "file://", "//app.com", "https://app.com.evil", "https://evilapp.com",
		"https://app.com.", "https://app.com:0443", "http://127.1:3000",
	} {
		f.Add(o)
	}
	p := policy(f, allowed...)
	f.Fuzz(func(t *testing.T, o string) {
		if p.Check(request("app.com", true, o), true) != nil {
			return
		}
		u, err := url.Parse(o)
		if err != nil {
			t.Fatalf("allowed %q, which is no URL: %v", o, err)
		}
		if u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" || strings.HasSuffix(o, "#") {
			t.Fatalf("allowed %q, which is more than an origin", o)
		}
		host, port := strings.ToLower(u.Hostname()), u.Port()
		label, underTenants := strings.CutSuffix(host, ".tenants.app.com")
		switch u.Scheme {
		case "https":
			if port != "" && port != "443" {
				t.Fatalf("allowed %q on port %s", o, port)
			}
			if host != "app.com" && host != "xn--bcher-kva.example" && !strings.HasPrefix(host, "2001:") &&
				(!underTenants || label == "" || strings.Contains(label, ".")) {
				t.Fatalf("allowed %q", o)
			}
		case "http":
			if u.Host != "127.0.0.1:3000" && strings.ToLower(u.Host) != "dev.app.com:8080" {
				t.Fatalf("allowed %q", o)
			}
		case "capacitor":
			if host != "localhost" || port != "" {
				t.Fatalf("allowed %q", o)
			}
		default:
			t.Fatalf("allowed %q", o)
		}
	})
}

// FuzzNew holds that a pattern that New accepts allows itself, and that a * in it is one label exactly.
func FuzzNew(f *testing.F) {
	for _, s := range allowed {
		f.Add(s)
	}
	for _, s := range []string{"*", "https://*.com", "https://*", "https://a.*.example.com:8443", "http://*.localhost", "https://[::1]:*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := New(s)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("the error for %q has a line break", s)
			}
			return
		}
		one := strings.ReplaceAll(s, "*", "x")
		if err := p.Check(request("h", true, one), true); err != nil && len(one) <= maxOrigin {
			t.Fatalf("%q does not allow %q: %v", s, one, err)
		}
		if !strings.Contains(s, "*") {
			return
		}
		for _, other := range []string{strings.Replace(s, "*", "x.y", 1), strings.Replace(s, "*.", "", 1), s} {
			if p.Check(request("h", true, other), true) == nil {
				t.Fatalf("%q allows %q", s, other)
			}
		}
	})
}

// FuzzSameOrigin holds that Host and Origin are equal in the eyes of the standard library when they are in ours.
func FuzzSameOrigin(f *testing.F) {
	f.Add("app.com", "https://app.com")
	f.Add("app.com:8080", "http://app.com:8080")
	f.Add("[::1]:80", "http://[::1]")
	f.Add("app.com@evil.com", "https://evil.com")
	p := policy(f)
	f.Fuzz(func(t *testing.T, host, o string) {
		if p.Check(request(host, false, o), true) != nil {
			return
		}
		u, err := url.Parse(o)
		if err != nil {
			t.Fatalf("allowed %q, which is no URL: %v", o, err)
		}
		h, err := url.Parse(u.Scheme + "://" + host)
		if err != nil {
			t.Fatalf("took Host %q, which is none: %v", host, err)
		}
		if strings.Contains(u.Host, "[") {
			return // two spellings of one IPv6 address
		}
		if !strings.EqualFold(u.Hostname(), h.Hostname()) {
			t.Fatalf("Host %q took Origin %q", host, o)
		}
	})
}
