package roomtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/wardroom/wardroom/room"
)

const (
	subprotocol = "wardroom.v1.json"
	// host is where clients in the process think they connect to.
	host = "http://roomtest.example"
)

// Refusal is an answer to a handshake that is no connection.
type Refusal struct {
	Status  int       // of HTTP
	Code    room.Code // empty when the answer was not of a room.Server
	Message string
	Header  http.Header
	Body    string
}

func (r *Refusal) String() string {
	return fmt.Sprintf("%d %s: %s", r.Status, http.StatusText(r.Status), strings.TrimSpace(r.Body))
}

// Dial connects to any handler that serves rooms somewhere, such as an
// application's mux, without a port:
//
//	ada, refused := roomtest.Dial(t, app, roomtest.WithTarget("/ws"), roomtest.WithToken(session))
//
// It returns a client, or how it was refused. A client that presents a token is
// welcome when Dial returns; one that presents a cookie, with [WithHeader] and
// an Origin, soon afterwards. The connection ends with the test t.
func Dial(t testing.TB, h http.Handler, opts ...DialOption) (*Client, *Refusal) {
	t.Helper()
	d := newDialing(opts)
	name := d.identity.ID
	if name == "" {
		name = "the client"
	}
	return d.dial(t, h, name)
}

func (d *dialing) dial(t testing.TB, h http.Handler, name string) (*Client, *Refusal) {
	t.Helper()
	token := ""
	switch {
	case d.token != nil:
		token = *d.token
	case d.identity.ID != "":
		token = TokenOf(d.identity)
	}
	if token != "" {
		d.header.Set("Authorization", "Bearer "+token)
	}
	c := &Client{t: t, name: name, patience: d.patience, done: make(chan struct{}), changed: make(chan struct{})}
	var transport http.RoundTripper = &inProcess{handler: h, address: d.address, client: c}
	url := host + d.target
	if d.overTCP {
		transport = overTCP(c)
		url = d.url + d.target
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), d.patience)
	defer cancel()
	opts := &websocket.DialOptions{
		HTTPClient:      &http.Client{Transport: transport, CheckRedirect: stay},
		HTTPHeader:      d.header,
		Subprotocols:    []string{subprotocol},
		CompressionMode: websocket.CompressionDisabled,
	}
	if d.compress {
		opts.CompressionMode = websocket.CompressionNoContextTakeover
	}
	ws, resp, err := websocket.Dial(ctx, url, opts) //nolint:bodyclose // a response of 101 has no body to close
	if err != nil {
		if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
			t.Fatalf("roomtest: %s cannot connect: %v", name, err)
		}
		return nil, newRefusal(resp)
	}
	ws.SetReadLimit(-1)
	c.ws = ws
	go c.read()
	t.Cleanup(c.Disconnect)
	if token != "" {
		c.welcome()
	}
	return c, nil
}

// stay follows no redirect: it is an answer like others.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func newRefusal(resp *http.Response) *Refusal {
	body, _ := io.ReadAll(resp.Body)
	r := &Refusal{Status: resp.StatusCode, Header: resp.Header, Body: string(body)}
	var envelope struct{ Error Fault }
	if json.Unmarshal(body, &envelope) == nil {
		r.Code, r.Message = envelope.Error.Code, envelope.Error.Message
	}
	return r
}

// overTCP is a transport for one connection.
func overTCP(c *Client) http.RoundTripper {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return c.through(conn), nil
		},
	}
}
