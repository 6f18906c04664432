package validate

import "strconv"

// scanNumber reads the number at data[i], a digit or a minus sign, and
// returns the offset behind it (RFC 8259, section 6).
func scanNumber(data []byte, i int, anyNumber bool) (int, fault) {
	start := i
	if data[i] == '-' {
		i++
	}
	whole := i
	i = skipDigits(data, i)
	if i == whole || data[whole] == '0' && i > whole+1 {
		return i, badSyntax
	}
	wholeEnd := i
	if i < len(data) && data[i] == '.' {
		i = skipDigits(data, i+1)
		if i == wholeEnd+1 {
			return i, badSyntax
		}
	}
	mantissaEnd := i
	if i < len(data) && data[i]|0x20 == 'e' {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		digits := i
		i = skipDigits(data, i)
		if i == digits {
			return i, badSyntax
		}
	}
	switch {
	case anyNumber:
	case i == wholeEnd:
		if !safeInteger(data[whole:wholeEnd]) {
			return start, badNumber
		}
	// 200 digits, and 99 more of an exponent, are under the 309 that a double
	// holds.
	case wholeEnd-whole <= 200 && i-mantissaEnd <= len("e99"):
	case overflows(data[whole:wholeEnd], data[wholeEnd:mantissaEnd], data[mantissaEnd:i]):
		return start, badNumber
	}
	return i, noFault
}

func skipDigits(data []byte, i int) int {
	for i < len(data) && '0' <= data[i] && data[i] <= '9' {
		i++
	}
	return i
}

// safeInteger reports whether digits, which have no leading zero, are at most
// MaxSafeInteger.
func safeInteger(digits []byte) bool {
	const longest = len("9007199254740991")
	if len(digits) != longest {
		return len(digits) < longest
	}
	n := int64(0)
	for _, c := range digits {
		n = n*10 + int64(c-'0')
	}
	return n <= MaxSafeInteger
}

// overflows reports whether a number is beyond the largest double. fraction
// begins with its point and exponent with its e, where there are any.
func overflows(whole, fraction, exponent []byte) bool {
	// The number is 0.d… × 10^magnitude, d being its first digit that is not
	// zero. The largest double is 0.17976931348623157… × 10^309.
	magnitude := int64(len(whole))
	if whole[0] == '0' {
		zeros := 0
		for zeros+1 < len(fraction) && fraction[zeros+1] == '0' {
			zeros++
		}
		if zeros+1 >= len(fraction) {
			return false // the number is zero
		}
		magnitude = -int64(zeros)
	}
	magnitude += exponentValue(exponent)
	if magnitude != 309 {
		return magnitude > 309
	}
	number := make([]byte, 0, len(whole)+len(fraction)+len(exponent))
	number = append(append(append(number, whole...), fraction...), exponent...)
	_, err := strconv.ParseFloat(string(number), 64)
	return err != nil
}

// exponentValue reads "e+12". A value that no input could make up for by the
// number of its digits stays where it is.
func exponentValue(exponent []byte) int64 {
	const huge = 1 << 40
	if len(exponent) == 0 {
		return 0
	}
	digits, sign := exponent[1:], int64(1)
	if digits[0] == '-' || digits[0] == '+' {
		if digits[0] == '-' {
			sign = -1
		}
		digits = digits[1:]
	}
	n := int64(0)
	for _, c := range digits {
		if n = n*10 + int64(c-'0'); n > huge {
			return sign * huge
		}
	}
	return sign * n
}
