package jwtauth

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

const (
	maxJWKS     = 1 << 20 // bytes of a set
	maxJWKSKeys = 256     // keys of a set, dropped ones included
)

// material is the public part of a JWK (RFC 7517, RFC 7518 section 6, RFC 8037): all that jwx is given to read.
type material struct {
	Type string `json:"kty"`
	N    string `json:"n,omitempty"`
	E    string `json:"e,omitempty"`
	Crv  string `json:"crv,omitempty"`
	X    string `json:"x,omitempty"`
	Y    string `json:"y,omitempty"`
}

// webKey is what decides whether a key of the set is used.
type webKey struct {
	material
	ID      string         `json:"kid"`
	Alg     string         `json:"alg"`
	Use     string         `json:"use"`
	Ops     []string       `json:"key_ops"`
	Private jsontext.Value `json:"d"`
}

// document is a set that was read.
type document struct {
	keys        *keySet
	fingerprint [sha256.Size]byte // equal for sets with the same usable keys in the same order
	dropped     []string          // why keys were left out, for the log
}

// parseJWKS reads a set. Keys that cannot be used are dropped, as RFC 7517 section 5 has it; it is an error when none is
// left.
func parseJWKS(text []byte, accepted []string) (document, error) {
	var raw struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return document{}, errors.New("the answer is not a JSON object with keys")
	}
	if len(raw.Keys) > maxJWKSKeys {
		return document{}, fmt.Errorf("the set has %d keys, more than %d", len(raw.Keys), maxJWKSKeys)
	}

	var doc document
	set := &keySet{byID: make(map[string]*verifier)}
	fingerprint := sha256.New()
	twice := make(map[string]bool)
	for i, text := range raw.Keys {
		v, err := parseWebKey(text, accepted)
		switch {
		case err != nil:
			doc.dropped = append(doc.dropped, fmt.Sprintf("key %d: %v", i+1, err))
			continue
		case v.id == "":
			set.anonymous = append(set.anonymous, v)
		case set.byID[v.id] != nil:
			twice[v.id] = true
		default:
			set.byID[v.id] = v
		}
		der, err := x509.MarshalPKIXPublicKey(v.material)
		if err != nil {
			return document{}, fmt.Errorf("key %d: %w", i+1, err)
		}
		fmt.Fprintf(fingerprint, "%q %q %x\n", v.id, v.algs, der)
	}
	for id := range twice {
		// Which of them the issuer means cannot be known; taking either would be a guess.
		doc.dropped = append(doc.dropped, fmt.Sprintf("kid %q: several keys share it", id))
		delete(set.byID, id)
	}
	if len(set.byID)+len(set.anonymous) == 0 {
		return document{}, errors.New("the set has no usable key")
	}
	doc.keys = set
	doc.fingerprint = [sha256.Size]byte(fingerprint.Sum(nil))
	return doc, nil
}

func parseWebKey(raw jsontext.Value, accepted []string) (*verifier, error) {
	var w webKey
	if err := json.Unmarshal(raw, &w); err != nil {
		return nil, errors.New("it is not a JWK")
	}
	switch {
	case w.Type == "oct":
		return nil, errors.New("it is symmetric")
	case w.Private != nil:
		return nil, errors.New("it is private, so it is no secret any more")
	case w.Use != "" && w.Use != "sig":
		return nil, errors.New("it is not for signatures")
	case w.Ops != nil && !slices.Contains(w.Ops, "verify"):
		return nil, errors.New("it is not for verifying")
	case len(w.ID) > maxKeyID:
		return nil, errors.New("its kid is too long")
	}
	text, err := json.Marshal(w.material)
	if err != nil {
		return nil, errors.New("it is not a JWK")
	}
	key, err := jwk.ParseKey(text)
	if err != nil {
		return nil, errors.New("its parameters are wrong or its type is unknown")
	}
	var public any
	if err := jwk.Export(key, &public); err != nil {
		return nil, errors.New("its parameters are wrong")
	}
	if w.Alg != "" {
		accepted = slices.DeleteFunc(slices.Clone(accepted), func(alg string) bool { return alg != w.Alg })
	}
	return newVerifier(w.ID, public, accepted)
}

// readable reports why a set was dropped before it was parsed, for a page of HTML above all.
func readable(text []byte) error {
	if len(text) > maxJWKS {
		return fmt.Errorf("the answer is longer than %d bytes", maxJWKS)
	}
	if !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) {
		return errors.New("the answer is not JSON")
	}
	return nil
}
