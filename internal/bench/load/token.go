//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"time"
)

// tokens returns a function that makes tokens (RFC 7519) of the kind: hs256,
// es256, or none, where the token is just the user.
func tokens(kind, key string) (func(user string) (string, error), error) {
	encode := base64.RawURLEncoding.EncodeToString
	body := func(alg, user string) string {
		now := time.Now()
		return encode(fmt.Appendf(nil, `{"alg":"%s","typ":"JWT"}`, alg)) + "." +
			encode(fmt.Appendf(nil, `{"iss":"bench","aud":"bench","sub":"%s","iat":%d,"exp":%d}`, user, now.Unix(), now.Add(time.Hour).Unix()))
	}
	switch kind {
	case "none":
		return func(user string) (string, error) { return user, nil }, nil
	case "hs256":
		return func(user string) (string, error) {
			b := body("HS256", user)
			h := hmac.New(sha256.New, []byte(key))
			h.Write([]byte(b))
			return b + "." + encode(h.Sum(nil)), nil
		}, nil
	case "es256":
		block, _ := pem.Decode([]byte(key))
		if block == nil {
			return nil, fmt.Errorf("the key is not PEM")
		}
		private, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		if private.Curve != elliptic.P256() {
			return nil, fmt.Errorf("the key is not of P-256")
		}
		return func(user string) (string, error) {
			b := body("ES256", user)
			sum := sha256.Sum256([]byte(b))
			r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
			if err != nil {
				return "", err
			}
			sig := make([]byte, 64)
			r.FillBytes(sig[:32])
			s.FillBytes(sig[32:])
			return b + "." + encode(sig), nil
		}, nil
	}
	return nil, fmt.Errorf("no such kind of token: %s", kind)
}
