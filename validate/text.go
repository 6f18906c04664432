package validate

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is the rule for a short piece of plain text that people read and that
// is not message data: a display name, the reason for a ban, a title.
type Text struct {
	// MinChars and MaxChars bound the text in characters, Unicode code
	// points, after it has been cleaned. MaxChars 0 means 1,000.
	MinChars, MaxChars int
	// Lines keeps line breaks. Without it they become spaces.
	Lines bool
}

// nameText is the rule of [DisplayName].
var nameText = Text{MinChars: 1, MaxChars: 64}

// DisplayName cleans and checks a name that is shown to people, 1 to 64
// characters by the rules of [Text.Clean]. The path of an error is "name".
//
// A display name is no identity: two users may bear the same one, and no rule
// of characters makes "Аda", with a Cyrillic А, look different from "Ada"
// (Unicode Technical Standard #39). Names are also not brought to
// normalisation form NFC, for which the standard library has no tables, so
// "é" may be one code point or two. Decide everything by user ID, which is
// plain ASCII, and show it wherever the difference matters.
func DisplayName(s string) (string, *Error) {
	return nameText.Clean("name", s)
}

// Clean returns s in the form in which it may be shown, or what is wrong with
// it; path is the Path of such an error.
//
// Removed: control characters, bidirectional controls, zero-width and other
// format characters, variation selectors, and the letters that are drawn as
// nothing (Unicode property Default_Ignorable_Code_Point, and U+2800). What
// is left cannot reorder the text around it, and cannot differ from another
// text by something unseen.
//
// Changed: every run of white space becomes one space, and none stays at the
// ends. With Lines a run that has a line break becomes one line break, or two
// where it had an empty line.
//
// Refused: what is not UTF-8 (invalid_utf8), more than MaxChars (too_large),
// fewer than MinChars, private-use and unassigned code points, a combining
// mark with no letter to sit on, and more than four marks on one letter,
// which would spill over neighbouring lines (bad_request).
//
// Text that needs no change and has no line breaks is returned as it is,
// without allocation.
func (t Text) Clean(path, s string) (string, *Error) {
	if !utf8.ValidString(s) {
		return "", &Error{Code: CodeInvalidUTF8, Path: path, Message: "The text is not valid UTF-8."}
	}
	if !tidy(s) {
		s = t.tidied(s)
	}
	chars, e := marks(path, s)
	if e != nil {
		return "", e
	}
	longest := limitOr(t.MaxChars, 1_000)
	if chars > longest {
		return "", &Error{Code: CodeTooLarge, Path: path, Message: "The text is longer than " + strconv.Itoa(longest) + " characters."}
	}
	if chars < t.MinChars {
		message := "The text is empty."
		if t.MinChars > 1 {
			message = "The text is shorter than " + strconv.Itoa(t.MinChars) + " characters."
		}
		return "", &Error{Code: CodeBadRequest, Path: path, Message: message}
	}
	return s, nil
}

// tidy reports whether s has nothing to remove and single spaces inside.
func tidy(s string) bool {
	space := true // none may come first
	for _, r := range s {
		if r == ' ' && space || r != ' ' && (unicode.IsSpace(r) || invisible(r)) {
			return false
		}
		space = r == ' '
	}
	return !space || s == ""
}

// tidied removes what is not shown and folds white space.
func (t Text) tidied(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space, breaks := false, 0
	for i, r := range s {
		switch {
		case unicode.IsSpace(r):
			space = true
			if t.Lines && lineBreak(r) && !(r == '\n' && i > 0 && s[i-1] == '\r') {
				breaks++
			}
		case invisible(r):
		default:
			if space && b.Len() > 0 {
				switch breaks {
				case 0:
					b.WriteByte(' ')
				case 1:
					b.WriteByte('\n')
				default:
					b.WriteString("\n\n")
				}
			}
			space, breaks = false, 0
			b.WriteRune(r)
		}
	}
	return b.String()
}

func lineBreak(r rune) bool {
	switch r {
	case '\n', '\r', '\v', '\f', '\u0085', '\u2028', '\u2029':
		return true
	}
	return false
}

// invisible reports whether r is drawn as nothing.
func invisible(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7F
	}
	return r == '\u2800' || unicode.In(r,
		unicode.Cc, unicode.Cf,
		unicode.Other_Default_Ignorable_Code_Point,
		unicode.Variation_Selector)
}

// marks counts the characters of s and refuses those that cannot be shown.
func marks(path, s string) (chars int, _ *Error) {
	const most = 4
	// A mark at the beginning, or behind a space, has nothing to sit on.
	run := most
	for _, r := range s {
		chars++
		switch {
		case r == ' ' || r == '\n':
			run = most
		case r < utf8.RuneSelf:
			run = 0
		case unicode.In(r, unicode.Mn, unicode.Me):
			if run++; run > most {
				return 0, &Error{Code: CodeBadRequest, Path: path, Message: "The text has too many combining marks in one place."}
			}
		case !unicode.IsGraphic(r):
			return 0, &Error{Code: CodeBadRequest, Path: path, Message: "The text has a character that cannot be shown."}
		default:
			run = 0
		}
	}
	return chars, nil
}
