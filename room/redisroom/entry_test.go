package redisroom

import (
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// placed puts a sequence number before a body, as the scripts do.
func placed(body []byte, seq uint64) string {
	return string([]byte{version, byte(seq >> 40), byte(seq >> 32), byte(seq >> 24), byte(seq >> 16), byte(seq >> 8), byte(seq)}) + string(body)
}

// framed is what the scripts publish: entries with offsets from the given one on,
// or all without.
func framed(gen, epoch string, offset uint64, entries ...string) string {
	text := "\x01" + gen + epoch
	for _, e := range entries {
		text += placed(nil, offset)[1:] + string(binary.BigEndian.AppendUint32(nil, uint32(len(e)))) + e
		if offset != 0 {
			offset++
		}
	}
	return text
}

func TestEntry(t *testing.T) {
	at := time.UnixMilli(1_764_000_000_123)
	for _, m := range []room.Message{
		{Kind: room.KindMessage, Event: "message", From: "ada", Data: []byte(`"hello"`), At: at},
		{Kind: room.KindMessage, Data: []byte{0, 0xFF}, Binary: true, At: at},
		{Kind: room.KindMessage, At: time.Time{}},
		{Kind: room.KindRedacted, From: strings.Repeat("u", 128), Reason: "r", Target: 1 << 40, Redacted: true, At: at},
		{
			Kind: room.KindRevoked, Event: "e", From: "f", Name: "n", Reason: "r", ID: "i", Data: []byte("d"), At: at, Target: 9,
			Until: time.UnixMilli(253402300799000), Session: "s", Except: "x", Act: "a",
		},
	} {
		op := opID{1, 2, 3}
		text := placed(appendBody(nil, &m, op), 1<<47+5)
		e, err := decodeEntry(text)
		if err != nil || e.seq != 1<<47+5 || e.op != op {
			t.Fatalf("%+v: %+v, %v", m, e, err)
		}
		if !e.At.Equal(m.At) || !e.Until.Equal(m.Until) {
			t.Errorf("%+v: %v and %v", m, e.At, e.Until)
		}
		e.At, e.Until = m.At, m.Until
		if !reflect.DeepEqual(e.Message, m) {
			t.Errorf("got  %+v\nwant %+v", e.Message, m)
		}
		gen, epoch := strings.Repeat("g", genSize), strings.Repeat("e", epochSize)
		next := placed(appendBody(nil, &m, op), 1<<47+6)
		list, err := decodeFrames(nil, framed(gen, epoch, 77, text, next))
		if err != nil || len(list) != 2 {
			t.Fatalf("%+v: %+v, %v", m, list, err)
		}
		for i, f := range list {
			if f.gen != gen || f.Position != (room.Position{Epoch: epoch, Offset: uint64(77 + i)}) || f.seq != 1<<47+5+uint64(i) {
				t.Errorf("%+v: %+v", m, f)
			}
		}
		for i := range len(text) - len(m.Data) {
			if _, err := decodeEntry(text[:i]); err == nil {
				t.Errorf("the first %d of %d bytes are taken for a message", i, len(text))
			}
		}
	}
}

// A field that messages get one day is not lost on the way.
func TestEntryHasEveryField(t *testing.T) {
	var m room.Message
	v := reflect.ValueOf(&m).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case string:
			f.SetString(v.Type().Field(i).Name)
		case bool:
			f.SetBool(true)
		case uint64:
			f.SetUint(7)
		case room.Kind:
			f.SetUint(uint64(room.KindMuted))
		case []byte:
			f.SetBytes([]byte("data"))
		case time.Time:
			f.Set(reflect.ValueOf(time.UnixMilli(int64(i + 1))))
		case room.Position: // the script's
		default:
			t.Fatalf("what to put into %s?", v.Type().Field(i).Name)
		}
	}
	e, err := decodeEntry(placed(appendBody(nil, &m, opID{1}), 1))
	e.Room = m.Room // the channel's
	if err != nil || !reflect.DeepEqual(e.Message, m) {
		t.Errorf("got  %+v, %v\nwant %+v", e.Message, err, m)
	}
}

// A small message costs few bytes more than what it says.
func TestEntryIsSmall(t *testing.T) {
	m := room.Message{Kind: room.KindMessage, Event: "message", From: "ada", Data: make([]byte, 100), At: now()}
	if n := len(placed(appendBody(nil, &m, opID{1}), 1)); n > 100+len("message"+"ada")+45 {
		t.Errorf("%d bytes", n)
	}
}

// Nothing that is in Redis brings a node down, and what is taken for a message
// is encoded as it was.
func FuzzEntry(f *testing.F) {
	m := room.Message{Kind: room.KindMessage, Event: "message", From: "ada", ID: "1", Data: []byte(`"hello"`), At: time.UnixMilli(1_764_000_000_123)}
	f.Add(framed("generatn", "epoch-epoch-epoc", 7, placed(appendBody(nil, &m, opID{}), 1)))
	m = room.Message{Kind: room.KindMuted, Name: "n", Reason: "r", Session: "s", Except: "x", Until: time.UnixMilli(-1), Target: 1 << 63, Binary: true, Redacted: true}
	f.Add(framed("generatn", "epoch-epoch-epoc", 0, placed(appendBody(nil, &m, opID{1}), 1<<48-1), placed(appendBody(nil, &m, opID{}), 0)))
	f.Add("")
	f.Add(strings.Repeat("\x01", beginSize+placeSize+fixedSize))
	f.Add(strings.Repeat("\xFF", beginSize+placeSize+fixedSize))
	f.Fuzz(func(t *testing.T, text string) {
		list, err := decodeFrames(nil, text)
		if err != nil {
			return
		}
		for _, fr := range list {
			m := fr.Message
			again, err := decodeEntry(placed(appendBody(nil, &m, fr.op), fr.seq))
			if err != nil {
				t.Fatalf("%+v: %v", fr, err)
			}
			again.Position = m.Position
			if !reflect.DeepEqual(again, fr.entry) {
				t.Fatalf("got  %+v\nwant %+v", again, fr.entry)
			}
		}
	})
}

// Lengths that are more than an int has on some machines are refused like any
// that are too much.
func TestEnormousLengths(t *testing.T) {
	m := room.Message{Kind: room.KindMessage, From: "ada", Data: []byte("1"), At: now()}
	text := placed(appendBody(nil, &m, opID{}), 1)
	const head = fixedSize - 4 // where its length is
	if _, err := decodeEntry(text[:head] + "\xFF\xFF\xFF\xF0" + text[head+4:]); err == nil {
		t.Error("a head of 4 GiB is taken")
	}
	frame := framed(strings.Repeat("g", genSize), strings.Repeat("e", epochSize), 1, text)
	const length = beginSize + seqSize
	if _, err := decodeFrames(nil, frame[:length]+"\xFF\xFF\xFF\xF0"+frame[length+4:]); err == nil {
		t.Error("an entry of 4 GiB is taken")
	}
}
