package redispresence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redisx"
	"github.com/wardroom/wardroom/presence"
)

// mostClaims is how often one Update claims its scope. Twice is needed when a
// survivor has cleared the node away meanwhile; more often is a clock that
// jumps.
const mostClaims = 3

var errOld = fmt.Errorf("%w: the node has made a later batch", ErrUnavailable)

// Update implements [presence.Store]. It is one command; two, where the node
// writes entries and builds upon nothing, or builds upon what it has there
// without a change. Clearing a node away is one more, and another where that was
// of another process.
func (s *Store) Update(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return presence.Outcome{}, fmt.Errorf("redispresence: update: %w", err)
	}
	c := s.claims.take(b.Node, b.Scope)
	out, holds, err := s.update(ctx, c, &b)
	known := err == nil || errors.Is(err, presence.ErrLost)
	if s.claims.give(c, known, holds || err != nil && known && s.claims.token(c) != "") {
		_ = s.release(ctx, s.claims.release(mostSpare))
	}
	return out, err
}

func (s *Store) update(ctx context.Context, c *claim, b *presence.Batch) (out presence.Outcome, holds bool, err error) {
	token := s.claims.token(c)
	// A node that builds upon nothing may have claimed the scope in a Redis that
	// has lost its data since. One that builds upon something without a change
	// wants to know whether everything is there, and the claim is part of it.
	if writes(b) && (token == "" || b.Prev == 0) || len(b.Changes) == 0 && b.Prev != 0 {
		if token, err = s.claim(ctx, c, "0"); err != nil {
			return out, false, err
		}
	}
	tokens, err := s.tokensOf(ctx, b)
	if err != nil {
		return out, false, err
	}
	for range mostClaims {
		word, reply, err := s.ask(ctx, s.scripts.update, s.scopeKeys(b.Scope), s.batchArgs(b, token, tokens)...)
		switch {
		case err != nil:
			return out, false, err
		case word == "lost":
			return out, false, presence.ErrLost
		case word == "old":
			return out, false, errOld
		case word == "claim":
			barred, err := stringOf(reply, 0)
			if err != nil {
				return out, false, err
			}
			if token, err = s.claim(ctx, c, barred); err != nil {
				return out, false, err
			}
		default:
			out, holds, cleared, err := outcomeOf(reply)
			if err != nil {
				return out, false, err
			}
			// Behind the changes, so that the scope is not lost in between.
			var places []string
			for i := 0; i+1 < len(cleared); i += 2 {
				s.claims.cleared(cleared[i], b.Scope, cleared[i+1])
				places = append(places, place(cleared[i], b.Scope), cleared[i+1])
			}
			return out, holds, s.release(ctx, places)
		}
	}
	return out, false, fmt.Errorf("%w: claims are refused", ErrUnavailable)
}

// writes reports whether a batch may leave entries of its node behind.
func writes(b *presence.Batch) bool {
	return slices.ContainsFunc(b.Changes, func(ch presence.Change) bool {
		return ch.Action == presence.Put || ch.Action == presence.Amend
	})
}

// tokensOf returns the tokens with which the nodes that are to be removed have
// claimed the scope, in the order of the changes, "0" for none. Redis is asked
// for those of other processes.
func (s *Store) tokensOf(ctx context.Context, b *presence.Batch) ([]string, error) {
	var tokens, places []string
	for i := range b.Changes {
		if b.Changes[i].Action != presence.RemoveNode {
			continue
		}
		name := b.Changes[i].Entry.Node
		token := s.claims.held(name, b.Scope)
		if token == "" {
			places = append(places, place(name, b.Scope))
		}
		tokens = append(tokens, token)
	}
	if places == nil {
		return tokens, nil
	}
	ctx, cancel := redisx.Deadline(ctx, s.timeout)
	defer cancel()
	reply, err := redisx.Do(ctx, s.client, s.client.B().Hmget().Key(s.nodeKeys.tokens).Field(places...).Build()).ToArray()
	if err != nil {
		return nil, unavailable(err)
	}
	if len(reply) != len(places) {
		return nil, errAnswer
	}
	for i := range tokens {
		if tokens[i] != "" {
			continue
		}
		if tokens[i], err = reply[0].ToString(); err != nil {
			tokens[i] = "0"
		}
		reply = reply[1:]
	}
	return tokens, nil
}

// batchArgs are the arguments of update.lua.
func (s *Store) batchArgs(b *presence.Batch, token string, tokens []string) []string {
	if token == "" {
		token = "0"
	}
	whose := ""
	if b.Scope.Room == "" {
		whose = b.Scope.User
	}
	bare := "0"
	if b.Bare {
		bare = "1"
	}
	args := make([]string, 0, 10+5*len(b.Changes))
	args = append(args, b.Node, strconv.FormatUint(b.Op, 10), strconv.FormatUint(b.Prev, 10), strconv.FormatInt(b.At.UnixMilli(), 10),
		whose, token, microsOf(tokenGood), microsOf(answerKept), strconv.FormatInt(s.seenKept.Milliseconds(), 10), bare)
	for i := range b.Changes {
		ch := &b.Changes[i]
		e := &ch.Entry
		switch ch.Action {
		case presence.Put:
			args = append(args, "put", e.User, e.Connection, visible(e.Status), pack(e))
		case presence.Amend:
			args = append(args, "amend", e.User, e.Connection, visible(e.Status), pack(e))
		case presence.Remove:
			args = append(args, "remove", e.User, e.Connection, "", "")
		case presence.RemoveUser:
			args = append(args, "user", e.User, "", "", "")
		case presence.RemoveNode:
			t := tokens[0]
			tokens = tokens[1:]
			if e.Node == b.Node {
				t = "0" // it keeps its claim: the same batch may write again
			}
			args = append(args, "node", e.Node, strconv.Itoa(max(ch.Limit, 1)), t, "")
		}
	}
	return args
}

// outcomeOf reads the answer to a batch: what came of it, whether the node has
// entries now, and which nodes' claims are to be released.
func outcomeOf(reply []rueidis.RedisMessage) (out presence.Outcome, holds bool, cleared []string, err error) {
	n, err := numbers(reply, 2)
	if err != nil || len(reply) != 3 {
		return out, false, nil, errAnswer
	}
	answer, err := reply[2].ToArray()
	if err != nil || len(answer) != 4 {
		return out, false, nil, errAnswer
	}
	revisionAndMore, err := numbers(answer, 2)
	if err != nil {
		return out, false, nil, err
	}
	if cleared, err = answer[2].AsStrSlice(); err != nil {
		return out, false, nil, errAnswer
	}
	list, err := answer[3].ToArray()
	if err != nil {
		return out, false, nil, errAnswer
	}
	out.Users, out.Revision, out.More = int(n[0]), uint64(revisionAndMore[0]), revisionAndMore[1] == 1
	for i := 0; i+2 < len(list); i += 3 {
		t, err := transitionOf(list[i : i+3])
		if err != nil {
			return out, false, nil, err
		}
		out.Transitions = append(out.Transitions, t)
	}
	slices.SortFunc(out.Transitions, func(a, b presence.Transition) int { return strings.Compare(a.User, b.User) })
	return out, n[1] == 1, cleared, nil
}

// transitionOf reads a user with the entries before and after.
func transitionOf(list []rueidis.RedisMessage) (t presence.Transition, err error) {
	if t.User, err = stringOf(list, 0); err != nil {
		return t, err
	}
	if t.Before, err = entriesOf(t.User, &list[1]); err != nil {
		return t, err
	}
	t.After, err = entriesOf(t.User, &list[2])
	return t, err
}

func stringOf(reply []rueidis.RedisMessage, i int) (string, error) {
	if i >= len(reply) {
		return "", errAnswer
	}
	text, err := reply[i].ToString()
	if err != nil {
		return "", errAnswer
	}
	return text, nil
}
