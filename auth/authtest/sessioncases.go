package authtest

// sessionCases returns the suite.
func sessionCases() []testCase[*sessions] {
	return append([]testCase[*sessions]{
		{
			"new IDs",
			"The server mints the ID, with 128 random bits. An ID that a client chose, or can guess, could be put on " +
				"somebody else before they sign in (session fixation).",
			newIDs,
		},
		{
			"what was stored comes back",
			"Frames are authorised from the session. A field that is lost takes rights away or, as with an empty list " +
				"of capabilities that comes back as none, gives all.",
			roundTrip,
		},
		{
			"what is not there",
			"Connections end in races. Ending twice is no fault, and a session that is not there must not look alive.",
			notThere,
		},
		{
			"expires",
			"A session of a connection whose node has died must not stay for ever.",
			expires,
		},
		{
			"activity puts off the expiry",
			"The TTL slides: a connection that is in use keeps its session.",
			slides,
		},
		{
			"not beyond the identity",
			"Activity must not keep a session beyond the credential that it comes from.",
			notBeyondIdentity,
		},
		{
			"touch says what has ended",
			"A node that missed the announcement of a revocation hears of it here. It closes connections by it, so a " +
				"session that is merely unknown must not pass for revoked, and a living one for neither.",
			touchSays,
		},
		{
			"activity comes late",
			"Activity is sent in batches by nodes whose clocks differ. What comes late must not take back what is known, " +
				"and a clock that is ahead must not keep a session for longer.",
			touchLate,
		},
		{
			"touch and rooms",
			"A batch that says nothing about rooms leaves them, and one that says there are none clears them.",
			touchRooms,
		},
		{
			"renew",
			"A fresh token takes the place of the old one without a new connection.",
			renew,
		},
		{
			"renew refuses",
			"A renewal must not be the way past the checks of Create, or onto another user's session.",
			renewRefuses,
		},
		{
			"release",
			"A session ends with its connection, after a short grace.",
			release,
		},
		{
			"release is final",
			"A batch of activity that was on its way when the connection went must not bring the session back for a day.",
			releaseFinal,
		},
		{
			"delete",
			"A session that is deleted is gone at once, and no other one is.",
			deletes,
		},
		{
			"list",
			"Users are shown where they are signed in, and revoke what they do not know.",
			lists,
		},
		{
			"users do not mix",
			"IDs of users may contain separators. One that begins like another must not see or revoke its sessions.",
			usersDoNotMix,
		},
		{
			"create refuses",
			"A session is not begun for a credential that is over, or for nobody.",
			createRefuses,
		},
		{
			"copies",
			"Who holds a slice that the store has too can change a session without the store's knowing.",
			copies,
		},
		{
			"many at once",
			"Every node calls the store at any time.",
			manyAtOnce,
		},
	}, revocationCases()...)
}
