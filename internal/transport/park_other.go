//go:build !linux

package transport

import (
	"sync"
	"time"
)

// Park is there on Linux only.
type Park struct{ after time.Duration }

// NewPark returns nil: connections keep their goroutines.
func NewPark(*sync.WaitGroup) *Park { return nil }

// Close does nothing.
func (*Park) Close() {}

func (*Park) add(*Conn) bool { return false }

func (*Park) forget(*Conn) {}
