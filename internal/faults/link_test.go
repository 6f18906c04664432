package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// link is one connection of a client: requests with replies, and a reader that
// hands on the rest in the order it came.
type link struct {
	conn   *websocket.Conn
	socket *cork
	// take is called by the reader with every frame, replies to what has a
	// callback excepted. It is called with a nil frame at the end.
	take func(*frame)

	mu      sync.Mutex // protects what follows
	ref     int64
	waiting map[int64]waiter
	ended   error
	done    chan struct{} // closed when the reader has ended
}

// waiter waits for a reply. first, if set, is called by the reader before
// anything that came after the reply.
type waiter struct {
	first func(*frame)
	reply chan *frame
}

// refusal is an answer to a handshake, or an error of the reply to a request.
type refusal struct {
	status int
	code   string
}

func (r *refusal) Error() string { return fmt.Sprintf("refused: %d %s", r.status, r.code) }

// code is the code of a refusal, empty for everything else.
func code(err error) string {
	var r *refusal
	if errors.As(err, &r) {
		return r.code
	}
	return ""
}

const (
	// handshakeMost and replyMost are how long clients wait. What fails in
	// time, as it has to, is answered long before.
	handshakeMost = 10 * time.Second
	replyMost     = 10 * time.Second
)

// cork is a socket that can hold back what is written to it, so that it leaves
// together.
type cork struct {
	net.Conn
	mu   sync.Mutex // protects what follows
	held bool
	buf  []byte
}

func (c *cork) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held {
		c.buf = append(c.buf, p...)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *cork) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = true
}

func (c *cork) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.Conn.Write(c.buf)
	c.held, c.buf = false, nil
	return err
}

// dial connects. take is called by the link's reader, once it is started, until
// it has ended.
func dial(ctx context.Context, addr, token string, take func(*frame)) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeMost)
	defer cancel()
	l := &link{take: take, waiting: make(map[int64]waiter), done: make(chan struct{})}
	web := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{Timeout: handshakeMost}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			l.socket = &cork{Conn: conn}
			return l.socket, nil
		},
	}}
	conn, resp, err := websocket.Dial(ctx, "ws://"+addr+"/ws", &websocket.DialOptions{
		HTTPClient: web, Subprotocols: []string{"wardroom.v1.json"},
		HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, &refusal{status: resp.StatusCode}
		}
		return nil, err
	}
	conn.SetReadLimit(-1)
	l.conn = conn
	return l, nil
}

// start begins to read. It ends with the connection; bye waits for it.
func (l *link) start() { go l.read() }

func (l *link) read() {
	defer close(l.done)
	for {
		_, payload, err := l.conn.Read(context.Background())
		if err != nil {
			l.end(err)
			return
		}
		f := new(frame)
		if err := json.Unmarshal(payload, f); err != nil {
			l.end(fmt.Errorf("%w: %s", err, payload))
			return
		}
		if f.Type == "reply" {
			l.mu.Lock()
			w, ok := l.waiting[f.Ref]
			delete(l.waiting, f.Ref)
			l.mu.Unlock()
			if ok {
				if w.first != nil {
					w.first(f)
				}
				w.reply <- f
			}
			continue
		}
		l.take(f)
	}
}

func (l *link) end(err error) {
	l.mu.Lock()
	l.ended = err
	for ref, w := range l.waiting {
		delete(l.waiting, ref)
		close(w.reply)
	}
	l.mu.Unlock()
	_ = l.conn.CloseNow()
	l.take(nil)
}

// status is the code of the close frame that the server sent; -1 for none.
func (l *link) status() websocket.StatusCode {
	l.mu.Lock()
	defer l.mu.Unlock()
	return websocket.CloseStatus(l.ended)
}

var (
	errEnded = errors.New("the connection has ended")
	// errNoReply: what was asked may be done or not.
	errNoReply = errors.New("no reply")
)

// ask sends a request and waits for its reply.
func (l *link) ask(r request, first func(*frame), data any) error {
	ctx, cancel := context.WithTimeout(context.Background(), replyMost)
	defer cancel()
	w, err := l.send(ctx, r, first)
	if err != nil {
		return err
	}
	return w.await(ctx, data)
}

// say says several things in one breath and waits for the replies. Where there
// is an error the receipt is empty.
func (l *link) say(list []request) ([]receipt, []error) {
	ctx, cancel := context.WithTimeout(context.Background(), replyMost)
	defer cancel()
	receipts, errs, waiters := make([]receipt, len(list)), make([]error, len(list)), make([]waiter, len(list))
	l.socket.hold()
	for i, r := range list {
		waiters[i], errs[i] = l.send(ctx, r, nil)
	}
	_ = l.socket.release() // if it fails the connection ends
	for i, w := range waiters {
		if errs[i] == nil {
			errs[i] = w.await(ctx, &receipts[i])
		}
	}
	return receipts, errs
}

func (l *link) send(ctx context.Context, r request, first func(*frame)) (waiter, error) {
	w := waiter{first: first, reply: make(chan *frame, 1)}
	l.mu.Lock()
	if l.ended != nil {
		l.mu.Unlock()
		return w, errEnded
	}
	l.ref++
	r.Ref = l.ref
	l.waiting[r.Ref] = w
	l.mu.Unlock()
	payload, err := json.Marshal(r)
	if err != nil {
		return w, err
	}
	if err := l.conn.Write(ctx, websocket.MessageText, payload); err != nil {
		return w, errEnded
	}
	return w, nil
}

// await waits for the reply, whose data it reads into data.
func (w waiter) await(ctx context.Context, data any) error {
	select {
	case f, ok := <-w.reply:
		switch {
		case !ok:
			return errEnded
		case f.OK && data != nil:
			return json.Unmarshal(f.Data, data)
		case f.OK:
			return nil
		case f.Error == nil:
			return &refusal{}
		default:
			return &refusal{code: f.Error.Code}
		}
	case <-ctx.Done():
		return errNoReply
	}
}

// bye closes the connection, politely or not, and waits for its end.
func (l *link) bye(politely bool) {
	if politely {
		_ = l.conn.Close(websocket.StatusNormalClosure, "")
	} else {
		_ = l.conn.CloseNow()
	}
	<-l.done
}
