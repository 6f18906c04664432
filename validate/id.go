package validate

// Lengths of identifiers in bytes, which are characters here.
const (
	MaxRoomLen   = 64
	MaxEventLen  = 64
	MaxUserIDLen = 128
)

// asciiSet has one bit per ASCII character.
type asciiSet [2]uint64

func (s asciiSet) has(c byte) bool {
	return c < 0x80 && s[c>>6]>>(c&63)&1 == 1
}

// The sets are written as constants so that nothing can change them:
// 0x30–0x3A are the digits and ':', 0x41–0x5A and 0x61–0x7A the letters.
const (
	plainLow  = 1<<('9'+1) - 1<<'0' | 1<<'-' | 1<<'.' | 1<<':'
	plainHigh = 1<<('Z'+1-64) - 1<<('A'-64) | 1<<('z'+1-64) - 1<<('a'-64) | 1<<('_'-64)
	userLow   = plainLow | 1<<'+'
	userHigh  = plainHigh | 1<<('@'-64) | 1<<('|'-64)
)

// Room reports whether name may be the name of a room: 1 to 64 of the
// characters A-Z a-z 0-9 _ - . : and nothing else. Names are compared byte by
// byte; as only ASCII is let in there is nothing to normalise, and no two
// names that differ look alike by their encoding. The code of a refusal is
// [CodeInvalidRoom].
func Room(name string) bool {
	return identifier(name, MaxRoomLen, asciiSet{plainLow, plainHigh})
}

// Event reports whether name may be the name of an event, by the same rule as
// [Room]. The code of a refusal is [CodeInvalidEvent].
func Event(name string) bool {
	return identifier(name, MaxEventLen, asciiSet{plainLow, plainHigh})
}

// UserID reports whether id may identify a user: 1 to 128 of the characters
// of [Room] and @ + | besides, so that e-mail addresses and the subjects that
// identity providers issue ("auth0|5f7c8ec7c33c6c004bbafe82") fit.
func UserID(id string) bool {
	return identifier(id, MaxUserIDLen, asciiSet{userLow, userHigh})
}

func identifier(s string, longest int, allowed asciiSet) bool {
	if len(s) == 0 || len(s) > longest {
		return false
	}
	for i := range len(s) {
		if !allowed.has(s[i]) {
			return false
		}
	}
	return true
}
