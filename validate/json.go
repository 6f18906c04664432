package validate

import (
	"strconv"
	"sync"
)

// JSON checks one raw JSON value (RFC 8259), with or without white space
// around it, in a single pass that builds no values. It returns nil, or the
// first fault in the order of the bytes:
//
//	too_large          more than JSONBytes; a string of more than TextChars
//	too_deep           more than Depth arrays and objects inside each other
//	too_many_elements  an array of more than Elements
//	too_many_keys      an object of more than Keys
//	duplicate_key      two keys of an object are equal once unescaped
//	invalid_utf8       bytes that are not UTF-8, or a lone surrogate (\ud800)
//	invalid_json       anything else that is not JSON
//	bad_request        an unsafe number, a prototype key, not an object
//
// data may be anything: the function is exact for input that no decoder has
// seen. It never panics, runs in linear time whatever the limits, keeps no
// reference to data, and allocates nothing for valid input of ordinary size.
//
// The result is an *Error and not an error: compare it with nil before it is
// assigned to a variable of an interface type.
func (l Limits) JSON(data []byte) *Error {
	if len(data) > limitOr(l.JSONBytes, 512<<10) {
		l = l.resolved()
		return &Error{
			Code:    CodeTooLarge,
			Path:    l.Root,
			Message: "The value is larger than " + strconv.Itoa(l.JSONBytes) + " bytes.",
		}
	}
	start := skipSpace(data, 0)
	if start < len(data) && (data[start] == '{' || data[start] == '[') {
		return l.resolved().container(data, start)
	}
	return l.scalar(data, start)
}

// fault is why a scan stopped. The zero fault means that it did not.
type fault uint8

const (
	noFault fault = iota
	badSyntax
	badUTF8
	badNumber
	badKey
	notObject
	longText
	deep
	manyElements
	manyKeys
	sameKey
)

// scalar checks a value that is no array or object, which needs no state.
func (l Limits) scalar(data []byte, start int) *Error {
	end, chars, f := scalarToken(data, start, l.AllowUnsafeNumbers)
	if f != noFault {
		return l.refuse(f, data, end)
	}
	if after := skipSpace(data, end); after != len(data) {
		return l.refuse(badSyntax, data, after)
	}
	if l.ObjectOnly {
		return l.refuse(notObject, data, start)
	}
	if chars > limitOr(l.TextChars, 1_000) {
		return l.refuse(longText, data, start)
	}
	return nil
}

// container checks an array or object. l is resolved.
func (l Limits) container(data []byte, start int) *Error {
	if l.ObjectOnly && data[start] != '{' {
		return l.refuse(notObject, data, start)
	}
	s := scanners.Get().(*scanner)
	end, f := s.scan(&l, data, start)
	s.reset()
	scanners.Put(s)
	if f != noFault {
		return l.refuse(f, data, end)
	}
	if after := skipSpace(data, end); after != len(data) {
		return l.refuse(badSyntax, data, after)
	}
	return nil
}

// scanners holds the memory of scans that are over. It is kept off the
// goroutine's stack: a connection's reader that once grew its stack would
// keep it while idle.
var scanners = sync.Pool{New: func() any { return newScanner() }}

// frame is one open array or object.
type frame struct {
	object bool
	// count is the number of elements or keys begun.
	count int
	// keys is where an object's keys begin in scanner.keys.
	keys int
	keySet
}

// scanner is the state of one scan. Arrays and objects close in the opposite
// order they opened in, so what is kept of them is kept in stacks.
type scanner struct {
	frames []frame
	keyStack
}

func newScanner() *scanner {
	return &scanner{frames: make([]frame, 0, 16), keyStack: newKeyStack()}
}

// reset forgets the input. Memory that only an unusual input needs goes to
// the garbage collector and not back to the pool.
func (s *scanner) reset() {
	const usual = 1_024
	if cap(s.frames) > usual {
		s.frames = make([]frame, 0, 16)
	}
	s.frames = s.frames[:0]
	s.keyStack.reset(usual)
}

// scan reads the array or object that opens at data[i]. It returns the offset
// behind it, or the fault and where it is.
func (s *scanner) scan(l *Limits, data []byte, i int) (int, fault) {
	var f fault
value:
	for {
		switch c := data[i]; c {
		case '{', '[':
			if len(s.frames) >= l.Depth {
				return i, deep
			}
			i = skipSpace(data, i+1)
			if i == len(data) {
				return i, badSyntax
			}
			if c == '{' {
				s.frames = append(s.frames, frame{object: true, keys: len(s.keys)})
				if data[i] != '}' {
					if i, f = s.key(l, data, i); f != noFault {
						return i, f
					}
					continue value
				}
			} else {
				s.frames = append(s.frames, frame{})
				if data[i] != ']' {
					s.frames[len(s.frames)-1].count = 1
					continue value
				}
			}
		default:
			if i, _, f = scalarToken(data, i, l.AllowUnsafeNumbers); f != noFault {
				return i, f
			}
			i = skipSpace(data, i)
		}

		// A value has ended, or an empty container is about to. Close what
		// closes, up to the next comma.
		for {
			if i == len(data) {
				return i, badSyntax
			}
			top := &s.frames[len(s.frames)-1]
			switch c := data[i]; {
			case c == '}' && top.object, c == ']' && !top.object:
				if top.object {
					s.drop(top)
				}
				s.frames = s.frames[:len(s.frames)-1]
				if len(s.frames) == 0 {
					return i + 1, noFault
				}
				i = skipSpace(data, i+1)
			case c == ',' && top.object:
				if i, f = s.key(l, data, skipSpace(data, i+1)); f != noFault {
					return i, f
				}
				continue value
			case c == ',':
				i = skipSpace(data, i+1)
				if i == len(data) {
					return i, badSyntax
				}
				if top.count++; top.count > l.Elements {
					return i, manyElements
				}
				continue value
			default:
				return i, badSyntax
			}
		}
	}
}

// key reads a key and its colon and returns the offset of the value, which
// is inside data.
func (s *scanner) key(l *Limits, data []byte, i int) (int, fault) {
	if i == len(data) || data[i] != '"' {
		return i, badSyntax
	}
	top := &s.frames[len(s.frames)-1]
	if top.count++; top.count > l.Keys {
		return i, manyKeys
	}
	end, escaped := shortString(data, i+1), false
	if end < 0 {
		var f fault
		if end, escaped, _, f = scanString(data, i+1); f != noFault {
			return i, f
		}
	}
	k := s.span(data, i+1, end-1, escaped)
	if l.NoPrototypeKeys && prototypeKey(s.bytes(data, k)) {
		return end, badKey
	}
	if !s.add(top, data, k) {
		return end, sameKey
	}
	i = skipSpace(data, end)
	if i == len(data) || data[i] != ':' {
		return i, badSyntax
	}
	i = skipSpace(data, i+1)
	if i == len(data) {
		return i, badSyntax
	}
	return i, noFault
}

// scalarToken reads a string, number or literal at data[i]. chars is the
// length of a string in characters, 0 for anything else. With a fault, end is
// where the token began.
func scalarToken(data []byte, i int, anyNumber bool) (end, chars int, f fault) {
	if i >= len(data) {
		return i, 0, badSyntax
	}
	switch c := data[i]; {
	case c == '"':
		end, _, chars, f = scanString(data, i+1)
		if f != noFault {
			return i, 0, f
		}
		return end, chars, noFault
	case c == '-' || '0' <= c && c <= '9':
		end, f = scanNumber(data, i, anyNumber)
		if f != noFault {
			return i, 0, f
		}
		return end, 0, noFault
	case c == 't':
		end = literal(data, i, "true")
	case c == 'f':
		end = literal(data, i, "false")
	case c == 'n':
		end = literal(data, i, "null")
	default:
		return i, 0, badSyntax
	}
	if end < 0 {
		return i, 0, badSyntax
	}
	return end, 0, noFault
}

func literal(data []byte, i int, word string) int {
	if len(data)-i < len(word) || string(data[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

func prototypeKey(key []byte) bool {
	switch string(key) {
	case "__proto__", "constructor", "prototype":
		return true
	}
	return false
}

// refuse makes the Error for a fault at an offset.
func (l Limits) refuse(f fault, data []byte, at int) *Error {
	l = l.resolved()
	e := &Error{Path: path(l.Root, data, at)}
	switch f {
	case badUTF8:
		e.Code, e.Message = CodeInvalidUTF8, "The text is not valid UTF-8."
	case badNumber:
		e.Code, e.Message = CodeBadRequest, "The number is too large to be carried exactly."
	case badKey:
		e.Code, e.Message = CodeBadRequest, "This key is not allowed."
	case notObject:
		e.Code, e.Message = CodeBadRequest, "The value must be an object."
	case longText:
		e.Code, e.Message = CodeTooLarge, "The text is longer than "+strconv.Itoa(l.TextChars)+" characters."
	case deep:
		e.Code, e.Message = CodeTooDeep, "The value is nested deeper than "+strconv.Itoa(l.Depth)+" levels."
	case manyElements:
		e.Code, e.Message = CodeTooManyElements, "An array has more than "+strconv.Itoa(l.Elements)+" elements."
	case manyKeys:
		e.Code, e.Message = CodeTooManyKeys, "An object has more than "+strconv.Itoa(l.Keys)+" keys."
	case sameKey:
		e.Code, e.Message = CodeDuplicateKey, "An object has the same key twice."
	default:
		e.Code, e.Message = CodeInvalidJSON, "The value is not valid JSON."
	}
	return e
}
