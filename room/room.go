package room

import (
	"context"
	"errors"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/wardroom/wardroom/internal/transport"
	"github.com/wardroom/wardroom/validate"
)

// Room is a host's hold on one room, whether or not anyone is in it. It obeys
// no permissions: the host may do everything. Its methods are safe for
// concurrent use, act on every node, and return an *[Error] when they fail.
//
// For a name that no pattern of [WithRooms] describes that is
// CodeInvalidRoom. Where nobody has created the room, and it is not a standing
// one, Publish, Update, Invite and Uninvite fail with an error that is an
// [ErrNoRoom]; see [Room.Create].
//
// Update, Delete, Invite, Uninvite, Kick, Ban, Mute and Unmute wait, for a
// second at most, until what they do is in force on every node. An error that
// wraps a *[NodesError] says that it is done, and which nodes have not
// confirmed.
type Room struct {
	srv  *Server
	name string
}

// Room returns the room of that name. It costs nothing and cannot fail: what is
// wrong with a name is said by the methods.
func (s *Server) Room(name string) *Room { return &Room{srv: s, name: name} }

// Name is the room's name.
func (r *Room) Name() string { return r.name }

// PublishOption changes one Publish.
type PublishOption func(*Message, *Retention)

// From names a sender. Without it messages have none. Choose one that no user
// has for an ID, such as "system".
func From(system string) PublishOption { return func(m *Message, _ *Retention) { m.From = system } }

// MessageID makes publishing idempotent: in a room with history a further
// message with the same sender and ID, of up to 64 characters, is not published
// again, for 5 minutes at least.
func MessageID(id string) PublishOption { return func(m *Message, _ *Retention) { m.ID = id } }

// Except leaves one connection out: in a handler the one that has called, mostly,
// which has the reply. In the history, and so after a reconnect, the message is
// there for everybody.
func Except(c *Conn) PublishOption { return func(m *Message, _ *Retention) { m.Except = c.id } }

// Ephemeral keeps the message out of the history.
func Ephemeral() PublishOption { return func(_ *Message, keep *Retention) { *keep = Retention{} } }

// Publish sends data, marshalled to JSON, to everyone in the room. A []byte is
// sent as a binary message, and may be used again at once. No limits apply, and
// neither do the rules for content or the OnMessage hook. The receipt says where
// it was stored, if it was; a nil error, that it is in a room with history.
//
// When it fails with CodeUnavailable it may have been published all the same:
// with the same [MessageID] it can be tried again.
func (r *Room) Publish(ctx context.Context, event string, data any, opts ...PublishOption) (Receipt, error) {
	s := r.srv
	settings, _, err := r.existing(ctx)
	if err != nil {
		return Receipt{}, err
	}
	if !validate.Event(event) {
		return Receipt{}, refuse(CodeInvalidEvent)
	}
	m := Message{Kind: KindMessage, Room: r.name, Event: event, At: now()}
	if raw, ok := data.([]byte); ok {
		m.Data, m.Binary = slices.Clone(raw), true
	} else if m.Data, err = json.Marshal(data); err != nil {
		return Receipt{}, &Error{Code: CodeBadRequest, Cause: err}
	}
	keep := settings.History
	for _, opt := range opts {
		opt(&m, &keep)
	}
	return s.announce(ctx, nil, m, keep)
}

// announce publishes for the host. What it causes here is flushed at once,
// unless the caller has a batch.
func (s *Server) announce(ctx context.Context, batch *transport.Batch, m Message, keep Retention) (Receipt, error) {
	own := batch == nil
	if own {
		batch = new(transport.Batch)
	}
	if h := s.findHall(m.Room); h != nil {
		h.hold(batch)
	}
	receipt, err := s.broker.Publish(ctx, m, keep)
	if own {
		batch.Flush()
	}
	if err != nil {
		return Receipt{}, unavailable(err)
	}
	return receipt, nil
}

// Create makes the room with an owner, who may be empty: the host's own. What
// rec leaves open is the pattern's.
func (r *Room) Create(ctx context.Context, rec Record) (Record, error) {
	if err := r.check(); err != nil {
		return Record{}, err
	}
	settings := r.srv.patterns.find(r.name)
	full := settings.record(r.name)
	full.Owner, full.Invited, full.Moderators, full.CreatedAt = rec.Owner, rec.Invited, rec.Moderators, now()
	if rec.Permission != "" {
		full.Permission = rec.Permission
	}
	if rec.Roles != nil {
		full.Roles = rec.Roles
	}
	if rec.MaxMembers != 0 {
		full.MaxMembers = rec.MaxMembers
	}
	if err := full.check(); err != nil {
		return Record{}, err
	}
	if err := r.srv.clearLog(ctx, r.name, settings); err != nil {
		return Record{}, err
	}
	made, err := r.srv.store.Create(ctx, full)
	if errors.Is(err, ErrRoomExists) {
		return Record{}, refuse(CodeAlreadyExists)
	}
	if err != nil {
		return Record{}, unavailable(err)
	}
	return made, nil
}

// Record returns what is stored of the room, or what its pattern says when
// nothing is; Record.Version is 0 then.
func (r *Room) Record(ctx context.Context) (Record, error) {
	if err := r.check(); err != nil {
		return Record{}, err
	}
	_, rec, err := r.srv.lookup(ctx, r.name)
	return rec, err
}

// Update changes the room's record. f is called with the present one and
// changes it; it may be called again when somebody else was faster. Members who
// may not stay are removed. A MaxMembers of 0 is the pattern's.
func (r *Room) Update(ctx context.Context, f func(*Record)) (Record, error) {
	for range conflicts {
		settings, rec, err := r.existing(ctx)
		if err != nil {
			return Record{}, err
		}
		version := rec.Version
		rec.Roles, rec.Invited, rec.Moderators = slices.Clone(rec.Roles), slices.Clone(rec.Invited), slices.Clone(rec.Moderators)
		f(&rec)
		rec.Room, rec.Version = r.name, version
		if rec.MaxMembers == 0 {
			rec.MaxMembers = settings.MaxMembers
		}
		if err := rec.check(); err != nil {
			return Record{}, err
		}
		rec, err = r.srv.replace(ctx, nil, rec)
		if !errors.Is(err, ErrConflict) {
			return rec, err
		}
	}
	return Record{}, refuse(CodeConflict)
}

// Delete removes the room, its history and everyone in it. One that is not
// there is no error, and the pattern may be gone already.
func (r *Room) Delete(ctx context.Context) error {
	if !validate.Room(r.name) {
		return refuse(CodeInvalidRoom)
	}
	return r.srv.drop(ctx, r.name)
}

// Members returns up to limit users, or Limits.Page when it is 0, in the order
// of their IDs, and whether there are more. The first page is behind "", the
// next one behind the last ID of the one before. The caller owns the slice. How
// present they are is what [Room.PresenceList] says.
func (r *Room) Members(ctx context.Context, after string, limit int) ([]Member, bool, error) {
	if err := r.check(); err != nil {
		return nil, false, err
	}
	if limit <= 0 {
		limit = r.srv.limits.Page
	}
	list, more, err := r.srv.store.Members(ctx, r.name, after, limit)
	if err != nil {
		return nil, false, unavailable(err)
	}
	return list, more, nil
}

// History reads a part of the room's log; a Limit of 0 is Limits.Page. It has
// edits and redactions as messages of their kinds, in their places, and what
// they changed as it is now. A room that keeps nothing, or is not there, has an
// empty page.
func (r *Room) History(ctx context.Context, ask Range) (Page, error) {
	if err := r.check(); err != nil {
		return Page{}, err
	}
	if ask.Limit <= 0 {
		ask.Limit = r.srv.limits.Page
	}
	page, err := r.srv.broker.Replay(ctx, r.name, ask)
	if err != nil {
		return Page{}, unavailable(err)
	}
	return page, nil
}

// replace stores a changed record and tells everyone. It returns a bare
// ErrConflict.
func (s *Server) replace(ctx context.Context, batch *transport.Batch, rec Record) (Record, error) {
	rec, err := s.store.Update(ctx, rec)
	if errors.Is(err, ErrConflict) {
		return Record{}, ErrConflict
	}
	if err != nil {
		return Record{}, unavailable(err)
	}
	data, err := encodeRecord(rec)
	if err != nil {
		return Record{}, err
	}
	return rec, s.enact(ctx, batch, Message{Kind: KindUpdated, Room: rec.Room, Data: data, At: now()}, nil)
}

// clearLog forgets what a room of the same name, that was deleted, has left in the
// log of one that is about to be made: because the end of that was cut short, or
// because a node that had not heard of it let somebody speak. It is not the new
// owner's to read.
func (s *Server) clearLog(ctx context.Context, name string, settings *Settings) error {
	if settings.Standing || settings.History.Messages == 0 {
		return nil
	}
	page, err := s.broker.Replay(ctx, name, Range{Limit: 1, Newest: true})
	if err != nil {
		return unavailable(err)
	}
	if len(page.Messages) == 0 {
		return nil
	}
	// What is there may also have been said just now, in a room that somebody
	// else was quicker to make.
	if _, rec, err := s.lookup(ctx, name); err != nil || rec.Version > 0 {
		return err
	}
	if err := s.broker.Forget(ctx, name); err != nil {
		return unavailable(err)
	}
	return nil
}

// drop deletes a room and tells everyone. What was said goes with it at once:
// while the nodes confirm, somebody may be in a room of that name again.
func (s *Server) drop(ctx context.Context, name string) error {
	if err := s.store.Delete(ctx, name); err != nil && !errors.Is(err, ErrNoRoom) {
		return unavailable(err)
	}
	return s.enact(ctx, nil, Message{Kind: KindDeleted, Room: name, At: now()}, func() error {
		return s.broker.Forget(context.WithoutCancel(ctx), name)
	})
}
