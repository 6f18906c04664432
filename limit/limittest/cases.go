package limittest

// A testCase is one situation that a limiter has to get right.
type testCase struct {
	name string
	why  string // shown when it fails
	run  func(*script)
}

// cases returns the suite.
func cases() []testCase {
	return []testCase{
		{
			"burst",
			"A key that has spent nothing gets its whole burst at once and not one event more. " +
				"One less refuses users who keep the rules; one more doubles a limit of one.",
			burst,
		},
		{
			"refill",
			"Events come back one by one, each r.Per/r.Events after the one before. " +
				"A limiter that refills in windows admits twice its rate around the edge of one.",
			refill,
		},
		{
			"rest",
			"However long a key rests, it has saved up its burst and no more. " +
				"Otherwise a patient attacker collects a flood.",
			rest,
		},
		{
			"retry after",
			"RetryAfter is the truth: the same call is refused a moment before it has passed and admitted once it has. " +
				"Clients sleep for that long; too short makes them come back in vain and be closed for abuse, too long makes the service slow.",
			retryAfter,
		},
		{
			"reset after",
			"After ResetAfter, and not before, the whole burst is there again. Response headers are computed from it.",
			resetAfter,
		},
		{
			"refusals are free",
			"A refused call spends nothing. If it did, a client that retries in a loop, or an attacker who can ask in a user's name, would keep that user out for good.",
			refusalsAreFree,
		},
		{
			"all or nothing",
			"n events are admitted together or not at all, and not at all means that none is spent. " +
				"A message that is admitted by half is lost.",
			allOrNothing,
		},
		{
			"more than the burst",
			"More events than the burst can never be admitted, so the answer is a refusal with RetryAfter zero, on a rested key too. " +
				"Any other RetryAfter makes clients retry for ever; an error would be taken for an outage, in which hosts may choose to let everything pass.",
			moreThanBurst,
		},
		{
			"peek",
			"n of zero reports what remains and spends nothing.",
			peek,
		},
		{
			"negative",
			"A negative n is an error and never a refund: a size computed wrongly must not refill a bucket.",
			negative,
		},
		{
			"keys",
			"No key has anything to do with another, whatever bytes are in them. Keys that run together let one user use up another's limit.",
			keys,
		},
		{
			"unlimited",
			"The zero Rate admits everything and leaves no trace on the key.",
			unlimited,
		},
		{
			"rate change",
			"The rate of the call holds, not the one that was first seen: limits change with roles and settings. " +
				"What is owed stays owed as time, so that changing roles is no way to a fresh burst, but never as more than a full burst of the new rate, so that nobody is shut out for an hour by a limit that no longer exists.",
			rateChange,
		},
		{
			"invalid rate",
			"A Rate that is none gives an error, spends nothing and admits nothing. A limit that was computed wrongly must not be no limit.",
			invalidRate,
		},
		{
			"context",
			"A call whose context is done returns, with a decision or with an error that wraps the context's and the zero Decision.",
			contextDone,
		},
		{
			"crowd",
			"What a key owes is remembered while thousands of other keys come and go. " +
				"If not, an attacker with many addresses washes his own debt away.",
			crowd,
		},
		{
			"random",
			"Any sequence of calls over time has exactly the admissions that the oracle has.",
			random,
		},
		{
			"race",
			"Concurrent calls for a key are admitted no more, and no fewer, than one after another. " +
				"A limiter that reads, decides and writes in separate steps admits a multiple of its burst under attack.",
			race,
		},
	}
}
