package auth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestSourcesFind(t *testing.T) {
	all := Sources{Cookie: "session", AllowQuery: true, AllowFrame: true}
	long := strings.Repeat("a", MaxToken)
	for _, tt := range []struct {
		name    string
		sources Sources
		url     string
		header  [][2]string
		token   string
		source  Source
		bad     bool
	}{
		{name: "nothing", sources: all, source: SourceNone},

		{name: "header", header: [][2]string{{"Authorization", "Bearer T"}}, token: "T", source: SourceHeader},
		{name: "scheme in any case", header: [][2]string{{"Authorization", "bEARER T"}}, token: "T", source: SourceHeader},
		{name: "several spaces", header: [][2]string{{"Authorization", "Bearer   T "}}, token: "T", source: SourceHeader},
		{name: "token68", header: [][2]string{{"Authorization", "Bearer aZ0-._~+/=="}}, token: "aZ0-._~+/==", source: SourceHeader},
		{name: "longest", header: [][2]string{{"Authorization", "Bearer " + long}}, token: long, source: SourceHeader},
		{name: "too long", header: [][2]string{{"Authorization", "Bearer " + long + "a"}}, source: SourceHeader, bad: true},
		{name: "no token", header: [][2]string{{"Authorization", "Bearer"}}, source: SourceHeader, bad: true},
		{name: "blank token", header: [][2]string{{"Authorization", "Bearer  "}}, source: SourceHeader, bad: true},
		{name: "two tokens", header: [][2]string{{"Authorization", "Bearer T U"}}, source: SourceHeader, bad: true},
		{name: "list", header: [][2]string{{"Authorization", "Bearer T, Bearer U"}}, source: SourceHeader, bad: true},
		{name: "padding alone", header: [][2]string{{"Authorization", "Bearer =="}}, source: SourceHeader, bad: true},
		{name: "padding inside", header: [][2]string{{"Authorization", "Bearer a=b"}}, source: SourceHeader, bad: true},
		{name: "control character", header: [][2]string{{"Authorization", "Bearer a\x01"}}, source: SourceHeader, bad: true},
		{name: "two headers", header: [][2]string{{"Authorization", "Bearer T"}, {"Authorization", "Bearer T"}}, source: SourceHeader, bad: true},
		{name: "two headers of other schemes", header: [][2]string{{"Authorization", "Basic T"}, {"Authorization", "Digest T"}}, source: SourceHeader, bad: true},
		{name: "other scheme", header: [][2]string{{"Authorization", "Basic YTpi"}}, source: SourceNone},
		{name: "scheme that starts alike", header: [][2]string{{"Authorization", "Bearerish T"}}, source: SourceNone},
		{
			name: "other scheme leaves the cookie", sources: all,
			header: [][2]string{{"Authorization", "Basic YTpi"}, {"Cookie", "session=C"}}, token: "C", source: SourceCookie,
		},

		{name: "cookie", sources: all, header: [][2]string{{"Cookie", "a=1; session=C; b=2"}}, token: "C", source: SourceCookie},
		{name: "cookie not configured", header: [][2]string{{"Cookie", "session=C"}}, source: SourceNone},
		{name: "cookie of another case", sources: all, header: [][2]string{{"Cookie", "Session=C"}}, source: SourceNone},
		{name: "empty cookie", sources: all, header: [][2]string{{"Cookie", "session="}}, source: SourceNone},
		{name: "same cookie twice", sources: all, header: [][2]string{{"Cookie", "session=C; session=C"}}, token: "C", source: SourceCookie},
		{name: "two cookies", sources: all, header: [][2]string{{"Cookie", "session=C; session=D"}}, source: SourceCookie, bad: true},
		{name: "two cookies in two headers", sources: all, header: [][2]string{{"Cookie", "session=C"}, {"Cookie", "session=D"}}, source: SourceCookie, bad: true},
		{name: "empty cookie beside one", sources: all, header: [][2]string{{"Cookie", "session=; session=C"}}, token: "C", source: SourceCookie},
		{name: "empty cookie behind one", sources: all, header: [][2]string{{"Cookie", "session=C; session="}}, token: "C", source: SourceCookie},
		{name: "cookie too long", sources: all, header: [][2]string{{"Cookie", "session=" + long + "a"}}, source: SourceCookie, bad: true},

		{name: "subprotocol", header: [][2]string{{"Sec-WebSocket-Protocol", "wardroom.v1.json, bearer.T"}}, token: "T", source: SourceSubprotocol},
		{name: "subprotocol first", header: [][2]string{{"Sec-WebSocket-Protocol", "bearer.a.b.c,wardroom.v1.json"}}, token: "a.b.c", source: SourceSubprotocol},
		{
			name:   "subprotocol in a second header",
			header: [][2]string{{"Sec-WebSocket-Protocol", "wardroom.v1.json"}, {"Sec-WebSocket-Protocol", "\tbearer.T "}}, token: "T", source: SourceSubprotocol,
		},
		{name: "empty subprotocol token", header: [][2]string{{"Sec-WebSocket-Protocol", "bearer."}}, source: SourceSubprotocol, bad: true},
		{name: "two subprotocol tokens", header: [][2]string{{"Sec-WebSocket-Protocol", "bearer.T, bearer.U"}}, source: SourceSubprotocol, bad: true},
		{name: "same subprotocol token twice", header: [][2]string{{"Sec-WebSocket-Protocol", "bearer.T"}, {"Sec-WebSocket-Protocol", "bearer.T"}}, source: SourceSubprotocol, bad: true},
		{name: "space in a subprotocol token", header: [][2]string{{"Sec-WebSocket-Protocol", "bearer.T U"}}, source: SourceSubprotocol, bad: true},
		{name: "prefix of another case", header: [][2]string{{"Sec-WebSocket-Protocol", "Bearer.T"}}, source: SourceNone},
		{name: "no prefix", header: [][2]string{{"Sec-WebSocket-Protocol", "wardroom.v1.json, chat"}}, source: SourceNone},

		{name: "query", sources: all, url: "/ws?token=T&x=1", token: "T", source: SourceQuery},
		{name: "query not allowed", url: "/ws?token=T", source: SourceNone},
		{name: "empty query token", sources: all, url: "/ws?token=", source: SourceQuery, bad: true},
		{name: "two query tokens", sources: all, url: "/ws?token=T&token=T", source: SourceQuery, bad: true},
		{name: "broken query", sources: all, url: "/ws?token=%zz", source: SourceQuery, bad: true},
		{name: "query with a space", sources: all, url: "/ws?token=a+b", source: SourceQuery, bad: true},
		{name: "query beyond ASCII", sources: all, url: "/ws?token=%C3%BC", source: SourceQuery, bad: true},
		{name: "query of another case", sources: all, url: "/ws?Token=T", source: SourceNone},

		{
			name: "order: header first", sources: all, url: "/ws?token=Q",
			header: [][2]string{{"Authorization", "Bearer H"}, {"Cookie", "session=C"}, {"Sec-WebSocket-Protocol", "bearer.S"}}, token: "H", source: SourceHeader,
		},
		{
			name: "order: then cookie", sources: all, url: "/ws?token=Q",
			header: [][2]string{{"Cookie", "session=C"}, {"Sec-WebSocket-Protocol", "bearer.S"}}, token: "C", source: SourceCookie,
		},
		{
			name: "order: then subprotocol", sources: all, url: "/ws?token=Q",
			header: [][2]string{{"Sec-WebSocket-Protocol", "bearer.S"}}, token: "S", source: SourceSubprotocol,
		},
		{
			name: "a broken place is not passed over", sources: all,
			header: [][2]string{{"Authorization", "Bearer"}, {"Cookie", "session=C"}}, source: SourceHeader, bad: true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := tt.url
			if url == "" {
				url = "/ws"
			}
			r := httptest.NewRequest(http.MethodGet, url, nil)
			for _, h := range tt.header {
				r.Header.Add(h[0], h[1])
			}
			c, err := tt.sources.Find(r)
			if tt.bad {
				if !errors.Is(err, ErrMalformed) || !errors.Is(err, ErrUnauthenticated) {
					t.Errorf("error %v, want ErrMalformed", err)
				}
			} else if err != nil {
				t.Errorf("error %v", err)
			}
			if c.Token != tt.token || c.Source != tt.source {
				t.Errorf("got a token of %d bytes from %v, want %d from %v", len(c.Token), c.Source, len(tt.token), tt.source)
			}
			if c.Request != r {
				t.Error("the credentials do not hold the request")
			}
		})
	}
}

func TestFromFrame(t *testing.T) {
	ip := netip.MustParseAddr("192.0.2.1")
	c, err := FromFrame("T", ip)
	if err != nil || c.Token != "T" || c.Source != SourceFrame || c.RemoteIP != ip || c.Request != nil {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, token := range []string{"", "a b", "a\n", "ü", strings.Repeat("a", MaxToken+1)} {
		if _, err := FromFrame(token, ip); !errors.Is(err, ErrMalformed) {
			t.Errorf("a bad token of %d bytes gives %v", len(token), err)
		}
	}
}

// FuzzFind holds that a token that is found is one that may be shown to an authenticator, that it was in the request,
// and that an error repeats nothing of the request.
func FuzzFind(f *testing.F) {
	f.Add("Bearer T", "session=C", "wardroom.v1.json, bearer.S", "token=Q")
	f.Add("Basic T", "session=C; session=D", "bearer.", "token=%zz")
	f.Add("bearer  T==", "session=", "bearer.a, bearer.b", "token=a&token=b")
	f.Fuzz(func(t *testing.T, authorization, cookie, protocol, query string) {
		r := &http.Request{Header: http.Header{}}
		r.URL = httptest.NewRequest(http.MethodGet, "/ws", nil).URL
		r.URL.RawQuery = query
		for name, value := range map[string]string{"Authorization": authorization, "Cookie": cookie, "Sec-Websocket-Protocol": protocol} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		c, err := Sources{Cookie: "session", AllowQuery: true}.Find(r)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || c.Token != "" {
				t.Fatalf("token %q with error %v", c.Token, err)
			}
			for _, s := range []string{authorization, cookie, protocol, query} {
				if len(s) > 12 && strings.Contains(err.Error(), s) {
					t.Fatalf("the error repeats %q", s)
				}
			}
			return
		}
		if (c.Token == "") != (c.Source == SourceNone) {
			t.Fatalf("token %q from %v", c.Token, c.Source)
		}
		if c.Token != "" && checkToken(c.Token) != nil {
			t.Fatalf("found %q from %v", c.Token, c.Source)
		}
		var in string
		switch c.Source {
		case SourceHeader:
			in = authorization
		case SourceCookie:
			in = cookie
		case SourceSubprotocol:
			in = protocol
		default:
			return // a query is decoded
		}
		if !strings.Contains(in, c.Token) {
			t.Fatalf("%q is not in %q", c.Token, in)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	r := httptest.NewRequest(http.MethodGet, "/ws", nil)
	r.Header.Set("Sec-WebSocket-Protocol", "wardroom.v1.json, bearer."+strings.Repeat("a", 400))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Sources{Cookie: "session"}).Find(r); err != nil {
			b.Fatal(err)
		}
	}
}
