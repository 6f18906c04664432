//go:build !race

package room_test

const race = false
