package redisroom

import (
	"testing"

	"go.uber.org/goleak"
)

// What rueidis puts off for a second it does not wait for when it is closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}
