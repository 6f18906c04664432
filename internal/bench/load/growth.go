//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// manyRooms has pairs of connections that share rooms of their own, as many as
// there are rooms for. Each connection is a closed loop that speaks in one of
// its rooms after the other.
func (s *scenario) manyRooms() (result, error) {
	each := max(1, s.rooms/(s.members/2))
	name := func(client, i int) string { return "r" + strconv.Itoa(client/2) + "." + strconv.Itoa(i) }
	clients, err := s.fill(s.members, func(i int) string { return name(i, 0) }, nil)
	if err != nil {
		return result{}, err
	}
	joined := 0
	for i, c := range clients {
		c.got = func(_ *client, p []byte) {
			if bytes.Contains(p, []byte(`"ref":2,"ok":true`)) {
				joined++
			}
		}
		var joins []byte
		for j := 1; j < each; j++ {
			joins = append(joins, frame([]byte(`{"type":"join","ref":2,"room":"`+name(i, j)+`"}`))...)
		}
		if len(joins) > 0 {
			s.loop.send(c, joins)
		}
		for deadline := time.Now().Add(time.Minute); i%16 == 15 && joined < (i-32)*(each-1); {
			if _, err := s.loop.poll(10 * time.Millisecond); err != nil {
				return result{}, err
			}
			if time.Now().After(deadline) {
				return result{}, fmt.Errorf("%d of %d joins were answered", joined, i*(each-1))
			}
		}
	}
	if err := s.loop.settle(); err != nil {
		return result{}, err
	}
	if want := len(clients) * (each - 1); joined != want {
		return result{}, fmt.Errorf("%d of %d joins were answered", joined, want)
	}
	next := make([]int, len(clients))
	for i, c := range clients {
		mine := []byte(tag(int64(i)))
		data := payload(string(mine))
		say := func() {
			s.loop.send(c, frame(s.dialect.publish(name(i, next[i]%each), data)))
			next[i]++
		}
		c.got = func(_ *client, p []byte) {
			if bytes.Contains(p, mine) {
				say()
			}
		}
		say()
	}
	return s.measure(s.loop.run)
}

// hugeRoom measures how long messages take in a room of ten, and how long a
// join takes, while a huge room next to it is spoken to.
func (s *scenario) hugeRoom() (result, error) {
	const small, rate, hugeRate = 10, 100, 5
	clients, err := s.fill(small+1+s.members, func(i int) string {
		if i < small {
			return "small"
		}
		return "huge"
	}, nil)
	if err != nil {
		return result{}, err
	}
	var sent []time.Time
	latency, alone, joins := newHistogram(), newHistogram(), newHistogram()
	into := alone
	for _, c := range clients[:small] {
		c.got = func(_ *client, p []byte) {
			if i := bytes.Index(p, []byte("m0")); i >= 0 && len(p) >= i+12 {
				if n, err := strconv.Atoi(string(p[i+1 : i+11])); err == nil && n < len(sent) {
					into.add(s.loop.now.Sub(sent[n]))
				}
			}
		}
	}
	// One goes out of the huge room and into it again, all the time.
	walker, speaker := clients[small], clients[small+1]
	again := frame([]byte(`{"type":"join","ref":3,"room":"huge"}`))
	var asked time.Time
	walker.got = func(_ *client, p []byte) {
		if bytes.Contains(p, []byte(`"ref":3,"ok":true`)) {
			joins.add(s.loop.now.Sub(asked))
			asked = time.Time{}
		}
	}
	shout := frame(s.dialect.publish("huge", payload("shout")))
	var next, nextHuge, nextJoin time.Time
	due := func(at *time.Time, perSecond int) bool {
		now := time.Now()
		if now.Before(*at) {
			return false
		}
		if *at = at.Add(time.Second / time.Duration(perSecond)); at.Before(now) {
			*at = now.Add(time.Second / time.Duration(perSecond))
		}
		return true
	}
	run := func(d time.Duration, huge bool) error {
		for end := time.Now().Add(d); time.Now().Before(end); {
			if due(&next, rate) {
				sent = append(sent, time.Now())
				s.loop.send(clients[len(sent)%small], frame(s.dialect.publish("small", payload(tag(int64(len(sent)-1))))))
			}
			if huge && due(&nextHuge, hugeRate) {
				s.loop.send(speaker, shout)
			}
			if huge && asked.IsZero() && due(&nextJoin, rate) {
				asked = time.Now()
				s.loop.send(walker, again)
			}
			if _, err := s.loop.poll(min(max(time.Until(next), 0), time.Millisecond)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := run(s.warm+s.dur/2, false); err != nil {
		return result{}, err
	}
	into = latency
	r, err := s.measure(func(d time.Duration) error { return run(d, true) })
	if err != nil {
		return r, err
	}
	r.P50, r.P99, r.Max = ms(latency.quantile(0.5)), ms(latency.quantile(0.99)), ms(latency.most)
	r.Alone, r.Join = ms(alone.quantile(0.99)), ms(joins.quantile(0.99))
	return r, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
