package redissession

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/auth"
)

const (
	stepActivities = 100  // of one user in one script, so that none holds up the server for long
	pipelineSteps  = 1000 // in one round trip, so that the calls of others get their turn
)

// Touch implements [auth.SessionStore]. It makes one call for each user, and all of them go out together: one round trip
// for a thousand users. In a Cluster the nodes are asked at the same time. [WithTimeout] is for each round trip.
func (s *Sessions) Touch(ctx context.Context, batch []auth.Activity) ([]auth.Ended, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var ended []auth.Ended
	var calls []touchCall
	open := make(map[string]int) // the call that takes more of a user, by tag
	for _, a := range batch {
		tag, ok := tagOf(a.ID)
		if !ok {
			ended = append(ended, auth.Ended{ID: a.ID, Err: auth.ErrSessionNotFound})
			continue
		}
		i, ok := open[tag]
		if !ok || len(calls[i].activities) == stepActivities {
			i = len(calls)
			open[tag] = i
			calls = append(calls, touchCall{tag: tag})
		}
		calls[i].activities = append(calls[i].activities, a)
	}
	for part := range slices.Chunk(calls, pipelineSteps) {
		var err error
		if ended, err = s.touchAll(ctx, part, ended); err != nil {
			return ended, err
		}
	}
	return ended, nil
}

// touchCall is what one script is asked for.
type touchCall struct {
	tag        string
	activities []auth.Activity
}

func (s *Sessions) touchAll(ctx context.Context, calls []touchCall, ended []auth.Ended) ([]auth.Ended, error) {
	steps := make([]step, len(calls))
	for i, c := range calls {
		args := append(make([]string, 0, 1+3*len(c.activities)), microsOf(s.ttl))
		for _, a := range c.activities {
			args = append(args, a.ID, micros(a.At), roomsText(a.Rooms))
		}
		steps[i] = step{script: s.touch, keys: s.userKeys(c.tag), args: args}
	}
	var failed error
	for i, r := range pipeline(ctx, s.client, &s.config, steps) {
		var err error
		if ended, err = endedOf(calls[i].activities, r, ended); err != nil {
			failed = err
		}
	}
	return ended, failed
}

// endedOf adds those that a script says have ended.
func endedOf(activities []auth.Activity, r rueidis.RedisResult, ended []auth.Ended) ([]auth.Ended, error) {
	words, err := r.ToArray()
	switch {
	case err != nil:
		return ended, unavailable(err)
	case len(words) != len(activities):
		return ended, errAnswer
	}
	for i := range words {
		switch err := outcome(&words[i]); {
		case err == nil:
		case errors.Is(err, auth.ErrRevoked), errors.Is(err, auth.ErrSessionNotFound):
			ended = append(ended, auth.Ended{ID: activities[i].ID, Err: err})
		default:
			return ended, err
		}
	}
	return ended, nil
}

// roomsText is the rooms as JSON, or none where they stay as they are.
func roomsText(rooms []string) string {
	if rooms == nil {
		return none
	}
	text, _ := json.Marshal(rooms) // strings can always be written
	return string(text)
}
