package validate

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// Random numbers around the borders, judged by math/big and strconv.
func TestNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	limit := big.NewInt(MaxSafeInteger)
	refused := 0
	for range 20_000 {
		s := randomNumber(random)
		if !json.Valid([]byte(s)) {
			t.Fatalf("%s is no number", s)
		}
		_, err := strconv.ParseFloat(s, 64)
		want := err == nil
		if !strings.ContainsAny(s, ".eE") {
			n, _ := new(big.Int).SetString(s, 10)
			want = n.CmpAbs(limit) <= 0
		}
		if e := (Limits{}).JSON([]byte(s)); (e == nil) != want {
			t.Fatalf("%s: %v, want accepted: %t", s, e, want)
		}
		if !want {
			refused++
		}
	}
	if refused < 2_000 || refused > 18_000 {
		t.Errorf("%d of 20,000 refused: the numbers are not around the borders", refused)
	}
}

func randomNumber(random *rand.Rand) string {
	var b strings.Builder
	if random.IntN(2) == 0 {
		b.WriteByte('-')
	}
	digits := func(n int) {
		for range n {
			b.WriteByte('0' + byte(random.IntN(10)))
		}
	}
	switch random.IntN(4) {
	case 0: // around 2^53
		b.WriteString(strconv.FormatInt(MaxSafeInteger-2+random.Int64N(5), 10))
		return b.String()
	case 1: // an integer of 1 to 20 digits
		b.WriteByte('1' + byte(random.IntN(9)))
		digits(random.IntN(20))
		return b.String()
	}
	// 0.d… or d….d… with an exponent that brings it near the largest double.
	magnitude := 0
	if random.IntN(2) == 0 {
		zeros := random.IntN(400)
		b.WriteString("0." + strings.Repeat("0", zeros))
		magnitude = -zeros
	} else {
		b.WriteByte('1' + byte(random.IntN(9)))
		n := random.IntN(400)
		digits(n)
		magnitude = n + 1
		b.WriteByte('.')
	}
	b.WriteByte('1' + byte(random.IntN(3)))
	digits(random.IntN(30))
	exponent := 309 - magnitude + random.IntN(5) - 2
	if exponent != 0 || random.IntN(2) == 0 {
		b.WriteByte("eE"[random.IntN(2)])
		if exponent >= 0 && random.IntN(2) == 0 {
			b.WriteByte('+')
		}
		b.WriteString(strconv.Itoa(exponent))
	}
	return b.String()
}
