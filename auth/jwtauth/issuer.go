package jwtauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/wardroom/wardroom/auth"
)

// Issuer says whose tokens are accepted and how they are checked. Name, Audiences and either Keys or JWKS are required.
type Issuer struct {
	// Name is compared with the iss claim, byte by byte.
	Name string

	// Audiences: one of them must be in the aud claim.
	Audiences []string

	// Keys are keys that are known beforehand. At most 4 of them may be without an ID, and with a JWKS none. They are
	// looked through before the JWKS is.
	Keys []Key

	// JWKS is the https URL of the issuer's key set. It is fetched when New is called, every 15 minutes after that
	// (see [WithRefresh]), and when a token names a key that is not in it; this last at most once a minute. A set that
	// cannot be fetched, is longer than 1 MiB or has no usable key leaves the last good one in place and is tried again
	// soon, after a second at first and at most a minute later on. Redirects to other hosts are not followed.
	//
	// Of the set, keys are dropped that are symmetric, private, too weak, not for signatures, of no algorithm that is
	// accepted, or share their kid with another one.
	JWKS string

	// Algorithms are the alg values that are accepted, where the key fits. Nil: RS256, RS384, RS512, PS256, PS384,
	// PS512, ES256, ES384, ES512, EdDSA and Ed25519, and HS256 with keys from [HMAC]. HS384 and HS512 need longer
	// secrets and are to be named.
	Algorithms []string

	// Claims names the claims that become fields of the Identity.
	Claims ClaimNames

	// Prefix is put in front of the ID of every user, as in "corp|". With several issuers it keeps one from naming the
	// users of another, and is required unless they are SharedIDs.
	Prefix string

	// SharedIDs says that a user ID means the same user as with the other issuers that have SharedIDs.
	SharedIDs bool

	// Identify, if set, makes the Identity. It gets the claims, all of them verified and read-only, and the Identity that
	// Claims gives, and returns that one changed as it likes. An ID that is not valid refuses the token, and ExpiresAt
	// can only become earlier. It must be safe for concurrent use. Its result is cached with the token; see [WithCache].
	// Its error refuses the token, or is answered as unavailable if it is an [auth.ErrUnavailable].
	Identify func(ctx context.Context, claims map[string]any, id auth.Identity) (auth.Identity, error)

	// InsecureAnyIssuer accepts every iss claim, and none. It is for a single issuer without a Name.
	InsecureAnyIssuer bool

	// InsecureAnyAudience accepts every aud claim, and none: also a token that was made for another application, whose
	// operator can then act as the user here.
	InsecureAnyAudience bool

	// InsecureNoExpiry accepts tokens without exp. A stolen one is good for ever.
	InsecureNoExpiry bool

	// InsecureNoSubject accepts tokens without sub. Claims.ID or Identify must then give the ID.
	InsecureNoSubject bool

	// InsecureHTTP lets the JWKS be fetched over http. Whoever is on the way can put in keys of their own.
	InsecureHTTP bool
}

// ClaimNames are names of claims. An empty one means the default, "-" that there is no such claim.
type ClaimNames struct {
	// ID is the claim with the user's ID, a string that is an [auth.ValidID]. Default: sub.
	ID string

	// Name is the claim with the display name, a string; null is none. Default: name.
	Name string

	// Roles is the claim with the roles: an array of strings, or one string with spaces between the roles as in the
	// scope claim of RFC 8693; null is none. At most 64 roles of 1 to 64 bytes. Default: roles.
	Roles string

	// Capabilities is the claim that narrows what the user may do: an object whose names are room patterns and whose
	// values are arrays of verbs, as in {"team:*":["join","publish"],"lobby":["*"]}; see [auth.Capability]. At most 100
	// patterns. A token in which it is malformed is refused. Default: capabilities.
	Capabilities string
}

func (n ClaimNames) orDefault() ClaimNames {
	for _, f := range []struct {
		name *string
		def  string
	}{{&n.ID, "sub"}, {&n.Name, "name"}, {&n.Roles, "roles"}, {&n.Capabilities, "capabilities"}} {
		switch *f.name {
		case "":
			*f.name = f.def
		case "-":
			*f.name = ""
		}
	}
	return n
}

// issuer is an Issuer that was found sound.
type issuer struct {
	Issuer
	static *keySet
	remote *remote // nil: no JWKS
}

// maxAnonymous bounds how many signatures one token can make us check.
const maxAnonymous = 4

func newIssuer(def Issuer, cfg *config) (*issuer, error) {
	if err := def.validate(); err != nil {
		return nil, err
	}
	def.Claims = def.Claims.orDefault()
	def.Audiences = slices.Clone(def.Audiences)
	algs := def.Algorithms
	if algs == nil {
		algs = defaultAlgorithms()
	}
	static, err := staticKeys(def.Keys, algs)
	if err != nil {
		return nil, err
	}
	for _, alg := range def.Algorithms {
		// A JWKS gives no symmetric keys, and any of the others.
		if (def.JWKS == "" || strings.HasPrefix(alg, "HS")) && !static.fits(alg) {
			return nil, fmt.Errorf("algorithm %q fits none of Keys; leave it out or add a key for it", alg)
		}
	}
	if def.JWKS != "" && len(static.anonymous) > 0 {
		return nil, errors.New("a key without an ID and a JWKS; give the key an ID, since it would be taken for every key that is not known yet")
	}
	iss := &issuer{Issuer: def, static: static}
	if def.JWKS != "" {
		iss.remote = newRemote(def.Name, def.JWKS, slices.Clone(algs), cfg)
	}
	return iss, nil
}

func (def Issuer) validate() error {
	switch {
	case def.Name == "" && !def.InsecureAnyIssuer:
		return errors.New("the Name is missing; write what the tokens have in iss")
	case def.Name != "" && def.InsecureAnyIssuer:
		return errors.New("there is a Name and InsecureAnyIssuer; leave one of them out")
	case len(def.Audiences) == 0 && !def.InsecureAnyAudience:
		return errors.New("no Audiences; write what the tokens have in aud for this application")
	case len(def.Audiences) > 0 && def.InsecureAnyAudience:
		return errors.New("there are Audiences and InsecureAnyAudience; leave one of them out")
	case slices.Contains(def.Audiences, ""):
		return errors.New("one of Audiences is empty; write what the tokens have in aud")
	case len(def.Keys) == 0 && def.JWKS == "":
		return errors.New("there are no keys; set Keys or JWKS")
	case def.Prefix != "" && !auth.ValidID(def.Prefix):
		return errors.New("the Prefix has characters that user IDs do not have; use A-Z a-z 0-9 _ - . : @ + |")
	case def.InsecureNoSubject && (def.Claims.ID == "" || def.Claims.ID == "sub") && def.Identify == nil:
		return errors.New("with InsecureNoSubject the user's ID comes from elsewhere; set Claims.ID or Identify")
	case def.Claims.ID == "-" && def.Identify == nil:
		return errors.New("there is no claim for the user's ID; set Claims.ID or Identify")
	}
	if def.Algorithms != nil && len(def.Algorithms) == 0 {
		return errors.New("no Algorithms; leave them nil for the defaults or name some")
	}
	for _, alg := range def.Algorithms {
		if _, ok := algorithm(alg); !ok {
			return fmt.Errorf("algorithm %q is not one of %s", alg, strings.Join(algorithmNames(), ", "))
		}
	}
	if def.JWKS == "" {
		return nil
	}
	u, err := url.Parse(def.JWKS)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("JWKS is no URL; write https://host/path")
	case u.Scheme == "http" && !def.InsecureHTTP:
		return errors.New("JWKS is fetched over http, where anybody on the way can put in keys; write https, or set InsecureHTTP in a test")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("JWKS is not fetched over https; write https://host/path")
	}
	return nil
}

// checkTogether finds what is wrong between issuers.
func checkTogether(list []Issuer) error {
	for i, a := range list {
		if a.InsecureAnyIssuer && len(list) > 1 {
			return errors.New("InsecureAnyIssuer is for a single issuer; give each one its Name")
		}
		for _, b := range list[:i] {
			switch {
			case a.Name == b.Name:
				return fmt.Errorf("issuer %q is there twice; put all its keys and audiences into one", a.Name)
			case a.SharedIDs && b.SharedIDs:
			case strings.HasPrefix(a.Prefix, b.Prefix), strings.HasPrefix(b.Prefix, a.Prefix):
				// One that is the beginning of the other is as good as none: "a" and "ab" make the same of b1 and 1.
				return fmt.Errorf("issuers %q and %q could name each other's users; give each a Prefix that the other's does not begin with, or set SharedIDs on both", b.Name, a.Name)
			}
		}
	}
	return nil
}

// current reports whether keys is one of the sets that are in use.
func (iss *issuer) current(keys *keySet) bool {
	return keys == iss.static || iss.remote != nil && keys == iss.remote.keys.Load()
}
