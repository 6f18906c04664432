package jwtauth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestNewRefuses(t *testing.T) {
	hs := []Key{HMAC("", secret)}
	aud := []string{audName}
	fine := Issuer{Name: issName, Audiences: aud, Keys: hs}
	change := func(f func(*Issuer)) Option {
		iss := fine
		f(&iss)
		return WithIssuer(iss)
	}
	small := must(rsa.GenerateKey(rand.Reader, 1024)) //nolint:gosec // it is to be refused
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	for _, tt := range []struct {
		name, advice string
		opts         []Option
	}{
		{"nothing", "WithIssuer", nil},
		{"no name", "iss", []Option{change(func(i *Issuer) { i.Name = "" })}},
		{"name and any", "leave one", []Option{change(func(i *Issuer) { i.InsecureAnyIssuer = true })}},
		{"no audience", "aud", []Option{change(func(i *Issuer) { i.Audiences = nil })}},
		{"empty audience", "aud", []Option{change(func(i *Issuer) { i.Audiences = []string{audName, ""} })}},
		{"audience and any", "leave one", []Option{change(func(i *Issuer) { i.InsecureAnyAudience = true })}},
		{"no keys", "Keys or JWKS", []Option{change(func(i *Issuer) { i.Keys = nil })}},
		{"short secret", "32 random", []Option{change(func(i *Issuer) { i.Keys = []Key{HMAC("", secret[:31])} })}},
		{"empty secret", "32 random", []Option{change(func(i *Issuer) { i.Keys = []Key{HMAC("", nil)} })}},
		{"zero key", "use a *rsa.PublicKey", []Option{change(func(i *Issuer) { i.Keys = []Key{{}} })}},
		{"small RSA", "2048", []Option{change(func(i *Issuer) { i.Keys = []Key{PublicKey("", small.Public())} })}},
		{"large RSA", "8192", []Option{change(func(i *Issuer) {
			i.Keys = []Key{PublicKey("", &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 16384), E: 65537})}
		})}},
		{"RSA with exponent 1", "exponent", []Option{change(func(i *Issuer) { i.Keys = []Key{PublicKey("", &rsa.PublicKey{N: rsaKey().N, E: 1})} })}},
		{"nil RSA", "nil", []Option{change(func(i *Issuer) { i.Keys = []Key{PublicKey("", (*rsa.PublicKey)(nil))} })}},
		{"nil EC", "nil", []Option{change(func(i *Issuer) { i.Keys = []Key{PublicKey("", (*ecdsa.PublicKey)(nil))} })}},
		{"P-224", "P-256", []Option{change(func(i *Issuer) { i.Keys = []Key{PublicKey("", p224.Public())} })}},
		{"short Ed25519", "32 bytes", []Option{change(func(i *Issuer) { i.Keys = []Key{PublicKey("", ed25519.PublicKey("short"))} })}},
		{"private RSA", "Public()", []Option{change(func(i *Issuer) { i.Keys = []Key{PublicKey("", rsaKey())} })}},
		{"private EC", "Public()", []Option{change(func(i *Issuer) { i.Keys = []Key{PublicKey("", ecKey())} })}},
		{"private Ed25519", "Public()", []Option{change(func(i *Issuer) { i.Keys = []Key{PublicKey("", edKey())} })}},
		{"string", "use a *rsa.PublicKey", []Option{change(func(i *Issuer) { i.Keys = []Key{PublicKey("", "secret")} })}},
		{"ID twice", "twice", []Option{change(func(i *Issuer) { i.Keys = []Key{HMAC("a", secret), HMAC("a", secret)} })}},
		{"ID too long", "256", []Option{change(func(i *Issuer) { i.Keys = []Key{HMAC(strings.Repeat("a", 257), secret)} })}},
		{"many without ID", "give them IDs", []Option{change(func(i *Issuer) { i.Keys = []Key{hs[0], hs[0], hs[0], hs[0], hs[0]} })}},
		{"without ID beside a JWKS", "give the key an ID", []Option{change(func(i *Issuer) { i.JWKS = "https://id.example/jwks" })}},
		{"no algorithms", "leave them nil", []Option{change(func(i *Issuer) { i.Algorithms = []string{} })}},
		{"alg none", "not one of", []Option{change(func(i *Issuer) { i.Algorithms = []string{"none"} })}},
		{"alg in lower case", "not one of", []Option{change(func(i *Issuer) { i.Algorithms = []string{"hs256"} })}},
		{"alg that fits no key", "fits none", []Option{change(func(i *Issuer) { i.Algorithms = []string{"HS256", "RS256"} })}},
		{"alg that needs more secret", "fits none", []Option{change(func(i *Issuer) { i.Algorithms = []string{"HS256", "HS512"} })}},
		{"key that fits no alg", "fits none", []Option{change(func(i *Issuer) { i.Algorithms = []string{"RS256"} })}},
		{"HS by JWKS", "fits none", []Option{change(func(i *Issuer) {
			i.Keys, i.JWKS, i.Algorithms = nil, "https://id.example/jwks", []string{"HS256"}
		})}},
		{"JWKS over http", "InsecureHTTP", []Option{change(func(i *Issuer) { i.Keys, i.JWKS = nil, "http://id.example/jwks" })}},
		{"JWKS of a file", "https", []Option{change(func(i *Issuer) { i.Keys, i.JWKS = nil, "file:///etc/passwd" })}},
		{"JWKS of no scheme", "https", []Option{change(func(i *Issuer) { i.Keys, i.JWKS = nil, "id.example/jwks" })}},
		{"JWKS with a user", "https", []Option{change(func(i *Issuer) { i.Keys, i.JWKS = nil, "https://ada:x@id.example/jwks" })}},
		{"JWKS with a fragment", "https", []Option{change(func(i *Issuer) { i.Keys, i.JWKS = nil, "https://id.example/jwks#x" })}},
		{"JWKS broken", "https", []Option{change(func(i *Issuer) { i.Keys, i.JWKS = nil, "https://[::1" })}},
		{"bad prefix", "Prefix", []Option{change(func(i *Issuer) { i.Prefix = "a b" })}},
		{"no subject, no ID", "Claims.ID", []Option{change(func(i *Issuer) { i.InsecureNoSubject = true })}},
		{"no claim for the ID", "Claims.ID", []Option{change(func(i *Issuer) { i.Claims.ID = "-" })}},
		{"issuer twice", "twice", []Option{WithIssuer(fine), WithIssuer(fine)}},
		{"two without prefixes", "Prefix", []Option{WithIssuer(fine), change(func(i *Issuer) { i.Name = "b" })}},
		{"prefix on one only", "Prefix", []Option{WithIssuer(fine), change(func(i *Issuer) { i.Name, i.Prefix = "b", "b|" })}},
		{"prefix of a prefix", "Prefix", []Option{
			change(func(i *Issuer) { i.Prefix = "a" }), change(func(i *Issuer) { i.Name, i.Prefix = "b", "ab" }),
		}},
		{"SharedIDs on one only", "SharedIDs", []Option{WithIssuer(fine), change(func(i *Issuer) { i.Name, i.SharedIDs = "b", true })}},
		{"any issuer among several", "single", []Option{
			WithIssuer(fine), change(func(i *Issuer) { i.Name, i.InsecureAnyIssuer, i.Prefix = "", true, "b|" }),
		}},
		{"negative leeway", "clocks", []Option{WithLeeway(-1), WithIssuer(fine)}},
		{"leeway", "30s", []Option{WithLeeway(30*time.Second + 1), WithIssuer(fine)}},
		{"nil clock", "WithClock", []Option{WithClock(nil), WithIssuer(fine)}},
		{"nil logger", "WithLogger", []Option{WithLogger(nil), WithIssuer(fine)}},
		{"nil client", "WithHTTPClient", []Option{WithHTTPClient(nil), WithIssuer(fine)}},
		{"refresh", "minute", []Option{WithRefresh(time.Second), WithIssuer(fine)}},
		{"timeout of zero", "minute", []Option{WithFetchTimeout(0), WithIssuer(fine)}},
		{"timeout", "minute", []Option{WithFetchTimeout(2 * time.Minute), WithIssuer(fine)}},
		{"negative cache", "use 0", []Option{WithCache(-1), WithIssuer(fine)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := New(tt.opts...)
			if err == nil {
				_ = a.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.advice) {
				t.Errorf("error %v does not say %q", err, tt.advice)
			}
			if err != nil && strings.Contains(err.Error(), string(secret[:8])) {
				t.Errorf("error %v shows the secret", err)
			}
		})
	}
	if a, err := New(WithIssuer(fine), change(func(i *Issuer) { i.Name = "b"; i.SharedIDs = true })); err == nil {
		_ = a.Close()
		t.Error("one of two shares its IDs")
	}
	newAuth(t, WithIssuer(fine))
}

func TestKeyIsNeverPrinted(t *testing.T) {
	k := HMAC("kid-1", []byte("canary-4711-canary-4711-canary-4711"))
	var out strings.Builder
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, format, k)
		fmt.Fprintf(&out, format, []Key{k})
		fmt.Fprintf(&out, format, Issuer{Keys: []Key{k}})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("e", "k", k, "list", []Key{k})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("e", "k", k, "list", []Key{k})
	out.Write(must(json.Marshal(k)))
	for _, s := range []string{"canary", fmt.Sprintf("%x", "canary"), "99 97 110 97", "Y2FuYXJ5"} {
		if strings.Contains(out.String(), s) {
			t.Errorf("%q is in %s", s, &out)
		}
	}
	if !strings.Contains(out.String(), `HMAC("kid-1")`) {
		t.Errorf("%s", &out)
	}
	for want, k := range map[string]Key{
		`RSA("r")`: PublicKey("r", rsaKey().Public()), `EC("e")`: PublicKey("e", ecKey().Public()),
		`Ed25519("d")`: PublicKey("d", edKey().Public()), `key("")`: {},
	} {
		if k.String() != want {
			t.Errorf("%s, want %s", k, want)
		}
	}
}

func TestHMACCopiesTheSecret(t *testing.T) {
	mine := []byte(string(secret))
	a := withKeys(t, HMAC("", mine))
	clear(mine)
	if _, err := try(t, a, forge(m{"alg": "HS256"}, good(), secret)); err != nil {
		t.Error(err)
	}
}

func TestPEM(t *testing.T) {
	der := must(x509.MarshalPKIXPublicKey(ecKey().Public()))
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	cert := must(x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, ecKey().Public(), ecKey()))
	for name, text := range map[string][]byte{"public key": block("PUBLIC KEY", der), "certificate": block("CERTIFICATE", cert)} {
		key, err := PEM("k", text)
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := try(t, withKeys(t, key), ecToken("k")); err != nil {
			t.Error(name, err)
		}
	}
	for name, text := range map[string][]byte{
		"nothing":     nil,
		"text":        []byte("ssh-ed25519 AAAA"),
		"two blocks":  append(block("PUBLIC KEY", der), block("PUBLIC KEY", der)...),
		"private key": block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ecKey()))),
		"junk key":    block("PUBLIC KEY", []byte("x")),
		"junk cert":   block("CERTIFICATE", []byte("x")),
	} {
		if k, err := PEM("k", text); err == nil {
			t.Errorf("%s gives %v", name, k)
		}
	}
}
