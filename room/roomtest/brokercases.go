package roomtest

// brokerCases returns the suite of [TestBroker].
func brokerCases() []testCase[*brokerScript] {
	return []testCase[*brokerScript]{
		{
			"deliver",
			"Publish hands a message, with all its fields, to every subscriber of the room, on the publisher's node and on others, and to each once. " +
				"A field that is lost on the way is a sender, a reason or an end of a mute that nobody gets to know.",
			brokerDeliver,
		},
		{
			"rooms",
			"No room has anything to do with another, however alike their names are. A message in the wrong room is a breach, not a bug.",
			brokerRooms,
		},
		{
			"offsets",
			"Stored messages have the offsets 1, 2, 3 and so on within one epoch, the same in the receipt, at every subscriber and in the log. " +
				"Clients find gaps by counting.",
			brokerOffsets,
		},
		{
			"position is the broker's",
			"The position that a published message has is ignored. It is not for a caller to say where in the log something stands.",
			brokerPosition,
		},
		{
			"unstored",
			"What is published without retention, and whatever is no KindMessage, gets no offset, uses none up and is not in the log. " +
				"A typing indicator that takes an offset looks like a lost message to whoever reconnects.",
			brokerUnstored,
		},
		{
			"stored",
			"When Publish returns without an error the message is in the log, as every node sees it. The sender has been told that it will not be lost.",
			brokerStored,
		},
		{
			"order",
			"With many publishers at once on all nodes, every subscriber sees the same messages in the same order, the stored ones by ascending offset without a gap, and the log has that order too. " +
				"Two members who see two orders see two conversations.",
			brokerOrder,
		},
		{
			"own order",
			"What one publisher publishes one after the other, stored or not, arrives in that order. user_left must not arrive before user_joined.",
			brokerOwnOrder,
		},
		{
			"one at a time",
			"deliver is not called again before it has returned. It is where a message is appended to a room's log, which has one appender.",
			brokerOneAtATime,
		},
		{
			"retention by number",
			"The log has the newest keep.Messages messages and not one more. Fewer lose what was promised, more keep what should be gone.",
			brokerRetentionByNumber,
		},
		{
			"retention by age",
			"The log has no message older than keep.Age, and all that are younger; an Age of zero is 24 hours. How long something is kept is a promise about privacy too.",
			brokerRetentionByAge,
		},
		{
			"retention changes",
			"The retention of the latest call that stored something is that of the whole log; one that stored nothing changes nothing.",
			brokerRetentionChanges,
		},
		{
			"duplicate",
			"A stored message with an ID that the same user has used in the room is answered with the receipt of the first and Duplicate, is not stored and goes to nobody, whatever else is in it. " +
				"It is what makes a client's retry after a lost reply harmless.",
			brokerDuplicate,
		},
		{
			"no duplicate",
			"The same ID in another room, by another user or on something that is not stored is no duplicate, and no ID is none. A message that is taken for a duplicate by mistake is lost in silence.",
			brokerNoDuplicate,
		},
		{
			"dedup window",
			"An ID is remembered for 5 minutes and through 1,000 newer ones, whether or not its message is still in the log.",
			brokerDedupWindow,
		},
		{
			"dedup race",
			"Of any number of calls at once with one ID exactly one stores the message, and all get the same receipt.",
			brokerDedupRace,
		},
		{
			"edit",
			"Amend with a KindEdited replaces the data of the message, and nothing else of it, in the log, stores the edit itself with the next offset and hands it to every subscriber.",
			brokerEdit,
		},
		{
			"redact",
			"Amend with a KindRedacted removes the data of the message, and of every edit of it, from the log for good. What was redacted must not come back in anybody's history.",
			brokerRedact,
		},
		{
			"no message",
			"Amend of a message that is not there, that is no KindMessage, that is redacted or that is not the author's is ErrNoMessage and does nothing. Otherwise users edit each other's words.",
			brokerNoMessage,
		},
		{
			"old copies",
			"What was delivered or replayed before an Amend keeps what it had: deliver's messages stay valid. An edit in place is a data race with everyone who is still encoding the message.",
			brokerOldCopies,
		},
		{
			"amend race",
			"Of any number of redactions of a message at once exactly one succeeds, and no edit brings the data back.",
			brokerAmendRace,
		},
		{
			"subscribe",
			"The messages that a subscriber gets are those directly after the position that Subscribe returned. Its epoch is set, and theirs, even where nothing has been published: a client keeps it to come back with.",
			brokerSubscribe,
		},
		{
			"handoff",
			"Whoever subscribes while others publish, and replays the log up to the position returned, has every message exactly once. It is how joining a room works.",
			brokerHandoff,
		},
		{
			"cancel",
			"After cancel nothing is delivered to that subscriber and everything to the others, and cancelling again does nothing. What is delivered after somebody has left goes to somebody who may not hear it.",
			brokerCancel,
		},
		{
			"cancel race",
			"When cancel has returned no call of deliver is going on and none comes, however many messages are on their way.",
			brokerCancelRace,
		},
		{
			"context ends",
			"A subscription, and a message on its way, live on when the context of the call that made them ends. A room is subscribed to in the name of the first who joins, and must not fall silent when they leave.",
			brokerContextEnds,
		},
		{
			"replay",
			"Replay returns the messages between After and Before, both exclusive and open when 0, up to Limit of them, the oldest or the newest, in ascending order, and says truthfully whether there are more, " +
				"where the log begins and where it ends.",
			brokerReplay,
		},
		{
			"page bytes",
			"A page ends with the message that makes it as large as Bytes says, and More says so: a room's log may be more than a server can hold for everyone who asks.",
			brokerPageBytes,
		},
		{
			"since",
			"Replay leaves out what is up to Since where the log goes on from there, and Follows says so; where it does not, as it does from no position that never was, of another room or of before a Forget, it leaves nothing out and says that. " +
				"Who is told by mistake that nothing else was missed does not ask for it.",
			brokerSince,
		},
		{
			"replay of nothing",
			"The log of a room of which nothing is known is empty and that is no error; asking for it makes nothing.",
			brokerReplayOfNothing,
		},
		{
			"page",
			"The slice of a page is the caller's to sort, cut and overwrite.",
			brokerPage,
		},
		{
			"last",
			"Last is the position of the newest message ever, when it is no longer kept too. With a position that fell back, clients would take new messages for old ones.",
			brokerLast,
		},
		{
			"forget",
			"After Forget the log is empty and the IDs are gone; subscriptions stay, and what comes belongs to another epoch, with offsets from 1. A deleted room must not haunt the next one of its name.",
			brokerForget,
		},
		{
			"together",
			"PublishAll, where there is one, does what Publish with each message does, one after the other, and answers each in its place: with its own retention, in its own room, a duplicate of one before it included. " +
				"A message that is answered with another one's receipt is lost when its client believes it.",
			brokerTogether,
		},
		{
			"together, own order",
			"However many call PublishAll at once, the messages of each list are in its order, for every subscriber the same. What one user says in one breath must not come out in another order.",
			brokerTogetherOrder,
		},
		{
			"follow",
			"Follow, where there is one, is Subscribe, with a call of delivered after the last of those of deliver, none while one of deliver is going on, and none after cancel. What is not followed by one is not written to any socket.",
			brokerFollow,
		},
		{
			"context",
			"A call whose context is done returns, with what it did or with an error that is not ErrNoMessage, and the broker is none the worse for it.",
			brokerContext,
		},
		{
			"random",
			"Any sequence of calls has the outcome that the contract says.",
			brokerRandom,
		},
	}
}
