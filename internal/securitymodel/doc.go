// Package securitymodel has no code: its tests hold docs/SECURITY-MODEL.md to
// what is there. Every threat has a row, every row names tests or is marked
// planned, and every test that is named exists.
package securitymodel
