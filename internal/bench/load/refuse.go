//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// flood has each connection send requests of one kind, some of them
// outstanding. What is counted are the replies.
func (s *scenario) flood(kind string) (result, error) {
	each := s.members / s.rooms
	name := func(i int) string { return "x" + strconv.Itoa(i/each) }
	clients, err := s.fill(each*s.rooms, name, nil)
	if err != nil {
		return result{}, err
	}
	s.loop.dialect.count = func([]byte, bool) int { return 0 }
	for i, c := range clients {
		data, to := payload(""), name(i)
		switch kind {
		case "invalid":
			data = fmt.Appendf(nil, `{"a":%s,"a":1}`, data)
		case "stranger":
			to = "elsewhere"
		}
		one := frame(fmt.Appendf(nil, `{"type":"message","ref":9,"room":"%s","data":%s}`, to, data))
		want := []byte(`"ref":9,"ok":` + strconv.FormatBool(kind == "accepted"))
		outstanding := s.window
		c.got = func(c *client, p []byte) {
			if !bytes.Contains(p, want) {
				return
			}
			s.loop.deliveries++
			if outstanding--; outstanding == 0 {
				outstanding = s.window
				s.loop.send(c, bytes.Repeat(one, s.window))
			}
		}
		if kind == "fast" {
			// The one that it may say.
			s.loop.send(c, frame(s.dialect.publish(to, data)))
		}
		s.loop.send(c, bytes.Repeat(one, s.window))
	}
	return s.measure(s.loop.run)
}

// knock asks for an upgrade without a good token, over connections that stay.
// What is counted are the refusals.
func (s *scenario) knock() (result, error) {
	request := []byte("GET " + s.dialect.path("x") + " HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer e30.e30.e30\r\n\r\n")
	s.loop.raw = func(c *client, p []byte) {
		// An answer comes in one piece, its request being the only one.
		if bytes.HasPrefix(p, []byte("HTTP/1.1 401 ")) {
			s.loop.deliveries++
			s.loop.send(c, request)
		}
	}
	for i := range s.members {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return result{}, err
		}
		if err := connect(fd, &s.to[i%len(s.to)]); err != nil {
			return result{}, err
		}
		c := &client{fd: fd, index: i}
		if err := s.loop.add(c); err != nil {
			return result{}, err
		}
		s.loop.send(c, request)
	}
	return s.measure(s.loop.run)
}
