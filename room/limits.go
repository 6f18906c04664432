package room

import (
	"fmt"
	"time"

	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/validate"
)

// Limits bound what one client can cost. Start from [DefaultLimits] and change
// what must change; [New] refuses limits that are not set. A zero
// [limit.Rate] is no limit.
type Limits struct {
	// TextFrame is the largest text message, in bytes, envelope and all;
	// a larger one closes the connection with 1009. Default 1 MiB.
	TextFrame int
	// Data bounds what a message carries; see [validate.DefaultLimits].
	// A binary message larger than Data.BinaryBytes and its envelope closes
	// the connection with 1009.
	Data validate.Limits

	// ConnectsPerIP is how fast one address may connect. Default 20 a second.
	ConnectsPerIP limit.Rate
	// ConnectionsPerIP, PerUser and PerNode are how many there may be at
	// once. Defaults 100, 20 and 100,000. The first two are of each node, or
	// of all together: see [WithCounter].
	ConnectionsPerIP, ConnectionsPerUser, ConnectionsPerNode int
	// Unauthenticated is how many connections may wait at once for their
	// first message to authenticate them, where that is allowed.
	// Default 1,000.
	Unauthenticated int

	// Messages are the limits of rooms whose Settings have none of their
	// own.
	Messages Rates
	// Requests is how fast one connection may make requests of every other
	// kind. Default 50 a second.
	Requests limit.Rate
	// Bytes is how many bytes one connection may send, in requests of every
	// kind. Its burst must hold the largest message. Default 4 MiB a second
	// with a burst of 8 MiB.
	Bytes limit.Rate
	// History is how fast one connection may read history. Default 50 a
	// second.
	History limit.Rate
	// Calls are in place of Requests for the calls of an event.
	Calls map[string]limit.Rate
	// Joins is how fast one connection may join rooms. Default 10 a second.
	Joins limit.Rate
	// Abuse is how often a connection may be refused for being too fast
	// before it is closed with 4008. Default 100 in 10 seconds.
	Abuse limit.Rate

	// RoomsPerUser is how many rooms one user may own. Connections of theirs
	// that create at the same moment may go beyond it by their number.
	// Default 100.
	RoomsPerUser int
	// RoomsPerConnection is how many rooms a connection may be in.
	// Default 128.
	RoomsPerConnection int
	// Page is the most members or messages in one reply. Default 100. A page of
	// messages ends early with the one that makes it an eighth of MaxLag.
	Page int
	// Replay is the most messages that joining with since brings back, up to
	// half of MaxLag. Default 1,000.
	Replay int

	// Crowd is the number of users from which on comings, goings and other
	// changes of presence in a room are told together, at most once in
	// CrowdDelay; those that cancel out are not told. Defaults 100 and 250 ms.
	Crowd      int
	CrowdDelay time.Duration

	// MaxLag is how many bytes a connection may be behind a room, or with
	// its own replies, before it is closed with 4103. Default 8 MiB.
	MaxLag int
	// CompressAbove is the size in bytes above which messages are compressed
	// for clients that negotiated it. Default 1 KiB.
	CompressAbove int

	// Authentication is how long an Authenticator may take. Default 10 s.
	Authentication time.Duration
	// FirstMessage is how long a client may take to authenticate in its
	// first message, where that is allowed. Default 5 s.
	FirstMessage time.Duration
	// Message is how long one message may take to arrive. Default 10 s.
	Message time.Duration
	// Heartbeat is how often a silent client is pinged; it is closed with
	// 4102 after two pings without an answer. Default 25 s.
	Heartbeat time.Duration
	// Write is how long a client may take nothing of what it is sent before
	// it is closed with 4103. Default 10 s.
	Write time.Duration
	// Close is how long the closing handshake may take. Default 5 s.
	Close time.Duration
	// Handler is how long a hook or handler of the host has. Default 10 s.
	Handler time.Duration
	// StoreCall is how long one call of a store, a broker, sessions or presence
	// that is not in this process may take. Default 2 s; the ones in Redis
	// give up sooner.
	StoreCall time.Duration
	// TokenLife is the longest time that a token may be good for. So long a
	// revocation is remembered, and longer where a session shows that a token
	// lives longer. Default 30 days.
	TokenLife time.Duration
	// Grace is how long a session outlives its connection, and for how long
	// a user is still shown as present whose connection broke without a
	// close frame. Default 10 s.
	Grace time.Duration
	// AwayAfter is after how long without a request a connection is shown as
	// away. Default 0: never.
	AwayAfter time.Duration
	// PresenceBeat is how often a node says that it lives, PresenceTimeout
	// after how long without it others take its users for gone, give back
	// their places in rooms and count its connections no longer (see
	// [WithCounter]), and PresenceSweep how often it checks that
	// everything it wrote is still there, unless there is reason to do so at
	// once, as after a failover. Defaults 30 s, 90 s and 300 s.
	PresenceBeat, PresenceTimeout, PresenceSweep time.Duration
	// Expiring is how long before its identity expires a client is told.
	// Default 60 s.
	Expiring time.Duration
}

// Rates are how fast messages may be sent to a room, and for a pattern of rooms
// or a role in them, how fast other requests may be made. A zero rate is no
// limit but where something else is said.
type Rates struct {
	// Connection is the rate of messages of one connection. Default 50 a second.
	Connection limit.Rate
	// User is that of one user on all connections: together in all rooms that
	// have no Rates of their own, and one by one in those that do. Default 100
	// a second.
	User limit.Rate
	// UserInRoom is that of one user in one room. Default none.
	UserInRoom limit.Rate
	// Room is that of all users together. Default 1,000 a second.
	Room limit.Rate

	// ConnectionBytes is how many bytes one connection may send in messages to
	// one room, envelopes and all. Zero means that they count for Limits.Bytes.
	ConnectionBytes limit.Rate
	// UserBytes, UserInRoomBytes and RoomBytes are as User, UserInRoom and Room,
	// in bytes of data. Default none. A message larger than the burst takes all
	// of it.
	UserBytes, UserInRoomBytes, RoomBytes limit.Rate

	// Joins and History are how fast one connection may join the rooms of the
	// pattern, and read their history; Calls how fast it may make the calls of
	// an event there. What is zero or missing counts for Limits.Joins,
	// Limits.History and Limits.Calls. In Limits.Messages they mean nothing.
	Joins, History limit.Rate
	Calls          map[string]limit.Rate
}

// DefaultLimits returns the defaults.
func DefaultLimits() Limits {
	return Limits{
		TextFrame:          1 << 20,
		Data:               validate.DefaultLimits(),
		ConnectsPerIP:      limit.PerSecond(20),
		ConnectionsPerIP:   100,
		ConnectionsPerUser: 20,
		ConnectionsPerNode: 100_000,
		Unauthenticated:    1_000,
		Messages:           Rates{Connection: limit.PerSecond(50), User: limit.PerSecond(100), Room: limit.PerSecond(1000)},
		Requests:           limit.PerSecond(50),
		Bytes:              limit.Rate{Events: 4 << 20, Per: time.Second, Burst: 8 << 20},
		History:            limit.PerSecond(50),
		Joins:              limit.PerSecond(10),
		Abuse:              limit.Rate{Events: 100, Per: 10 * time.Second},
		RoomsPerUser:       100,
		RoomsPerConnection: 128,
		Page:               100,
		Replay:             1_000,
		Crowd:              100,
		CrowdDelay:         250 * time.Millisecond,
		MaxLag:             8 << 20,
		CompressAbove:      1 << 10,
		Authentication:     10 * time.Second,
		FirstMessage:       5 * time.Second,
		Message:            10 * time.Second,
		Heartbeat:          25 * time.Second,
		Write:              10 * time.Second,
		Close:              5 * time.Second,
		Handler:            10 * time.Second,
		StoreCall:          2 * time.Second,
		TokenLife:          30 * 24 * time.Hour,
		Grace:              10 * time.Second,
		PresenceBeat:       30 * time.Second,
		PresenceTimeout:    90 * time.Second,
		PresenceSweep:      300 * time.Second,
		Expiring:           60 * time.Second,
	}
}

// envelope is how much of a binary message may be its envelope.
const envelope = 4<<10 + 2

func (l *Limits) check() error {
	const hint = "start from room.DefaultLimits()"
	for name, n := range map[string]int{
		"TextFrame": l.TextFrame, "ConnectionsPerIP": l.ConnectionsPerIP, "ConnectionsPerUser": l.ConnectionsPerUser,
		"ConnectionsPerNode": l.ConnectionsPerNode, "Unauthenticated": l.Unauthenticated, "RoomsPerConnection": l.RoomsPerConnection, "RoomsPerUser": l.RoomsPerUser,
		"Page": l.Page, "Crowd": l.Crowd, "Replay": l.Replay, "MaxLag": l.MaxLag, "CompressAbove": l.CompressAbove,
		// A frame is bounded before anyone knows what room it is for.
		"Data.BinaryBytes": l.Data.BinaryBytes,
	} {
		if n <= 0 {
			return fmt.Errorf("Limits.%s is %d: %s", name, n, hint)
		}
	}
	for name, d := range map[string]time.Duration{
		"Authentication": l.Authentication, "FirstMessage": l.FirstMessage, "Message": l.Message, "Heartbeat": l.Heartbeat,
		"Write": l.Write, "CrowdDelay": l.CrowdDelay, "Close": l.Close, "Handler": l.Handler, "Expiring": l.Expiring, "Grace": l.Grace, "TokenLife": l.TokenLife, "StoreCall": l.StoreCall,
		"PresenceBeat": l.PresenceBeat, "PresenceTimeout": l.PresenceTimeout, "PresenceSweep": l.PresenceSweep,
	} {
		if d <= 0 {
			return fmt.Errorf("Limits.%s is %v: %s", name, d, hint)
		}
	}
	if l.AwayAfter < 0 {
		return fmt.Errorf("Limits.AwayAfter is %v: use 0 for never", l.AwayAfter)
	}
	if l.PresenceTimeout <= l.PresenceBeat {
		return fmt.Errorf("Limits.PresenceTimeout is %v and Limits.PresenceBeat %v: a node must beat more often than that, such as three times", l.PresenceTimeout, l.PresenceBeat)
	}
	for name, r := range map[string]limit.Rate{
		"ConnectsPerIP": l.ConnectsPerIP, "Requests": l.Requests, "Joins": l.Joins, "Bytes": l.Bytes, "History": l.History, "Abuse": l.Abuse,
	} {
		if err := r.Validate(); err != nil {
			return fmt.Errorf("Limits.%s: %w", name, err)
		}
	}
	if err := l.Messages.check(); err != nil {
		return fmt.Errorf("Limits.Messages: %w", err)
	}
	for event, r := range l.Calls {
		if err := r.Validate(); err != nil {
			return fmt.Errorf("Limits.Calls[%q]: %w", event, err)
		}
	}
	if most := max(l.TextFrame, l.Data.BinaryBytes+envelope); !l.Bytes.Unlimited() && l.Bytes.Size() < most {
		return fmt.Errorf("Limits.Bytes never admits a message of %d bytes: raise its Burst", most)
	}
	return nil
}

// announce is what a client is told in its welcome. Rates are per second, and 0
// is no limit.
func (l *Limits) announce() []wire.Limit {
	standard := validate.DefaultLimits()
	bound := func(n, standard int) int64 { // see validate.Limits
		if n == 0 {
			n = standard
		}
		return int64(max(n, 0))
	}
	perSecond := func(r limit.Rate) int64 {
		if r.Per <= 0 {
			return 0
		}
		return max(1, int64(float64(r.Events)/r.Per.Seconds())) // 0 would be no limit
	}
	return []wire.Limit{
		{Name: "text_frame_bytes", Value: int64(l.TextFrame)},
		{Name: "text_chars", Value: bound(l.Data.TextChars, standard.TextChars)},
		{Name: "json_bytes", Value: bound(l.Data.JSONBytes, standard.JSONBytes)},
		{Name: "binary_bytes", Value: int64(l.Data.BinaryBytes)},
		{Name: "json_depth", Value: bound(l.Data.Depth, standard.Depth)},
		{Name: "array_elements", Value: bound(l.Data.Elements, standard.Elements)},
		{Name: "object_keys", Value: bound(l.Data.Keys, standard.Keys)},
		{Name: "rooms", Value: int64(l.RoomsPerConnection)},
		{Name: "room_members", Value: defaultMaxMembers},
		{Name: "connections_user", Value: int64(l.ConnectionsPerUser)},
		{Name: "messages_per_second", Value: perSecond(l.Messages.Connection)},
		{Name: "messages_per_second_user", Value: perSecond(l.Messages.User)},
		{Name: "messages_per_second_room", Value: perSecond(l.Messages.Room)},
		{Name: "requests_per_second", Value: perSecond(l.Requests)},
		{Name: "joins_per_second", Value: perSecond(l.Joins)},
		{Name: "history_per_second", Value: perSecond(l.History)},
		{Name: "bytes_per_second", Value: perSecond(l.Bytes)},
	}
}
