package wire

// serverFrames has every frame and every reply, with all that is optional and
// without.
func serverFrames() []serverFrame {
	const at = 1_760_000_000_123
	const epoch = "k3J9sXq2"
	ok := func(r Result) *Reply { return &Reply{Ref: 7, Data: r} }
	settings := Settings{
		Room: "team:7", Permission: "restricted", Owner: "ada", Roles: []string{"staff", "admin"},
		Invited: []string{"bo", "cy"}, ShowInvited: true, MaxMembers: 12, Version: 3, CreatedAt: at,
	}
	return []serverFrame{
		{"welcome", "the first frame of a connection", &Welcome{
			Connection: "c-7Q2m", Session: "s-9xKd", User: "ada", Name: "Ada Lovelace", At: at, ExpiresAt: at + 3_600_000,
			HeartbeatMS: 25_000, Limits: []Limit{
				{"text_chars", 1_000},
				{"frame_bytes", 1 << 20},
				{"messages_per_second", 50},
			},
		}},
		{"welcome-plain", "of a session without a name or an end", &Welcome{
			Connection: "c-7Q2m", Session: "s-9xKd", User: "ada", At: at, HeartbeatMS: 25_000,
		}},

		{"message", "in a room that keeps history", &Message{
			Room: "lobby", Event: "chat", Data: []byte(`{"text":"Good morning"}`), From: "ada", At: at,
			Offset: 42, Epoch: epoch, ID: "01JB5Z3M9V",
		}},
		{"message-ephemeral", "one that was not stored has no place in the log", &Message{
			Room: "lobby", Event: "typing", Data: []byte("true"), From: "ada", At: at,
		}},
		{"message-host", "from the host itself there is no from", &Message{
			Room: "lobby", Event: "notice", Data: []byte(`"Maintenance at ten"`), At: at, Offset: 43, Epoch: epoch,
		}},
		{"message-direct", "from the host to this user alone there is no room", &Message{
			Event: "notice", Data: []byte(`"Your export is ready"`), At: at,
		}},
		{"message-html", "nothing in a frame can end a script element or a line of JavaScript", &Message{
			Room: "lobby", Event: "chat", Data: []byte(`{"<b>":"</script> & \u003c \\ ` + "\u2028\u2029\u2027é😀" + `"}`),
			From: "a<b>&\"\\\n\t\x01\u2028\u2029\u202aé😀", At: at,
		}},
		{"message-binary", "a binary message with the payload 00 01 FE FF", &Message{
			Room: "lobby", Event: "file", Data: []byte("\x00\x01\xFE\xFF"), Binary: true, From: "ada", At: at,
			Offset: 44, Epoch: epoch, ID: "01JB5Z3M9W",
		}},
		{"message-binary-ephemeral", "a binary message that was not stored, with an empty payload", &Message{
			Room: "lobby", Event: "message", Data: []byte{}, Binary: true, From: "ada", At: at,
		}},
		{"message_edited", "a message says something else now", &Edited{
			Room: "lobby", Target: 42, Data: []byte(`{"text":"Good evening"}`), From: "ada", At: at, Offset: 45, Epoch: epoch,
		}},
		{"message_redacted", "a message says nothing any more", &Redacted{
			Room: "lobby", Target: 42, From: "mod", At: at, Offset: 46, Epoch: epoch,
		}},

		{"user_joined", "a user came in", &Joined{Room: "lobby", User: "ada", Name: "Ada Lovelace", At: at}},
		{"user_joined-plain", "a user without a name", &Joined{Room: "lobby", User: "ada", At: at}},
		{"user_left", "a user is gone", &Left{Room: "lobby", User: "ada", Name: "Ada Lovelace", Reason: "timeout", At: at}},
		{"user_left-plain", "a user without a name, for no given reason", &Left{Room: "lobby", User: "ada", At: at}},
		{"presence_update", "in one room", &PresenceUpdate{
			Room: "lobby", User: "ada", Status: "away", Meta: []byte(`{"typing":false}`), At: at,
		}},
		{"presence_update-global", "everywhere", &PresenceUpdate{User: "ada", Status: "offline", At: at}},
		{"room_updated", "the room's settings, for who may change the list of the invited", &RoomUpdated{Settings: settings}},
		{"room_updated-member", "for everyone else", &RoomUpdated{Settings: Settings{
			Room: "team:7", Permission: "private", Owner: "ada", MaxMembers: 12, Version: 4, CreatedAt: at,
		}}},
		{"room_deleted", "the room is gone", &RoomDeleted{Room: "team:7"}},
		{"removed", "you are no longer a member", &Removed{Room: "team:7", Code: "banned", Reason: "spam"}},
		{"removed-plain", "for no given reason", &Removed{Room: "team:7", Code: "forbidden"}},
		{"expiring", "renew with auth", &Expiring{InMS: 60_000}},
		{"goaway", "reconnect after this delay", &Goaway{ReconnectInMS: 1_234}},
		{"error", "a refusal with no ref to answer", &Failure{&Error{
			Code: "invalid_json", Message: "the message is not a JSON object",
		}}},
		{"error-id", "one whose cause is in the server's log", &Failure{&Error{
			Code: "internal", Message: "something went wrong", ID: "e-5Tq1",
		}}},

		{"reply-error", "a refusal", &Reply{Ref: 7, Error: &Error{Code: "room_full", Message: "the room is full"}}},
		{"reply-error-retry", "a refusal that ends", &Reply{Ref: 7, Error: &Error{
			Code: "rate_limited", Message: "too many messages", RetryAfterMS: 250, ID: "e-5Tq2",
		}}},
		{"reply-empty", "a success without data", &Reply{Ref: MaxInteger}},
		{"reply-auth", "to auth", ok(&AuthResult{User: "ada", ExpiresAt: at})},
		{"reply-auth-forever", "to auth with a token that does not expire", ok(&AuthResult{User: "ada"})},
		{"reply-join", "to join, with a further page of members and what was missed", ok(&JoinResult{
			Room: "lobby", Permission: "public",
			Members: []Member{
				{User: "ada", Name: "Ada Lovelace", Status: "online", Meta: []byte(`{"typing":true}`), Since: at, Connections: 2},
				{User: "bo", Status: "away", Since: at + 1, Connections: 1},
			},
			Next: "Ym8", Epoch: epoch, Offset: 46, Recovered: true,
			Messages: []Message{
				{Room: "lobby", Event: "chat", Data: []byte(`"Good morning"`), From: "ada", At: at, Offset: 42, Epoch: epoch, ID: "01JB5Z3M9V"},
				{Room: "lobby", Event: "chat", Redacted: true, From: "bo", At: at, Offset: 43, Epoch: epoch},
				{Room: "lobby", Event: "file", Data: []byte("\x00\x01\xFE\xFF"), Binary: true, From: "ada", At: at, Offset: 44, Epoch: epoch},
				{Room: "lobby", Target: 40, Data: []byte(`"Good evening"`), From: "ada", At: at, Offset: 45, Epoch: epoch},
				{Room: "lobby", Target: 41, Redacted: true, From: "mod", At: at, Offset: 46, Epoch: epoch},
			},
		})},
		{"reply-join-plain", "to join, where no history is kept", ok(&JoinResult{
			Room: "fast", Permission: "public", Members: []Member{{User: "ada", Status: "online", Since: at, Connections: 1}},
		})},
		{"reply-leave", "to leave and delete", ok(&RoomResult{Room: "lobby"})},
		{"reply-message", "to message: it is stored", ok(&PublishResult{Offset: 42, Epoch: epoch, At: at})},
		{"reply-message-duplicate", "to message: it was stored before", ok(&PublishResult{Offset: 42, Epoch: epoch, At: at, Duplicate: true})},
		{"reply-message-ephemeral", "to message: it was not to be stored", ok(&PublishResult{At: at})},
		{"reply-edit", "to edit and redact", ok(&ChangeResult{Offset: 45, At: at})},
		{"reply-presence", "to presence", ok(&StatusResult{Status: "away"})},
		{"reply-members", "to members, with a page to follow", ok(&MembersResult{
			Members: []Member{{User: "ada", Name: "Ada Lovelace", Status: "online", Since: at, Connections: 1}}, Next: "YWRh",
		})},
		{"reply-members-last", "to members, the last page", ok(&MembersResult{})},
		{"reply-history", "to history", ok(&HistoryResult{
			Messages: []Message{
				{Room: "lobby", Event: "chat", Data: []byte(`"Good morning"`), From: "ada", At: at, Offset: 42, Epoch: epoch},
				{Room: "lobby", Event: "notice", Data: []byte(`[]`), At: at, Offset: 43, Epoch: epoch},
			},
			Epoch: epoch, More: true,
		})},
		{"reply-history-empty", "to history that is empty", ok(&HistoryResult{Epoch: epoch})},
		{"reply-settings", "to create, update and settings, for who may change the list of the invited", ok(&settings)},
		{"reply-settings-member", "to settings, for everyone else, in the host's own room", ok(&Settings{
			Room: "lobby", Permission: "public", MaxMembers: 1_000, Version: 1,
		})},
		{"reply-moderation", "to invite, uninvite, kick, ban, unban, mute and unmute", ok(&RoomUserResult{Room: "team:7", User: "bo"})},
		{"reply-call", "to call: what the handler returned", ok(Raw(`{"votes":[1,2],"html":"<b>"}`))},
		{"reply-call-null", "to call: the handler returned nothing", ok(Raw(nil))},
		{"reply-ping", "to ping", ok(&PingResult{At: at})},
	}
}
