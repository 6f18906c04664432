package room

import (
	"sync"

	"github.com/go-json-experiment/json"

	"github.com/wardroom/wardroom/internal/transport"
	"github.com/wardroom/wardroom/internal/wire"
)

// codecs are the subprotocols spoken, in order of preference.
var codecs = []wire.Codec{wire.JSON{}}

// scratch holds buffers for encoding one frame.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

const maxScratch = 64 << 10

func keepScratch(buf *[]byte, used []byte) {
	if cap(used) <= maxScratch {
		*buf = used
		scratch.Put(buf)
	}
}

// deflated compresses a frame when that is worth it.
func (s *Server) deflated(f transport.Frame) transport.Frame {
	if len(f.Payload) <= s.limits.CompressAbove {
		return f
	}
	if small := transport.Deflate(nil, f.Payload); len(small) < len(f.Payload) {
		return transport.Frame{Payload: small, Binary: f.Binary, Deflated: true}
	}
	return f
}

func encodeRecord(r Record) ([]byte, error) { return json.Marshal(r) }

func decodeRecord(data []byte) (r Record, err error) {
	err = json.Unmarshal(data, &r)
	return r, err
}

// settings is the record as a client sees it.
func (r *Record) settings(showInvited bool) wire.Settings {
	s := wire.Settings{
		Room: r.Room, Permission: string(r.Permission), Owner: r.Owner,
		Roles: r.Roles, Invited: r.Invited, ShowInvited: showInvited,
		MaxMembers: r.MaxMembers, Version: r.Version,
	}
	if !r.CreatedAt.IsZero() {
		s.CreatedAt = r.CreatedAt.UnixMilli()
	}
	return s
}
