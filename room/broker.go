package room

import (
	"context"
	"time"
)

// Kind says what a Message is.
type Kind uint8

// The kinds of Message, with the fields that each uses beside Room and At.
const (
	// KindMessage was said: Event, From, ID, Data, Binary.
	KindMessage Kind = iota + 1
	// KindJoined says that a user came: From, Name.
	KindJoined
	// KindLeft says that a user went: From, Name, Reason.
	KindLeft
	// KindPresence says how present a user is: From, Name, Event (the
	// status), Data (the meta).
	KindPresence
	// KindUpdated says that the room's record changed: Data is the Record
	// as JSON.
	KindUpdated
	// KindDeleted says that the room is no more.
	KindDeleted
	// KindEdited and KindRedacted change what was said: From, Target, and
	// Data of an edit. They are published with Amend.
	KindEdited
	KindRedacted
	// KindKicked, KindBanned, KindMuted and KindUnmuted say what a moderator
	// did to the user From: Reason, and Until of a mute. Clients are not
	// told; nodes act on it.
	KindKicked
	KindBanned
	KindMuted
	KindUnmuted
	// KindDirect, KindDisconnect and KindRevoked are what servers tell each
	// other about the user From, outside of any room: Event and Data; Reason;
	// one of Session, ID (of a token) and Until (before which all tokens were
	// issued).
	KindDirect
	KindDisconnect
	KindRevoked
	// KindHello and KindBye say that the server From, on the node Name, is
	// there, or about to go. KindAsk asks whether the act Act in the room Event
	// is in force, and KindDone, by the server From, says so.
	KindHello
	KindBye
	KindAsk
	KindDone
	// KindLost is what a Broker tells subscribers when messages may have been
	// lost before this one and cannot be had any more: Position is the one of
	// the log now. Nobody publishes it.
	KindLost
	// KindContinued is what a Broker tells subscribers when a new epoch has
	// begun and they have lost nothing: Position is in the new epoch what that
	// of the message before was. Nobody publishes it.
	KindContinued
)

// Position is a place in a room's log. Offsets count up by one from 1 within
// an epoch; a new epoch means that something that was kept before may be lost,
// and what is not keeps its offsets or is gone: Page.Follows tells which. The
// zero Position is before everything, or says that nothing is kept.
type Position struct {
	Epoch  string
	Offset uint64
}

// Message is what a Broker carries: something said in a room, or something
// that happened there.
type Message struct {
	Kind  Kind
	Room  string
	Event string
	// From is the user it is about: the sender, or who came or went. Empty
	// for the host.
	From   string
	Name   string
	Reason string
	// ID is the sender's idempotency key, empty for none.
	ID string
	// Data is a JSON value, or any bytes when Binary.
	Data   []byte
	Binary bool
	// At is when the server accepted it, to the millisecond, as Until is.
	At time.Time
	// Target is the offset of the message that an edit or redaction changes.
	Target uint64
	// Redacted: the message is in the log without its Data.
	Redacted bool
	Until    time.Time
	// Session is the ID of a session.
	Session string
	// Act names something that was done to a room or a user, for those who wait
	// until it is in force on every node.
	Act string
	// Except is a connection that does not get it, empty for none.
	Except string
	Position
}

// Receipt says what became of a published Message.
type Receipt struct {
	// Position is zero when the message is not in the log.
	Position
	At time.Time // the message's
	// Duplicate: the same ID by the same user was published before, and
	// this is the receipt of then.
	Duplicate bool
}

// Range asks for a part of a room's log. After and Before are exclusive; 0
// leaves that side open.
type Range struct {
	After, Before uint64
	// Limit is the most messages to return; at least 1.
	Limit int
	// Bytes ends the page with the message that makes it about that large, 0
	// where the broker itself would. What a broker returns at once is bounded.
	Bytes int
	// Newest takes the newest messages of the range when it has more than
	// Limit, else the oldest.
	Newest bool
	// Since is where somebody has come to, in this epoch or an earlier one.
	// When the log goes on from there (see Page.Follows) what it has up to
	// there is left out, as with After. Otherwise Since leaves nothing out.
	Since Position
}

// Page is a part of a room's log.
type Page struct {
	// Messages are in the order of their offsets. The caller owns the slice,
	// but not what the messages point to.
	Messages []Message
	// Last is the position of the newest message that the room has ever had
	// in this epoch, kept or not.
	Last Position
	// First is the offset of the oldest message kept; 0 when there is none.
	First uint64
	// More says that the range has messages beyond these: there are more than
	// Limit, or more bytes than the broker returns at once, which is one message
	// at least.
	More bool
	// Follows says that the log goes on from Range.Since: up to that offset
	// it has, or had before they were too many or too old, what there was in
	// that epoch, and so had all epochs between. Who was there has missed what
	// has a higher offset, and nothing else. The answer of a broker that does
	// not know is false, as it is for a position that never was. In the
	// present epoch every offset up to that of Last is followed.
	Follows bool
}

// Broker carries messages to all who are in a room, on every node, in one
// order, and keeps them where the room keeps history. Rooms, and their names,
// have nothing to do with each other. Servers speak to each other in rooms of
// names that are not valid for clients.
//
// Of a room with no subscriber, no message in its log and no ID in the dedup
// window a Broker may forget everything; what comes then belongs to a new epoch.
//
// A Broker that reaches beyond the process may lose what it kept, or be away for
// so long that what was said meanwhile cannot be had any more. It then begins a
// new epoch before it gives an offset to a second message, and tells the
// subscribers between what came before and what comes after: with a KindLost, or
// with a KindContinued those that have lost nothing. It may keep what it still
// has, with its offsets, and go on from there: see Page.Follows.
//
// Implementations are safe for concurrent use. They honour the context's
// deadline, and when they fail by it may or may not have done what was asked;
// the context has no say over anything after the call has returned.
// roomtest.TestBroker checks all that is said here.
type Broker interface {
	// Publish gives m its place in the room's order and hands it, with all
	// its fields, to every subscriber. m.Position is ignored. Where
	// keep.Messages is not 0 and m is a KindMessage, it is stored first and
	// gets the next offset; a nil error means that it is stored. All else
	// gets no offset, and leaves none out.
	//
	// Of all that is in the log Replay then returns the newest keep.Messages
	// and none whose At is more than keep.Age ago. The retention of the
	// latest call that stored something is that of the whole log.
	//
	// With m.ID set, a stored message is stored once: a further one with the
	// same room, From and ID within the dedup window is answered with the
	// first one's receipt and goes to nobody. The window is the broker's: at
	// least the room's newest 1,000 messages with an ID, each for at least 5
	// minutes after its At, whether or not they are still in the log.
	//
	// The broker keeps m.Data: the caller must not modify it afterwards.
	Publish(ctx context.Context, m Message, keep Retention) (Receipt, error)

	// Amend publishes a KindEdited or KindRedacted m: the KindMessage with
	// the offset m.Target has m.Data from then on and is no longer Binary; or
	// it, and every KindEdited of it in the log, has no Data, is not Binary
	// and is Redacted. And m itself is stored with the next offset and handed
	// to every subscriber. Messages that were delivered or
	// replayed before keep what they had. keep is as for Publish, and
	// keep.Messages not 0. Where author is not empty, the message must be
	// that user's. ErrNoMessage says that there is no such message, that it
	// is not theirs, or that it is redacted, and that nothing was done.
	Amend(ctx context.Context, m Message, author string, keep Retention) (Receipt, error)

	// Subscribe calls deliver with every message of a room from now on, in
	// order, one at a time, and with nothing twice. Messages that have an
	// offset are those directly after the returned position, whose epoch is
	// set even where nothing has been published.
	//
	// deliver must return soon and must not call the broker. It must not
	// modify what it is given, which stays valid. Once cancel has returned,
	// no call of deliver is going on and none will come. Calling cancel again
	// does nothing.
	Subscribe(ctx context.Context, room string, deliver func(Message)) (at Position, cancel func(), err error)

	// Replay reads the log. A room of which nothing is known has an empty
	// page.
	Replay(ctx context.Context, room string, r Range) (Page, error)

	// Forget drops the room's log, and the IDs of what was in it. What is
	// published afterwards belongs to a new epoch, which follows no position
	// of before. Subscriptions stay. An unknown room is no error.
	Forget(ctx context.Context, room string) error
}

// HealthBroker is a broker that may know that it fails before a call does, such
// as that it no longer hears what is published elsewhere. [Server.Health] tells
// of it.
type HealthBroker interface {
	Broker
	// Health returns what is wrong, nil when nothing is. It asks nobody and
	// returns at once.
	Health() error
}
