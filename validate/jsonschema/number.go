package jsonschema

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
)

// The library makes a fraction of big integers of every number that a keyword
// compares. That is exact, and for "1e-999999" it is a million digits long;
// from "1e-1000001" on there is no fraction and it panics. So numbers that
// are not ordinary are brought to the nearest double before it sees them.
const (
	ordinaryLen      = 64
	ordinaryExponent = 400
)

// plain returns v with the numbers inside it that are not ordinary replaced,
// in place where v is an array or object. It reports false for one beyond the
// largest double, and then at is where, from the inside out.
func plain(v any) (_ any, at []string, ok bool) {
	switch v := v.(type) {
	case json.Number:
		literal := v.String()
		if ordinary(literal) {
			return v, nil, true
		}
		f, err := strconv.ParseFloat(literal, 64)
		if err != nil {
			return v, nil, false
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), nil, true
	case []any:
		for i := range v {
			if v[i], at, ok = plain(v[i]); !ok {
				return v, append(at, strconv.Itoa(i)), false
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], at, ok = plain(v[key]); !ok {
				return v, append(at, key), false
			}
		}
	}
	return v, nil, true
}

func ordinary(literal string) bool {
	if len(literal) > ordinaryLen {
		return false
	}
	_, exponent, ok := strings.Cut(strings.ToLower(literal), "e")
	if !ok {
		return true
	}
	n, err := strconv.Atoi(exponent)
	return err == nil && -ordinaryExponent <= n && n <= ordinaryExponent
}

// number writes a number of the schema.
func number(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}
