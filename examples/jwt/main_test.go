package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/wardroom/wardroom/auth/jwtauth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func b64(p []byte) string { return base64.RawURLEncoding.EncodeToString(p) }

// issuer is an identity provider with one key.
type issuer struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes() // 4, X, Y
	if err != nil {
		t.Fatal(err)
	}
	set := fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":"1","use":"sig","x":%q,"y":%q}]}`, b64(point[1:33]), b64(point[33:]))
	i := &issuer{key: key, Server: httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, set)
	}))}
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) token(t *testing.T, audience string, roles ...string) string {
	t.Helper()
	claims, err := json.Marshal(map[string]any{
		"iss": i.URL, "aud": audience, "sub": "ada", "name": "Ada", "roles": roles, "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	signed := b64([]byte(`{"alg":"ES256","kid":"1"}`)) + "." + b64(claims)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + b64(signature[:])
}

// The issuer's tokens let in whom they are for, into the rooms of their roles.
func TestTokensOfAnIssuer(t *testing.T) {
	iss := newIssuer(t)
	tokens, err := jwtauth.New(
		jwtauth.WithIssuer(jwtauth.Issuer{Name: iss.URL, JWKS: iss.URL, Audiences: []string{"chat"}}),
		jwtauth.WithHTTPClient(iss.Client()),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer tokens.Close()
	rooms, err := newRooms(tokens, "http://127.0.0.1:8080", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(rooms)
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	defer func() {
		if err := rooms.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	}()

	for _, tt := range []struct {
		name, token string
		status      int  // of the handshake
		refused     bool // from staff
	}{
		{"another application's", iss.token(t, "shop", "staff"), http.StatusUnauthorized, false},
		{"not signed", iss.token(t, "chat") + "AAAA", http.StatusUnauthorized, false},
		{"without the role", iss.token(t, "chat"), http.StatusSwitchingProtocols, true},
		{"with the role", iss.token(t, "chat", "staff"), http.StatusSwitchingProtocols, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, status := dial(ctx, t, server.URL, tt.token)
			if status != tt.status {
				t.Fatalf("status %d", status)
			}
			if c == nil {
				return
			}
			defer func() { _ = c.CloseNow() }()
			if e := join(ctx, t, c, "lobby"); e != nil {
				t.Errorf("lobby: %v", e)
			}
			if e := join(ctx, t, c, "staff"); (e != nil) != tt.refused || e != nil && e["code"] != "forbidden" {
				t.Errorf("staff: %v", e)
			}
		})
	}
}

// dial waits for the keys, which New has begun to fetch.
func dial(ctx context.Context, t *testing.T, url, token string) (*websocket.Conn, int) {
	t.Helper()
	for {
		c, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: []string{"wardroom.v1.json", "bearer." + token}})
		if resp == nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusServiceUnavailable {
			return c, resp.StatusCode
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// join returns what is wrong, nil when the client is in.
func join(ctx context.Context, t *testing.T, c *websocket.Conn, name string) map[string]any {
	t.Helper()
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"type":"join","ref":1,"room":"`+name+`"}`)); err != nil {
		t.Fatal(err)
	}
	for {
		_, p, err := c.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var f struct {
			Type  string
			Error map[string]any
		}
		if err := json.Unmarshal(p, &f); err != nil {
			t.Fatal(err)
		}
		if f.Type == "reply" {
			return f.Error
		}
	}
}
