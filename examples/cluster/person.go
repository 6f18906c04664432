package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// A person is a simulated user: a client that reconnects to another node when
// its own is gone, and says what it has heard last, so that nothing is missed.
type person struct {
	name  string
	token string
	nodes []string // addresses, its own first
	leave context.CancelFunc
	gone  chan struct{} // closed when it has left

	mu        sync.Mutex // protects what follows
	conn      *websocket.Conn
	node      string // address; empty while not in the room
	ref       int
	replies   map[int]chan frame
	heard     []frame // messages, in the order in which they came
	left      []frame // user_left
	position  position
	returns   int  // how often it came back,
	recovered bool // and whether the last time nothing was missing
}

type position struct {
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"`
}

// A frame has what of the protocol's frames the story needs.
type frame struct {
	Type   string `json:"type"`
	Ref    int    `json:"ref"`
	OK     bool   `json:"ok"`
	User   string `json:"user"`
	From   string `json:"from"`
	Reason string `json:"reason"`
	ID     string `json:"id"`
	Data   json.RawMessage
	Error  struct {
		Code string `json:"code"`
	} `json:"error"`
	position
}

// arrive has a person come to the lobby, and stay until it leaves.
func arrive(name, token string, nodes []string) *person {
	ctx, cancel := context.WithCancel(context.Background())
	p := &person{name: name, token: token, nodes: slices.Clone(nodes), leave: cancel, gone: make(chan struct{}), replies: make(map[int]chan frame)}
	go func() {
		defer close(p.gone)
		for i := 0; ctx.Err() == nil; {
			p.visit(ctx, p.nodes[i%len(p.nodes)])
			if p.been() { // until then it waits for its own node
				i++
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond): // a real client waits longer, and not as long as all others
			}
		}
	}()
	return p
}

// visit is one connection, from the handshake to its end.
func (p *person) visit(ctx context.Context, node string) {
	dial, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	options := &websocket.DialOptions{Subprotocols: []string{"wardroom.v1.json", "bearer." + p.token}}
	conn, _, err := websocket.Dial(dial, "ws://"+node, options) //nolint:bodyclose // Dial says that nobody needs to
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)

	p.mu.Lock()
	p.conn = conn
	var since *position
	if p.position.Epoch != "" {
		since = &p.position
	}
	text, _ := json.Marshal(map[string]any{"type": "join", "ref": 1, "room": lobby, "since": since})
	p.ref = 1
	p.mu.Unlock()
	if conn.Write(dial, websocket.MessageText, text) != nil {
		return
	}
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			break
		}
		var f frame
		if json.Unmarshal(data, &f) != nil || !p.take(node, f) {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn, p.node = nil, ""
	for ref, c := range p.replies {
		close(c)
		delete(p.replies, ref)
	}
}

// take takes a frame. It reports false when the person is not let in now.
func (p *person) take(node string, f frame) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case f.Type == "message":
		p.hear(f)
	case f.Type == "user_left":
		p.left = append(p.left, f)
	case f.Type == "reply" && f.Ref == 1:
		if !f.OK {
			return false
		}
		var in struct {
			Recovered bool    `json:"recovered"`
			Messages  []frame `json:"messages"`
			position
		}
		if json.Unmarshal(f.Data, &in) != nil {
			return false
		}
		if p.position.Epoch != "" {
			p.returns++
			p.recovered = in.Recovered
		}
		for _, m := range in.Messages {
			p.hear(m)
		}
		p.position, p.node = in.position, node
	case f.Type == "reply":
		if c := p.replies[f.Ref]; c != nil {
			c <- f
			delete(p.replies, f.Ref)
		}
	}
	return true
}

// hear keeps a message. The caller holds mu.
func (p *person) hear(m frame) {
	p.heard = append(p.heard, m)
	p.position = m.position
}

// ask sends a request and returns the answer.
func (p *person) ask(request map[string]any) (frame, error) {
	p.mu.Lock()
	conn := p.conn
	if conn == nil || p.node == "" {
		p.mu.Unlock()
		return frame{}, errors.New("not connected")
	}
	p.ref++
	request["ref"], request["room"] = p.ref, lobby
	answer := make(chan frame, 1)
	p.replies[p.ref] = answer
	p.mu.Unlock()
	text, err := json.Marshal(request)
	if err != nil {
		return frame{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, text); err != nil {
		return frame{}, err
	}
	select {
	case f, ok := <-answer:
		switch {
		case !ok:
			return f, errors.New("the connection is lost")
		case !f.OK:
			return f, fmt.Errorf("refused: %s", f.Error.Code)
		}
		return f, nil
	case <-ctx.Done():
		return frame{}, ctx.Err()
	}
}

// say says something once. The ID makes it the same message however often it is
// said, so that one whose answer got lost can be said again.
func (p *person) say(id, text string) error {
	_, err := p.ask(map[string]any{"type": "message", "id": id, "data": text})
	return err
}

// members returns who is in the lobby, as the person's node sees it.
func (p *person) members() ([]string, error) {
	f, err := p.ask(map[string]any{"type": "members"})
	if err != nil {
		return nil, err
	}
	var page struct {
		Members []struct {
			User string `json:"user"`
		} `json:"members"`
	}
	if err := json.Unmarshal(f.Data, &page); err != nil {
		return nil, err
	}
	var names []string
	for _, m := range page.Members {
		names = append(names, m.User)
	}
	return names, nil
}

// where is the address of the node that the person is in the lobby on.
func (p *person) where() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.node
}

// been reports whether the person has been in the lobby.
func (p *person) been() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.position.Epoch != ""
}

// ids are the IDs of what the person has heard.
func (p *person) ids() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]string, len(p.heard))
	for i, m := range p.heard {
		list[i] = m.ID
	}
	return list
}

// farewells are who has left, and why.
func (p *person) farewells() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for _, f := range p.left {
		list = append(list, f.User+" ("+f.Reason+")")
	}
	return list
}

// back reports how often the person came back, and whether nothing was missing
// the last time.
func (p *person) back() (times int, recovered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.returns, p.recovered
}
