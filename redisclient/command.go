package redisclient

import (
	"context"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

// The methods of rueidis.Client, each passed on to the client of now.

// fit returns the client for a command: one of before the connection is for no
// cluster.
func (c *Client) fit(early bool) rueidis.Client {
	now := c.now()
	if early && now.Mode() == rueidis.ClientModeCluster {
		return c.absent
	}
	return now
}

func early(cmd rueidis.Completed) bool { return cmd.Slot()&noSlot != 0 }

// B implements rueidis.Client.
func (c *Client) B() rueidis.Builder { return c.now().B() }

// Do implements rueidis.Client.
func (c *Client) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	return c.fit(early(cmd)).Do(ctx, cmd)
}

// DoMulti implements rueidis.Client.
func (c *Client) DoMulti(ctx context.Context, multi ...rueidis.Completed) []rueidis.RedisResult {
	return c.fit(slices.ContainsFunc(multi, early)).DoMulti(ctx, multi...)
}

// Receive implements rueidis.Client.
func (c *Client) Receive(ctx context.Context, subscribe rueidis.Completed, fn func(rueidis.PubSubMessage)) error {
	return c.fit(early(subscribe)).Receive(ctx, subscribe, fn)
}

// DoCache implements rueidis.Client.
func (c *Client) DoCache(ctx context.Context, cmd rueidis.Cacheable, ttl time.Duration) rueidis.RedisResult {
	return c.fit(cmd.Slot()&noSlot != 0).DoCache(ctx, cmd, ttl)
}

// DoMultiCache implements rueidis.Client.
func (c *Client) DoMultiCache(ctx context.Context, multi ...rueidis.CacheableTTL) []rueidis.RedisResult {
	isEarly := func(m rueidis.CacheableTTL) bool { return m.Cmd.Slot()&noSlot != 0 }
	return c.fit(slices.ContainsFunc(multi, isEarly)).DoMultiCache(ctx, multi...)
}

// DoStream implements rueidis.Client.
func (c *Client) DoStream(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResultStream {
	return c.fit(early(cmd)).DoStream(ctx, cmd)
}

// DoMultiStream implements rueidis.Client.
func (c *Client) DoMultiStream(ctx context.Context, multi ...rueidis.Completed) rueidis.MultiRedisResultStream {
	return c.fit(slices.ContainsFunc(multi, early)).DoMultiStream(ctx, multi...)
}

// Dedicated implements rueidis.Client.
func (c *Client) Dedicated(fn func(rueidis.DedicatedClient) error) error {
	return c.now().Dedicated(fn)
}

// Dedicate implements rueidis.Client.
func (c *Client) Dedicate() (rueidis.DedicatedClient, func()) { return c.now().Dedicate() }

// Nodes implements rueidis.Client.
func (c *Client) Nodes() map[string]rueidis.Client { return c.now().Nodes() }

// Mode implements rueidis.Client. Before there is a connection it says that
// Redis is standalone.
func (c *Client) Mode() rueidis.ClientMode { return c.now().Mode() }
