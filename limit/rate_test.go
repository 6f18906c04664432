package limit

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	tests := []struct {
		rate   Rate
		valid  bool
		size   int
		window time.Duration
		text   string
	}{
		{Rate{}, true, 0, 0, "unlimited"},
		{PerSecond(100), true, 100, time.Second, "100/s"},
		{PerSecond(100).WithBurst(100), true, 100, time.Second, "100/s"},
		{PerSecond(100).WithBurst(250), true, 250, 2500 * time.Millisecond, "100/s burst 250"},
		{PerMinute(60).WithBurst(10), true, 10, 10 * time.Second, "60/m burst 10"},
		{Rate{Events: 5, Per: time.Hour}, true, 5, time.Hour, "5/h"},
		{Rate{Events: 5, Per: 1500 * time.Millisecond}, true, 5, 1500 * time.Millisecond, "5/1.5s"},
		{PerSecond(3), true, 3, time.Second, "3/s"},
		{PerSecond(3).WithBurst(1), true, 1, 333333334, "3/s burst 1"},
		{Rate{Events: math.MaxInt, Per: 1}, true, math.MaxInt, 1, "9223372036854775807/1ns"},

		{PerSecond(0), false, 0, 0, "0/s"},
		{PerSecond(-1), false, -1, 0, "-1/s"},
		{PerSecond(1).WithBurst(-1), false, -1, 0, "1/s burst -1"},
		{Rate{Events: 1}, false, 1, 0, "1/0s"},
		{Rate{Events: 1, Per: -1}, false, 1, 0, "1/-1ns"},
		{Rate{Per: time.Second, Burst: 1}, false, 1, 0, "0/s burst 1"},
		{Rate{Burst: 1}, false, 1, 0, "0/0s burst 1"},

		// The longest window is just below 2^62 ns.
		{Rate{Events: 1, Per: 1<<62 - 1}, true, 1, 1<<62 - 1, "1/1281023h53m38.427387903s"},
		{Rate{Events: 1, Per: 1 << 62}, false, 1, 0, "1/1281023h53m38.427387904s"},
		{Rate{Events: 1, Per: 1 << 31, Burst: 1<<31 - 1}, true, 1<<31 - 1, 1<<62 - 1<<31, "1/2.147483648s burst 2147483647"},
		{Rate{Events: 1, Per: 1 << 31, Burst: 1 << 31}, false, 1 << 31, 0, "1/2.147483648s burst 2147483648"},
		{Rate{Events: 8, Per: 1 << 31, Burst: 1<<34 - 1}, true, 1<<34 - 1, 1<<62 - 1<<28, "8/2.147483648s burst 17179869183"},
		{Rate{Events: 1, Per: math.MaxInt64, Burst: math.MaxInt}, false, math.MaxInt, 0, "1/2562047h47m16.854775807s burst 9223372036854775807"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			err := tt.rate.Validate()
			if tt.valid && err != nil || !tt.valid && !errors.Is(err, ErrInvalidRate) {
				t.Errorf("Validate() = %v, want valid: %v", err, tt.valid)
			}
			if got := tt.rate.Size(); got != tt.size {
				t.Errorf("Size() = %d, want %d", got, tt.size)
			}
			if got := tt.rate.Window(); got != tt.window {
				t.Errorf("Window() = %d, want %d", got, tt.window)
			}
			if got := tt.rate.String(); got != tt.text {
				t.Errorf("String() = %q, want %q", got, tt.text)
			}
		})
	}
}
