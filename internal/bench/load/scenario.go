//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// result is what one run measured, printed as one line of JSON. What a
// scenario does not measure is zero.
type result struct {
	Deliveries int64   `json:"deliveries,omitempty"`
	Seconds    float64 `json:"seconds,omitempty"`
	CPU        float64 `json:"cpu,omitempty"`         // of the server, seconds
	LoadCPU    float64 `json:"load_cpu,omitempty"`    // of the generator, seconds
	PerMillion float64 `json:"per_million,omitempty"` // CPU seconds per million deliveries
	PerRead    float64 `json:"per_read,omitempty"`    // deliveries in one read of the generator
	P50        float64 `json:"p50_ms,omitempty"`
	P99        float64 `json:"p99_ms,omitempty"`
	Max        float64 `json:"max_ms,omitempty"`
	KiB        float64 `json:"kib,omitempty"`     // RSS of the server per connection
	Connect    float64 `json:"connect,omitempty"` // CPU µs per connect and join
	Lost       int     `json:"lost,omitempty"`    // connections that the server closed

	Alone     float64 `json:"alone_p99_ms,omitempty"` // of the small room, before the huge one spoke
	Join      float64 `json:"join_p99_ms,omitempty"`  // of joins while it spoke
	RoundTrip float64 `json:"round_trips,omitempty"`  // calls of scripts per message published
}

type scenario struct {
	dialer
	loop    *loop
	pids    []int
	redis   string // address of the nodes' Redis, empty for none
	members int
	rooms   int
	window  int // outstanding messages
	rate    int // messages a second
	warm    time.Duration
	dur     time.Duration
}

// payload is a JSON string of 128 bytes, quotes not counted, that begins with
// a tag of 12 bytes.
func payload(tag string) []byte {
	return []byte(`"` + tag + strings.Repeat("x", 128-len(tag)) + `"`)
}

func tag(n int64) string { return fmt.Sprintf("m%010d:", n) }

// document is a JSON object of 4 KiB that compresses about as well as
// records of an application do.
func document() []byte {
	b := []byte(`{"kind":"update","items":[`)
	for i := 0; len(b) < 4096-120; i++ {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"id":%d,"name":"item %d","price":%d.%02d,"tags":["t%d","t%d"],"seen":%d}`,
			1000+i*37, i*i, i*13%97, i*29%100, i%7, i%11, 1_700_000_000+i*7919)
	}
	b = append(b, `],"pad":"`...)
	for i := 0; len(b) < 4094; i++ {
		b = append(b, byte('a'+i*7%26))
	}
	return append(b, `"}`...)
}

// fill opens the connections of a scenario. Those that are open are served
// meanwhile, for what the server tells them of the others.
func (s *scenario) fill(n int, room func(i int) string, deflate func(i int) bool) ([]*client, error) {
	clients := make([]*client, n)
	for i := range clients {
		c, err := s.dial(i, room(i), deflate != nil && deflate(i))
		if err != nil {
			return nil, err
		}
		if err := s.loop.add(c); err != nil {
			return nil, err
		}
		clients[i] = c
		if _, err := s.loop.poll(0); err != nil {
			return nil, err
		}
	}
	if err := s.loop.settle(); err != nil {
		return nil, err
	}
	if s.loop.lost > 0 {
		return nil, fmt.Errorf("the server closed %d connections before the load began", s.loop.lost)
	}
	return clients, nil
}

// measure runs the loop through the warm-up and then over the window that
// counts.
func (s *scenario) measure(run func(time.Duration) error) (result, error) {
	if err := run(s.warm); err != nil {
		return result{}, err
	}
	self := unix.Getpid()
	before, err := cpus(s.pids)
	if err != nil {
		return result{}, err
	}
	own, err := cpu(self)
	if err != nil {
		return result{}, err
	}
	deliveries, reads, start := s.loop.deliveries, s.loop.reads, time.Now()
	if err := run(s.dur); err != nil {
		return result{}, err
	}
	after, err := cpus(s.pids)
	if err != nil {
		return result{}, err
	}
	ownAfter, err := cpu(self)
	if err != nil {
		return result{}, err
	}
	r := result{
		Deliveries: s.loop.deliveries - deliveries, Seconds: time.Since(start).Seconds(), CPU: after - before,
		LoadCPU: ownAfter - own, Lost: s.loop.lost,
	}
	if r.Deliveries > 0 {
		r.PerMillion = r.CPU / float64(r.Deliveries) * 1e6
		r.PerRead = float64(r.Deliveries) / float64(max(1, s.loop.reads-reads))
	}
	return r, nil
}

// burst is scenarios A and F: one room, one publisher that is itself a member
// and has some messages outstanding, paced by what it gets back.
func (s *scenario) burst(data []byte, deflate bool) (result, error) {
	// The publisher takes no compression, so that its frames can be counted.
	clients, err := s.fill(s.members, func(int) string { return "a" }, func(i int) bool { return deflate && i > 0 })
	if err != nil {
		return result{}, err
	}
	message := frame(s.dialect.publish("a", data))
	publisher := clients[0]
	credit := s.window
	published := 0
	publisher.got = func(_ *client, p []byte) {
		n := s.dialect.count(p, false)
		credit += n
		published += n
	}
	var batch []byte
	calls, err := s.scriptCalls()
	if err != nil {
		return result{}, err
	}
	r, err := s.measure(func(d time.Duration) error {
		for end := time.Now().Add(d); time.Now().Before(end); {
			if credit > 0 {
				batch = batch[:0]
				for range credit {
					batch = append(batch, message...)
				}
				credit = 0
				s.loop.send(publisher, batch)
			}
			if _, err := s.loop.poll(10 * time.Millisecond); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || s.redis == "" {
		return r, err
	}
	after, err := s.scriptCalls()
	r.RoundTrip = float64(after-calls) / float64(max(published, 1))
	return r, err
}

// loops is scenario B: rooms in which each member sends its next message when
// it has got the one before.
func (s *scenario) loops() (result, error) {
	each := s.members / s.rooms
	name := func(i int) string { return "b" + strconv.Itoa(i/each) }
	clients, err := s.fill(each*s.rooms, name, nil)
	if err != nil {
		return result{}, err
	}
	messages := make([][]byte, len(clients))
	for i, c := range clients {
		mine := []byte(tag(int64(i)))
		messages[i] = frame(s.dialect.publish(name(i), payload(string(mine))))
		c.got = func(c *client, p []byte) {
			if bytes.Contains(p, mine) {
				s.loop.send(c, messages[i])
			}
		}
	}
	for i, c := range clients {
		s.loop.send(c, messages[i])
	}
	return s.measure(s.loop.run)
}

// paced is scenario C: one room, messages at a rate, and how long each takes
// to each member.
func (s *scenario) paced() (result, error) {
	clients, err := s.fill(s.members, func(int) string { return "c" }, nil)
	if err != nil {
		return result{}, err
	}
	var sent []time.Time
	latency := newHistogram()
	for _, c := range clients {
		c.got = func(_ *client, p []byte) {
			// A frame of several messages has the time of each of them.
			for {
				i := bytes.Index(p, []byte("m0"))
				if i < 0 || len(p) < i+12 {
					return
				}
				n, err := strconv.Atoi(string(p[i+1 : i+11]))
				if err == nil && n < len(sent) {
					latency.add(s.loop.now.Sub(sent[n]))
				}
				p = p[i+12:]
			}
		}
	}
	var next time.Time
	run := func(d time.Duration) error {
		for end := time.Now().Add(d); time.Now().Before(end); {
			if now := time.Now(); !now.Before(next) {
				message := frame(s.dialect.publish("c", payload(tag(int64(len(sent))))))
				sent = append(sent, now)
				s.loop.send(clients[0], message)
				if next = next.Add(time.Second / time.Duration(s.rate)); next.Before(now) {
					next = now.Add(time.Second / time.Duration(s.rate))
				}
			}
			if _, err := s.loop.poll(min(max(time.Until(next), 0), 10*time.Millisecond)); err != nil {
				return err
			}
		}
		return nil
	}
	r, err := s.measure(run)
	if err != nil {
		return r, err
	}
	// What is under way counts too: the slowest would be left out otherwise.
	if err := s.loop.settle(); err != nil {
		return r, err
	}
	r.P50, r.P99, r.Max = ms(latency.quantile(0.5)), ms(latency.quantile(0.99)), ms(latency.most)
	return r, nil
}

// idle is scenario D: what a member costs that says nothing.
func (s *scenario) idle() (result, error) {
	before, err := rss(s.pids[0])
	if err != nil {
		return result{}, err
	}
	each := s.members / s.rooms
	if _, err := s.fill(s.members, func(i int) string { return "d" + strconv.Itoa(i/each) }, nil); err != nil {
		return result{}, err
	}
	if err := s.loop.run(s.dur); err != nil {
		return result{}, err
	}
	after, err := rss(s.pids[0])
	return result{KiB: float64(after-before) / 1024 / float64(s.members), Lost: s.loop.lost}, err
}

// connects is scenario E: connect, join one of the rooms, leave, one at a time.
func (s *scenario) connects() (result, error) {
	once := func(from, to int) error {
		for i := from; i < to; i++ {
			c, err := s.dial(i, "e"+strconv.Itoa(i%s.rooms), false)
			if err != nil {
				return err
			}
			c.leave()
		}
		return nil
	}
	if err := once(0, s.rooms); err != nil {
		return result{}, err
	}
	before, err := cpus(s.pids)
	if err != nil {
		return result{}, err
	}
	if err := once(s.rooms, s.rooms+s.members); err != nil {
		return result{}, err
	}
	after, err := cpus(s.pids)
	return result{Connect: (after - before) / float64(s.members) * 1e6}, err
}
