package roomtest

// storeCases returns the suite of [TestStore].
func storeCases() []testCase[*storeScript] {
	return []testCase[*storeScript]{
		{
			"create",
			"Create adds the record with Version 1, whatever the version in it, and every field comes back as it was given. " +
				"A field that is lost is a permission that nobody set.",
			storeCreate,
		},
		{
			"create twice",
			"Create of a room that has a record is ErrRoomExists and changes nothing. Otherwise whoever comes second takes the first one's room.",
			storeCreateTwice,
		},
		{
			"create race",
			"Of any number of Create calls at once for one room exactly one succeeds, and the record is that one's.",
			storeCreateRace,
		},
		{
			"no record",
			"Record of a room without one is ErrNoRoom, also when somebody is in it or banned from it. " +
				"Any other error is taken for an outage, and no error for a room that everybody may describe.",
			storeNoRecord,
		},
		{
			"update",
			"Update replaces the whole record, what is now empty included, and counts the version up by one. " +
				"A role or an invitation that an update took away must be gone.",
			storeUpdate,
		},
		{
			"update conflict",
			"Update with a version that is not the present one is ErrConflict and changes nothing. " +
				"Otherwise two owners overwrite each other's changes without knowing.",
			storeUpdateConflict,
		},
		{
			"update without record",
			"Update with version 0 makes the record of a room that has none, with version 1. It is how standing rooms get their first change.",
			storeUpdateWithoutRecord,
		},
		{
			"update race",
			"Of any number of Update calls at once from one version exactly one succeeds, so that whoever tries again on ErrConflict loses no change.",
			storeUpdateRace,
		},
		{
			"changes keep people",
			"Create and Update leave members and sanctions as they are. An update that empties the room hides who is there; one that lifts bans lets them back.",
			storeChangesKeepPeople,
		},
		{
			"delete",
			"Delete removes the record, all sanctions and all members. What is left over belongs to whoever makes a room of that name next.",
			storeDelete,
		},
		{
			"delete without record",
			"Delete of a room without a record says ErrNoRoom and removes members and sanctions all the same. It is how standing rooms are emptied.",
			storeDeleteWithoutRecord,
		},
		{
			"owned",
			"Owned counts the records that name the user as their Owner, by whatever way they came and went. It caps how many rooms one user may make; a count that only grows locks them out.",
			storeOwned,
		},
		{
			"empty",
			"Empty returns the rooms that have a record and in which nobody has been since before the given time, and says since when. A room that is missed stays for ever.",
			storeEmpty,
		},
		{
			"delete empty",
			"DeleteEmpty deletes a room, with its sanctions, when it is empty since before the given time, and changes nothing otherwise. Somebody may have come back since Empty was asked.",
			storeDeleteEmpty,
		},
		{
			"delete empty race",
			"Of an Admit and a DeleteEmpty at once one succeeds. If both did, somebody would sit in a room that is no more.",
			storeDeleteEmptyRace,
		},
		{
			"admit",
			"The first connection of a user is told First, and the user is among the members, by the name of the seat and since now.",
			storeAdmit,
		},
		{
			"admit again",
			"Further connections of a user are not First and count up; admitting one that is in already counts nothing. " +
				"Users, not connections, join and leave: a second tab must not be announced, nor a retried join keep the user in for ever.",
			storeAdmitAgain,
		},
		{
			"since",
			"Since and Name are those of the user's coming: they stay while any of the connections is there, and are new when the user comes anew.",
			storeSince,
		},
		{
			"version",
			"Admit with a version that is not the record's is ErrConflict and lets nobody in. The permission was checked against that version: " +
				"this is what keeps a join from slipping in behind a room that has just been closed.",
			storeVersion,
		},
		{
			"version race",
			"Once Update has returned, no Admit with the version before succeeds, however many are on their way.",
			storeVersionRace,
		},
		{
			"full",
			"A user who is not in gets ErrRoomFull when maxMembers are, and leaves no trace; one who is in may add connections however full it is. " +
				"The cap is that of the call, so that a lower one holds for whoever comes next.",
			storeFull,
		},
		{
			"full race",
			"Of 200 users at once exactly maxMembers get in, all others get ErrRoomFull, and with users coming and going there are never more. " +
				"A store that counts in one step and adds in another lets a crowd through.",
			storeFullRace,
		},
		{
			"first race",
			"Of any number of connections of one user at once exactly one is First. Otherwise user_joined is sent twice, or never.",
			storeFirstRace,
		},
		{
			"ban",
			"A banned user gets a *BannedError, which is an ErrBanned and says until when, and does not get in. It concerns nobody else and no other room, and does not remove who is in.",
			storeBan,
		},
		{
			"ban ends",
			"A ban keeps the user out until its time has come, and from then on does not.",
			storeBanEnds,
		},
		{
			"ban race",
			"Once Sanction has returned, no Admit of the banned user succeeds, however many are on their way.",
			storeBanRace,
		},
		{
			"mute",
			"A muted user gets in, every connection is told until when, and once it is over, none. Nobody asks the store again for each message, so what Admit says is what holds.",
			storeMute,
		},
		{
			"sanction replaced",
			"A sanction replaces the one of the same kind, be it longer or shorter, and leaves the other kind alone.",
			storeSanctionReplaced,
		},
		{
			"sanction for ever",
			"A sanction until the year 9999 comes back as exactly that: it is how one without an end is written, and clients are told 0 for it and not eight thousand years.",
			storeSanctionForEver,
		},
		{
			"sanctions are bounded",
			"A room has MaxSanctions at most: whoever moderates one must not be able to fill the store.",
			storeSanctionsBounded,
		},
		{
			"lift",
			"Lift takes back one kind of sanction of one user in one room, and one that is not there is no error.",
			storeLift,
		},
		{
			"order of checks",
			"ErrConflict comes before a ban, and a ban before ErrRoomFull: on a conflict the rules are read anew, and who is banned is not told how full a room is.",
			storeOrderOfChecks,
		},
		{
			"dismiss",
			"Dismiss says last for the user's last connection, and false, without an error, for one that is not in. user_left hangs on it.",
			storeDismiss,
		},
		{
			"dismiss race",
			"Of any number of connections dismissed at once, and each twice, exactly one is last.",
			storeDismissRace,
		},
		{
			"come and go race",
			"With connections of one user coming and going at once, there are as many last as First, and nobody is left behind. " +
				"One too few and the user is a ghost in the list of members until the room is deleted.",
			storeComeAndGoRace,
		},
		{
			"members",
			"Members come in the order of their IDs' bytes, after the cursor and no more than limit, and more says truthfully whether to go on: " +
				"paging shows everyone exactly once. The slice is the caller's.",
			storeMembers,
		},
		{
			"names",
			"No room or user has anything to do with another, however alike their names are. Keys that run together let one room's ban, or cap, hold in another.",
			storeNames,
		},
		{
			"expel",
			"Expel notes of the user's connections in the room, and of no others, that they are to leave, until they are dismissed or admitted again. " +
				"It is how a node that did not hear of a kick finds out.",
			storeExpel,
		},
		{
			"expel by delete",
			"Delete notes the same of everyone who is in. Otherwise they go on hearing each other in a room that is no more.",
			storeExpelByDelete,
		},
		{
			"inspect",
			"Inspect has the record of every room and the sanctions of every seat that is asked about, in that order, and changes nothing.",
			storeInspect,
		},
		{
			"inspect seats",
			"Inspect says of every seat whose it is, and of those who are not in that it is nobody's. It is how a node finds out that the store has lost what it was told.",
			storeInspectSeats,
		},
		{
			"beat",
			"Beat gives a node a lease and renews it, says whether the node was known, whether others have lapsed and when the next will, and brings back one that nobody has begun to reap. " +
				"A node that was away for a moment would otherwise lose all who are there.",
			storeBeat,
		},
		{
			"reap",
			"Reap removes the seats of nodes whose lease has lapsed, no more than limit at a time, as if by Dismiss, and nobody else's. What a dead node leaves behind fills rooms for ever.",
			storeReap,
		},
		{
			"reap who",
			"Who has no lease may not reap, and is told so. It is to find out first that it is taken for dead itself.",
			storeReapWho,
		},
		{
			"move",
			"A connection that another node admits is that one's from then on, with the same checks, and is not counted twice. It is how a node that was taken for dead keeps its connections.",
			storeMove,
		},
		{
			"heir",
			"A dead node is reaped by one node at a time, and by another when that one has died too. Otherwise the same users are reported gone twice, or never.",
			storeHeir,
		},
		{
			"reap race",
			"However many nodes reap at once, each seat is removed by one of them.",
			storeReapRace,
		},
		{
			"late race",
			"An Admit for a node that is being reaped is refused, or what it admitted is reaped with the rest. What slips in later is a ghost that nobody removes.",
			storeLateRace,
		},
		{
			"seats",
			"Seats has every seat of the node once in a walk, and none of another's, in pages of no more than limit, and says truthfully whether there are more. " +
				"It is how a node finds the places that nobody holds; what it leaves out fills rooms for ever.",
			storeSeats,
		},
		{
			"context",
			"A call whose context is done returns, with what it did or with an error that is none of the answers: an outage must not be mistaken for a room that does not exist.",
			storeContext,
		},
		{
			"random",
			"Any sequence of calls has the outcome that the contract says.",
			storeRandom,
		},
	}
}
