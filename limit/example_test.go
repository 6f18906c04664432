package limit_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/wardroom/wardroom/limit"
)

func ExampleMemory() {
	limiter := limit.NewMemory()
	rate := limit.PerMinute(1).WithBurst(2)
	for range 3 {
		d, err := limiter.Allow(context.Background(), "login:ada", rate, 1)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(d.OK, d.Remaining, d.RetryAfter.Round(time.Second))
	}
	// Output:
	// true 1 0s
	// true 0 0s
	// false 0 1m0s
}

// A connection keeps its own limits: it has one reader, so a Bucket needs no
// lock. As it is a value, two limits can be taken both or none.
func ExampleBucket() {
	var messages, bytes limit.Bucket
	start := time.Now()

	admit := func(size int) bool {
		now := time.Since(start)
		m, b := messages, bytes
		if !m.Take(now, limit.PerMinute(2), 1).OK || !b.Take(now, limit.PerMinute(1<<20), size).OK {
			return false
		}
		messages, bytes = m, b
		return true
	}
	fmt.Println(admit(100), admit(2<<20), admit(100), admit(100))
	// Output: true false true false
}

func ExampleGauge() {
	connections := limit.NewGauge()
	release, ok := connections.Acquire("192.0.2.1", 1)
	fmt.Println(ok)
	_, ok = connections.Acquire("192.0.2.1", 1)
	fmt.Println(ok)
	release()
	fmt.Println(connections.Count("192.0.2.1"))
	// Output:
	// true
	// false
	// 0
}

func ExampleClientIP() {
	proxies, err := limit.ParseTrusted("10.0.0.0/8")
	if err != nil {
		fmt.Println(err)
		return
	}
	ip := limit.NewClientIP(proxies...)

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Forwarded-For", "1.1.1.1, 203.0.113.9") // 1.1.1.1 is the client's own claim

	r.RemoteAddr = "10.0.0.1:1234"
	fmt.Println(ip.Addr(r))
	r.RemoteAddr = "198.51.100.1:1234"
	fmt.Println(ip.Addr(r))
	// Output:
	// 203.0.113.9
	// 198.51.100.1
}

func ExampleMiddleware() {
	limiter := limit.NewMemory()
	ip := limit.NewClientIP()
	login := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "welcome") })

	mux := http.NewServeMux()
	mux.Handle("POST /login", limit.Middleware(limiter, limit.PerMinute(1), ip.Key, limit.WithPolicy("login"))(login))

	for range 2 {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/login", nil))
		body, _ := io.ReadAll(w.Body)
		fmt.Print(w.Code, " ", w.Header().Get("RateLimit"), " ", string(body))
	}
	// Output:
	// 200 "login";r=0;t=60 welcome
	// 429 "login";r=0;t=60 {"error":{"code":"rate_limited","message":"Too many requests."}}
}
