package jwtauth

import (
	"fmt"
)

// keySet is a set of keys that never changes; a new one takes its place.
type keySet struct {
	byID      map[string]*verifier
	anonymous []*verifier
}

func staticKeys(keys []Key, accepted []string) (*keySet, error) {
	set := &keySet{byID: make(map[string]*verifier, len(keys))}
	for i, k := range keys {
		v, err := newVerifier(k.id, k.material, accepted)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		switch {
		case k.id == "":
			set.anonymous = append(set.anonymous, v)
		case len(k.id) > maxKeyID:
			return nil, fmt.Errorf("key %d: an ID of %d bytes; use at most %d", i+1, len(k.id), maxKeyID)
		case set.byID[k.id] != nil:
			return nil, fmt.Errorf("key %d: the ID %q is there twice; the ID says which key to take", i+1, k.id)
		default:
			set.byID[k.id] = v
		}
	}
	if len(set.anonymous) > maxAnonymous {
		return nil, fmt.Errorf("%d keys without an ID; give them IDs, since each is tried for every token", len(set.anonymous))
	}
	return set, nil
}

// candidates returns the keys that may have made a token's signature, at most maxAnonymous: the one that it names, or if
// it names none, any. known says that the set has a key of that ID, whether it fits the algorithm or not.
func (s *keySet) candidates(id, alg string) (list []*verifier, known bool) {
	if id != "" {
		v := s.byID[id]
		if v != nil && v.fits(alg) {
			list = append(list, v)
		}
		return list, v != nil
	}
	for _, v := range s.anonymous {
		if v.fits(alg) {
			list = append(list, v)
		}
	}
	for _, v := range s.byID {
		if v.fits(alg) {
			list = append(list, v)
		}
	}
	if len(list) > maxAnonymous {
		return nil, false
	}
	return list, len(list) > 0
}

// fits reports whether some key is good for alg.
func (s *keySet) fits(alg string) bool {
	for _, v := range s.anonymous {
		if v.fits(alg) {
			return true
		}
	}
	for _, v := range s.byID {
		if v.fits(alg) {
			return true
		}
	}
	return false
}
