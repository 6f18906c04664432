package room

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/transport"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/validate"
)

// refusal is an HTTP answer to a handshake.
type refusal struct {
	status int
	err    *Error
	header [2]string // one more header, if any
}

func (r *refusal) Error() string { return r.err.Error() }

func refuseHandshake(status int, code Code, cause error) *refusal {
	return &refusal{status: status, err: &Error{Code: code, Cause: cause}}
}

func (r *refusal) with(name, value string) *refusal {
	r.header = [2]string{name, value}
	return r
}

// ServeHTTP answers the handshake, of HTTP/1.1, and returns when the connection
// is a WebSocket: timeouts of the http.Server are for what comes before. What can
// be refused cheaply is refused first, and everything before the upgrade. w has
// to be an http.Hijacker, or to have Unwrap, as the writers of most middleware
// do; http.TimeoutHandler's does not.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	deepen()
	s.start()
	if s.attend() {
		defer s.wg.Done()
	} // else admit refuses it
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	r = r.WithContext(ctx)
	c := s.newConn(s.clientIP.Addr(r))
	settled := false // whether it becomes a connection
	giveUp := func() {
		if !settled {
			settled = true
			s.endSession(c)
			c.release()
		}
	}
	defer giveUp() // where a middleware's writer panics
	refused := s.admit(r, c)
	if refused == nil && !hijackable(w) {
		refused = refuseHandshake(http.StatusInternalServerError, CodeInternal, errNotHijackable)
	}
	if refused != nil {
		giveUp()
		s.refuseHTTP(w, r, c, refused)
		return
	}
	socket, err := transport.Accept(w, r, &s.socket)
	if err != nil {
		giveUp()
		s.journal.write(r.Context(), slog.LevelWarn, eventRefuse, c, slog.Any("error", err))
		return
	}
	c.start(socket)
	if !s.add(c) {
		// Draining began after the check: a close frame says when to return.
		socket.Close(closeDrain, "draining")
	}
	// The handler returns, so that net/http can free what it holds for a
	// request; the connection goes on in a goroutine of the server.
	settled = true
	s.wg.Go(func() { c.run(r) })
}

// deepen grows the stack of a goroutine that has just begun to what it is going
// to need. Later it would grow twice, each time with more frames to move.
//
//go:noinline
func deepen() byte {
	var frame [4 << 10]byte
	return frame[len(os.Args)&1] // so that the frame is not optimised away
}

// attend makes Shutdown wait for a handshake, or reports that it is too late
// for one.
func (s *Server) attend() bool {
	s.connMu.Lock()
	defer s.connMu.Unlock()
	if !s.draining {
		s.wg.Add(1)
	}
	return !s.draining
}

var errNotHijackable = errors.New("a middleware's ResponseWriter hides the connection: it has to be an http.Hijacker or have Unwrap (see http.ResponseController)")

// hijackable looks as http.ResponseController does.
func hijackable(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}

// admit decides whether the handshake may become a connection, and fills c.
func (s *Server) admit(r *http.Request, c *Conn) *refusal {
	if err := checkUpgrade(r); err != nil {
		return err
	}
	codec, err := negotiate(r)
	if err != nil {
		return err
	}
	c.encoding.codec = codec
	if s.isDraining() {
		return refuseHandshake(http.StatusServiceUnavailable, CodeUnavailable, nil).with("Retry-After", retryAfter(time.Second))
	}
	if err := s.admitAddress(r.Context(), c); err != nil {
		return err
	}
	credentials, ferr := s.sources.Find(r)
	if s.origins != nil {
		if err := s.origins.Check(r, credentials.Source == auth.SourceCookie); err != nil {
			return refuseHandshake(http.StatusForbidden, CodeOriginForbidden, err)
		}
	}
	if ferr != nil {
		return unauthenticated(ferr)
	}
	credentials.RemoteIP = c.ip
	if credentials.Token == "" {
		if !s.sources.AllowFrame {
			return unauthenticated(errNoToken)
		}
		if c.counted.waiting = s.waiting.Enter("", s.limits.Unauthenticated); !c.counted.waiting {
			return tooMany("too many unauthenticated connections")
		}
		return nil
	}
	id, aerr := s.authenticate(r.Context(), credentials)
	if aerr != nil {
		return handshakeAuth(aerr)
	}
	return s.admitUser(r.Context(), c, id, r)
}

// admitAddress applies what holds before anyone is known: it comes before any
// work on a token.
func (s *Server) admitAddress(ctx context.Context, c *Conn) *refusal {
	key := limit.Key(c.ip)
	d, err := s.limiter.Allow(ctx, "connect:"+key, s.limits.ConnectsPerIP, 1)
	if err == nil && !d.OK {
		return refuseHandshake(http.StatusTooManyRequests, CodeRateLimited, nil).with("Retry-After", retryAfter(d.RetryAfter))
	}
	if c.counted.node = s.perNode.Enter("", s.limits.ConnectionsPerNode); !c.counted.node {
		return tooMany("")
	}
	if c.counted.address = s.place(ctx, s.perIP, key, countedIP, s.limits.ConnectionsPerIP, c); !c.counted.address {
		return tooMany("")
	}
	return nil
}

// admitUser applies what holds once the user is known.
func (s *Server) admitUser(ctx context.Context, c *Conn, id auth.Identity, r *http.Request) *refusal {
	if c.counted.user = s.place(ctx, s.perUser, id.ID, countedUser, s.limits.ConnectionsPerUser, c); !c.counted.user {
		return tooMany("user " + id.ID)
	}
	c.identity.Store(&id)
	if s.hooks.connect != nil {
		ctx, cancel := context.WithTimeout(ctx, s.limits.Handler)
		defer cancel()
		if err := s.contain(func() error { return s.hooks.connect(ctx, c, r) }); err != nil {
			return refusedByHost(public(err))
		}
	}
	return s.beginSession(ctx, c)
}

// refusedByHost gives what OnConnect returned the status and the header that
// the protocol knows for its code.
func refusedByHost(e *Error) *refusal {
	r := &refusal{status: http.StatusForbidden, err: e}
	switch e.Code {
	case CodeUnauthenticated, CodeTokenExpired:
		r.status = http.StatusUnauthorized
		return r.with("WWW-Authenticate", "Bearer")
	case CodeRateLimited, CodeTooManyConnections:
		r.status = http.StatusTooManyRequests
	case CodeInternal, CodeUnavailable, CodeTimeout:
		r.status = http.StatusServiceUnavailable
	default:
		return r
	}
	return r.with("Retry-After", retryAfter(max(e.RetryAfter, time.Second)))
}

// authenticate asks the Authenticator and does not trust its answer blindly.
func (s *Server) authenticate(ctx context.Context, credentials auth.Credentials) (auth.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limits.Authentication)
	defer cancel()
	var id auth.Identity
	err := s.contain(func() (err error) {
		id, err = s.authenticator.Authenticate(ctx, credentials)
		return err
	})
	switch {
	case err != nil:
		return auth.Identity{}, err
	case !validate.UserID(id.ID):
		return auth.Identity{}, errBadUserID
	case id.Expired(time.Now()):
		return auth.Identity{}, auth.ErrExpired
	}
	if name, err := validate.DisplayName(id.Name); err == nil {
		id.Name = name
	} else {
		id.Name = ""
	}
	return id, nil
}

// errNoToken is for the log of who wonders why a client is refused.
var errNoToken = fmt.Errorf("%w: there is no token in the header, the subprotocols, or where WithCookie and AllowQueryToken look", auth.ErrUnauthenticated)

var errBadUserID = errors.New("the authenticator returned a user ID that is not 1 to 128 of A-Z a-z 0-9 _ - . : @ + |")

func handshakeAuth(err error) *refusal {
	var e *Error
	switch {
	case errors.As(err, &e) && e.Code == CodeInternal, // a panic
		errors.Is(err, auth.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuseHandshake(http.StatusServiceUnavailable, CodeUnavailable, err).with("Retry-After", retryAfter(time.Second))
	default:
		return unauthenticated(err)
	}
}

func unauthenticated(cause error) *refusal {
	return refuseHandshake(http.StatusUnauthorized, CodeUnauthenticated, cause).with("WWW-Authenticate", "Bearer")
}

func tooMany(what string) *refusal {
	var cause error
	if what != "" {
		cause = errors.New(what)
	}
	return refuseHandshake(http.StatusTooManyRequests, CodeTooManyConnections, cause).with("Retry-After", retryAfter(time.Second))
}

// retryAfter is a Retry-After in whole seconds, at least d and at least one,
// and up to two more so that those refused together do not return together.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second)) + rand.IntN(3))
}

// checkUpgrade is the client's side of RFC 6455, section 4.2.1.
func checkUpgrade(r *http.Request) *refusal {
	upgrade := func(cause string) *refusal {
		return refuseHandshake(http.StatusUpgradeRequired, CodeBadRequest, errors.New(cause)).with("Upgrade", "websocket")
	}
	switch {
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return upgrade("not HTTP/1.1")
	case !slices.Contains(tokens(r.Header["Connection"], true), "upgrade"), !slices.Contains(tokens(r.Header["Upgrade"], true), "websocket"):
		return upgrade("no upgrade to websocket")
	case r.Method != http.MethodGet:
		return refuseHandshake(http.StatusBadRequest, CodeBadRequest, errors.New("method is not GET"))
	case r.ContentLength != 0:
		return refuseHandshake(http.StatusBadRequest, CodeBadRequest, errors.New("there is a body"))
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return refuseHandshake(http.StatusUpgradeRequired, CodeBadRequest, errors.New("version is not 13")).with("Sec-WebSocket-Version", "13")
	}
	keys := r.Header["Sec-Websocket-Key"]
	if len(keys) != 1 {
		return refuseHandshake(http.StatusBadRequest, CodeBadRequest, errors.New("not one Sec-WebSocket-Key"))
	}
	if key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0])); err != nil || len(key) != 16 {
		return refuseHandshake(http.StatusBadRequest, CodeBadRequest, errors.New("malformed Sec-WebSocket-Key"))
	}
	return nil
}

// negotiate picks the codec for the subprotocols that the client offers.
func negotiate(r *http.Request) (int, *refusal) {
	offers := tokens(r.Header["Sec-Websocket-Protocol"], false)
	if len(offers) == 0 {
		return 0, nil
	}
	for i, c := range codecs {
		if slices.Contains(offers, c.Subprotocol()) {
			return i, nil
		}
	}
	return 0, refuseHandshake(http.StatusBadRequest, CodeBadRequest, errors.New("no subprotocol in common"))
}

// tokens splits the comma-separated lists of a header.
func tokens(lines []string, lower bool) []string {
	var list []string
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			if t = strings.Trim(t, " \t"); t != "" {
				if lower {
					t = strings.ToLower(t)
				}
				list = append(list, t)
			}
		}
	}
	return list
}

// refuseHTTP answers with the public half and logs the other.
func (s *Server) refuseHTTP(w http.ResponseWriter, r *http.Request, c *Conn, refused *refusal) {
	e := refused.err
	// The pattern that matched, not the path: that is the client's to choose.
	attrs := []slog.Attr{
		slog.Int("status", refused.status), slog.String("code", string(e.Code)), slog.String("route", r.Pattern),
	}
	id := ""
	if refused.status >= 500 && e.Cause != nil {
		id = newID()
		attrs = append(attrs, slog.String("id", id))
	}
	if e.Cause != nil {
		attrs = append(attrs, slog.Any("error", e.Cause))
	}
	s.journal.write(r.Context(), slog.LevelInfo, eventRefuse, c, attrs...)
	if r.ContentLength != 0 {
		// net/http answers when it has read the body, and that may never come.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
	}
	h := w.Header()
	if refused.header[0] != "" {
		h.Set(refused.header[0], refused.header[1])
	}
	if refused.status == http.StatusUpgradeRequired {
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", "websocket")
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	body := append([]byte(`{"error":{"code":"`), e.Code...)
	body = append(body, `","message":`...)
	body, _ = jsontext.AppendQuote(body, e.text()) // fails for invalid UTF-8 only, and mends it
	if id != "" {
		body = append(append(append(body, `,"id":"`...), id...), '"')
	}
	body = append(body, "}}\n"...)
	w.WriteHeader(refused.status)
	_, _ = w.Write(body)
}
