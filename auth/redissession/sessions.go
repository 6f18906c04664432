package redissession

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/redisx"
)

// Sessions is an [auth.SessionStore] in Redis. It has no goroutine and needs no closing. It is safe for concurrent use.
//
// Each method is one round trip, but for Touch of very many; see there. An error of Redis is an [auth.ErrUnavailable], and
// comes at once while Redis is known to be away.
type Sessions struct {
	client rueidis.Client
	config

	create, get, list, renew, release, remove redisx.Script
	revokeSession, revoke, revoked            redisx.Script
	touch                                     pipelined
}

var _ auth.SessionStore = (*Sessions)(nil)

// NewSessions returns a store. The client is the caller's and stays open.
func NewSessions(client rueidis.Client, opts ...Option) *Sessions {
	return &Sessions{
		client: client, config: options(opts),
		create: userScript(createText), get: userScript(getText), list: userScript(listText),
		renew: userScript(renewText), release: userScript(releaseText), remove: userScript(deleteText),
		revokeSession: userScript(revokeSessionText), revoke: userScript(revokeText), revoked: userScript(revokedText),
		touch: newPipelined(userText + touchText),
	}
}

// userKeys returns the keys in the order in which the scripts know them.
func (s *Sessions) userKeys(tag string) []string {
	keys := make([]string, 0, 5)
	for _, name := range [...]string{"sessions", "live", "ended", "tokens", "before"} {
		keys = append(keys, s.keys.Key("u", tag, name))
	}
	return keys
}

// run calls a script on the keys of a user and returns what follows the outcome, or the error that the outcome means.
func (s *Sessions) run(ctx context.Context, script redisx.Script, tag string, args ...string) ([]rueidis.RedisMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var reply []rueidis.RedisMessage
	err := s.circuit.Do(ctx, s.timeout, func(ctx context.Context) (err error) {
		reply, err = script.Run(ctx, s.client, 0, auth.ErrUnavailable, s.userKeys(tag), args)
		return err
	})
	if err != nil {
		return nil, unavailable(err)
	}
	if len(reply) == 0 {
		return nil, errAnswer
	}
	return reply[1:], outcome(&reply[0])
}

// outcome is the error that a script's word means.
func outcome(m *rueidis.RedisMessage) error {
	word, err := m.ToString()
	if err != nil {
		return errAnswer
	}
	switch word {
	case "ok":
		return nil
	case "missing":
		return auth.ErrSessionNotFound
	case "revoked":
		return auth.ErrRevoked
	case "expired":
		return auth.ErrExpired
	case "other":
		return auth.ErrWrongUser
	case "full":
		return fmt.Errorf("%w: the user has as many as are kept", auth.ErrUnavailable)
	}
	return errAnswer
}

// place is what of a session never changes.
type place struct {
	Node       string     `json:"node,omitempty"`
	Connection string     `json:"connection,omitempty"`
	RemoteIP   netip.Addr `json:"remote_ip,omitzero"`
}

// Create implements [auth.SessionStore]. It fails with an [auth.ErrUnavailable] when the user has as many sessions as
// [WithMaxPerUser] says, and when the identity's claims or times cannot be written as JSON.
func (s *Sessions) Create(ctx context.Context, session auth.Session) (auth.Session, error) {
	id := session.Identity
	if err := ctx.Err(); err != nil {
		return auth.Session{}, err
	}
	if !auth.ValidID(id.ID) {
		return auth.Session{}, fmt.Errorf("%w: no valid user ID", auth.ErrUnauthenticated)
	}
	texts, err := encode(id, place{session.Node, session.Connection, session.RemoteIP}, session.Rooms)
	if err != nil {
		return auth.Session{}, err
	}
	tag := Tag(id.ID)
	reply, err := s.run(ctx, s.create, tag, newID(tag), texts[0], texts[1], texts[2],
		micros(id.IssuedAt), microsOrNone(id.ExpiresAt), tokenDigest(id.TokenID), microsOf(s.ttl), strconv.Itoa(s.most))
	if err != nil {
		return auth.Session{}, err
	}
	kept, err := times(reply)
	if err != nil {
		return auth.Session{}, err
	}
	session.ID, session.CreatedAt, session.LastSeen, session.ExpiresAt = kept.ID, kept.CreatedAt, kept.LastSeen, kept.ExpiresAt
	session.Rooms = slices.Clone(session.Rooms)
	return session, nil
}

// encode writes each value as JSON.
func encode(values ...any) ([]string, error) {
	texts := make([]string, len(values))
	for i, v := range values {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("%w: cannot be stored: %w", auth.ErrUnavailable, err)
		}
		texts[i] = string(text)
	}
	return texts, nil
}

// Get implements [auth.SessionStore].
func (s *Sessions) Get(ctx context.Context, id string) (auth.Session, error) {
	reply, err := s.runOn(ctx, s.get, id)
	if err != nil {
		return auth.Session{}, err
	}
	return decode(reply)
}

// runOn is run for the user whose session has the ID, which is the script's first argument.
func (s *Sessions) runOn(ctx context.Context, script redisx.Script, id string, args ...string) ([]rueidis.RedisMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	tag, ok := tagOf(id)
	if !ok {
		return nil, auth.ErrSessionNotFound
	}
	return s.run(ctx, script, tag, append([]string{id}, args...)...)
}

// answerLength is how much scripts tell of a session: its ID, three times, identity, place and rooms.
const answerLength = 7

// times reads the ID and the times of a session.
func times(reply []rueidis.RedisMessage) (auth.Session, error) {
	if len(reply) != answerLength {
		return auth.Session{}, errAnswer
	}
	id, err := reply[0].ToString()
	if err != nil {
		return auth.Session{}, errAnswer
	}
	session := auth.Session{ID: id}
	for i, t := range [...]*time.Time{&session.CreatedAt, &session.LastSeen, &session.ExpiresAt} {
		us, err := reply[1+i].AsInt64()
		if err != nil {
			return auth.Session{}, errAnswer
		}
		*t = time.UnixMicro(us)
	}
	return session, nil
}

// decode reads a whole session.
func decode(reply []rueidis.RedisMessage) (auth.Session, error) {
	session, err := times(reply)
	if err != nil {
		return auth.Session{}, err
	}
	var p place
	for i, v := range [...]any{&session.Identity, &p, &session.Rooms} {
		if err := reply[4+i].DecodeJSON(v); err != nil {
			return auth.Session{}, fmt.Errorf("%w: redis: %w", auth.ErrUnavailable, err)
		}
	}
	session.Node, session.Connection, session.RemoteIP = p.Node, p.Connection, p.RemoteIP
	return session, nil
}

// List implements [auth.SessionStore].
func (s *Sessions) List(ctx context.Context, user string, limit int) ([]auth.Session, error) {
	reply, err := s.run(ctx, s.list, Tag(user), strconv.Itoa(max(limit, 0)))
	if err != nil {
		return nil, err
	}
	sessions := make([]auth.Session, 0, len(reply))
	for i := range reply {
		fields, err := reply[i].ToArray()
		if err != nil || len(fields) == 0 {
			return nil, errAnswer
		}
		session, err := decode(fields[1:])
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, session)
	}
	return sessions, nil
}

// Renew implements [auth.SessionStore].
func (s *Sessions) Renew(ctx context.Context, id string, identity auth.Identity) (auth.Session, error) {
	tag, _ := tagOf(id)
	same := "0"
	if auth.ValidID(identity.ID) && Tag(identity.ID) == tag {
		same = "1"
	}
	texts, err := encode(identity)
	if err != nil {
		return auth.Session{}, err
	}
	reply, err := s.runOn(ctx, s.renew, id, same, texts[0],
		micros(identity.IssuedAt), microsOrNone(identity.ExpiresAt), tokenDigest(identity.TokenID), microsOf(s.ttl))
	if err != nil {
		return auth.Session{}, err
	}
	return decode(reply)
}

// Release implements [auth.SessionStore].
func (s *Sessions) Release(ctx context.Context, id string, grace time.Duration) error {
	_, err := s.runOn(ctx, s.release, id, microsOf(max(grace, 0)))
	return unlessMissing(err)
}

// Delete implements [auth.SessionStore].
func (s *Sessions) Delete(ctx context.Context, id string) error {
	_, err := s.runOn(ctx, s.remove, id)
	return unlessMissing(err)
}

// unlessMissing forgives that there is no such session.
func unlessMissing(err error) error {
	if errors.Is(err, auth.ErrSessionNotFound) {
		return nil
	}
	return err
}
