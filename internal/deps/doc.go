// Package deps holds no code. Its tests keep the direction of imports that
// docs/DESIGN.md draws:
//
//	examples → redis*, jwtauth → room → auth, limit, presence, validate, internal/…
//
// and with it the promise that a program which imports room compiles neither a
// Redis client nor a JWT library. The rules are a table in rules_test.go; a
// new package that breaks one fails here, not in a review.
package deps
