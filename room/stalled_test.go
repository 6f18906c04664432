package room_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// narrow makes the path to a client small, so that it is full soon: buffers of
// the system would hide a client that reads nothing for megabytes.
func (h *host) narrow(v *visitor) {
	h.t.Helper()
	if err := v.conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		h.t.Fatal(err)
	}
	server := h.accepted.of(v.conn.LocalAddr())
	if server == nil {
		h.t.Fatal("no such connection was accepted")
	}
	if err := server.(*net.TCPConn).SetWriteBuffer(4096); err != nil {
		h.t.Fatal(err)
	}
}

// accepted is a net.Listener that remembers what it accepted.
type accepted struct {
	net.Listener
	mu    sync.Mutex // protects conns
	conns map[string]net.Conn
}

func (a *accepted) Accept() (net.Conn, error) {
	conn, err := a.Listener.Accept()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil && a.conns != nil {
		a.conns[conn.RemoteAddr().String()] = conn
	}
	return conn, err
}

// forget makes it a listener like any other.
func (a *accepted) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conns = nil
}

func (a *accepted) of(client net.Addr) net.Conn {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conns[client.String()]
}

// One of a thousand members reads nothing. The others get every message in
// order and in time; that one is closed with 4103.
func TestStalledMember(t *testing.T) {
	const members, messages = 1000, 100
	h := serve(t, limits(func(l *room.Limits) {
		l.MaxLag = 64 << 10
		l.Write = time.Minute // what closes is the lag
		l.Close = time.Minute // so that the close frame can be read when the others are done
		l.Page = 5
	}), room.WithRooms("hall", room.Settings{Permission: room.Public, MaxMembers: members + 2, History: room.Keep(messages, time.Hour)}),
		room.WithLogger(slog.New(slog.DiscardHandler)))
	speaker, stalled := h.connect("speaker"), h.connect("stalled")
	h.narrow(stalled)
	stalled.must("join", inRoom("hall"))
	list := make([]*visitor, members)
	var joining sync.WaitGroup
	for part := range 4 {
		joining.Go(func() {
			for i := part; i < members; i += 4 {
				list[i] = h.in(fmt.Sprintf("user%d", i), "hall")
			}
		})
	}
	joining.Wait()
	speaker.must("join", inRoom("hall"))
	before := heap()

	var reading sync.WaitGroup
	for _, v := range list {
		reading.Go(func() {
			v.unread = nil
			if err := readInOrder(v.client, messages); err != nil {
				t.Errorf("%s: %v", v.welcome.User, err)
			}
		})
	}
	peak := make(chan int)
	done := make(chan struct{})
	go func() {
		most := 0
		for {
			select {
			case <-done:
				peak <- most
				return
			case <-time.After(50 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, int(m.HeapAlloc))
			}
		}
	}()
	began := time.Now()
	padding := bytes.Repeat([]byte("x"), 2000)
	for n := range messages {
		speaker.must("message", inRoom("hall"), saying(fmt.Sprintf(`["%d","%s"]`, n, padding)), `"echo":false`)
		speaker.unread = nil
	}
	reading.Wait()
	t.Logf("%d messages to %d members in %v", messages, members, time.Since(began).Round(time.Millisecond))
	close(done)
	if grown := <-peak - before; grown > 128<<20 {
		t.Errorf("the heap had %d MiB more at its peak", grown>>20)
	}

	// It still gets what the sockets hold, whole frames in order, and then why.
	last := uint64(0)
	for {
		f := stalled.next()
		if f.Type == "message" {
			if last++; f.Offset != last {
				t.Fatalf("the stalled one got offset %d, want %d", f.Offset, last)
			}
		}
		if f.Type == "close" {
			if f.status != 4103 {
				t.Errorf("the stalled one got %s", f)
			}
			break
		}
	}
	if last == messages {
		t.Error("the stalled one was not slow at all")
	}
}

// readInOrder reads messages with the offsets from 1 to n.
func readInOrder(c *client, n int) error {
	for want := 1; want <= n; {
		_ = c.conn.SetReadDeadline(time.Now().Add(2 * c.patience))
		first, payload, err := c.readFrame()
		if err != nil {
			return err
		}
		switch {
		case first&0x0F == opPing:
			if err := c.tryWrite(opPong, payload); err != nil {
				return err
			}
			continue
		case first&0x0F != opText:
			return fmt.Errorf("opcode %#x, %q", first, payload)
		case !bytes.HasPrefix(payload, []byte(`{"type":"message"`)):
			continue // who came and went
		}
		i := bytes.Index(payload, []byte(`"offset":`))
		if i < 0 {
			return fmt.Errorf("no offset in %q", payload)
		}
		digits := payload[i+len(`"offset":`):]
		digits = digits[:bytes.IndexByte(digits, ',')]
		if got, err := strconv.Atoi(string(digits)); err != nil || got != want {
			return fmt.Errorf("offset %s, want %d", digits, want)
		}
		want++
	}
	return nil
}

// However much is said, who does not read costs no more than the lag that is
// allowed, alone or with others, and then nothing.
func TestStalledMembersCostIsBounded(t *testing.T) {
	const (
		lag, stalled   = 1 << 20, 20
		size, messages = 64 << 10, 1536
		// A stalled one has a frame of its own that the socket took in part, and
		// as much again that its memory grew by.
		most = 2*lag + 2*stalled*size
		// The reader is no slow consumer, however busy the machine is.
		ahead = 4
	)
	h := serve(t, house(), limits(func(l *room.Limits) { l.MaxLag, l.Write, l.Close = lag, time.Minute, 200*time.Millisecond }))
	payload := make([]byte, size)
	publish := func() {
		t.Helper()
		if _, err := h.srv.Room("hall").Publish(context.Background(), "blob", payload); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		publish() // what the room keeps is no part of the cost
	}
	reader := h.in("reader", "hall")
	for i := range stalled {
		v := h.connect(fmt.Sprintf("stalled%d", i))
		h.narrow(v)
		v.must("join", inRoom("hall"))
	}
	arrived := make(chan struct{}, messages)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(arrived)
		if err := readAll(reader.client, messages, arrived); err != nil {
			t.Errorf("the reader: %v", err)
		}
	})
	before, peak := heap(), 0
	for n := range messages {
		publish()
		if n >= ahead {
			if _, ok := <-arrived; !ok {
				break // and said why
			}
		}
		if n%100 == 99 || n < 32 && n%4 == 3 {
			peak = max(peak, heap())
		}
	}
	reading.Wait()
	grown := peak - before
	t.Logf("the heap had %d KiB more at its peak", grown>>10)
	if grown > most {
		t.Errorf("the heap had %d KiB more at its peak, want %d at most", grown>>10, most>>10)
	}
	eventually(t, "the stalled ones are gone", func() bool { return h.srv.Stats().Connections == 1 })
	if n := strings.Count(h.log.String(), `"code":4103`); n != stalled {
		t.Errorf("%d were closed with 4103, want %d", n, stalled)
	}
}

// readAll reads n binary messages and says of each that it has arrived.
func readAll(c *client, n int, arrived chan<- struct{}) error {
	for n > 0 {
		_ = c.conn.SetReadDeadline(time.Now().Add(2 * c.patience))
		first, payload, err := c.readFrame()
		switch {
		case err != nil:
			return err
		case first&0x0F == opPing:
			if err := c.tryWrite(opPong, payload); err != nil {
				return err
			}
		case first&0x0F == opBinary:
			n--
			arrived <- struct{}{}
		case first&0x0F != opText: // which tells who came and went
			return fmt.Errorf("opcode %#x, %q", first, payload)
		}
	}
	return nil
}

// Who takes nothing at all is closed in time even where little is said.
func TestStalledMemberTimes(t *testing.T) {
	h := serve(t, house(), limits(func(l *room.Limits) { l.Write, l.Close = 300*time.Millisecond, 300*time.Millisecond }))
	ada, stalled := h.in("ada", "hall"), h.connect("bob")
	h.narrow(stalled)
	stalled.must("join", inRoom("hall"))
	ada.expect("user_joined")
	began := time.Now()
	if _, err := h.srv.Room("hall").Publish(context.Background(), "blob", make([]byte, 100<<10)); err != nil {
		t.Fatal(err)
	}
	ada.expect("message")
	if f := ada.expect("user_left"); f.User != "bob" || f.Reason != "disconnected" {
		t.Errorf("got %s", f)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}
