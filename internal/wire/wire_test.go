package wire

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSubprotocol(t *testing.T) {
	var codec Codec = JSON{}
	if got := codec.Subprotocol(); got != "wardroom.v1.json" {
		t.Errorf("Subprotocol() = %q", got)
	}
}

// Names and fields are listed twice, in two directions.
func TestFieldNames(t *testing.T) {
	for f := fieldType; f < fieldCount; f++ {
		if name := f.String(); name == "" || fieldNamed([]byte(name)) != f {
			t.Errorf("field %d has the name %q, which belongs to field %d", f, name, fieldNamed([]byte(name)))
		}
	}
	if got := fieldNamed([]byte("Room")); got != fieldUnknown {
		t.Errorf("names must be told apart by case, Room is %v", got)
	}
}
