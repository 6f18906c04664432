package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// cable is the network between one node and Redis.
type cable struct {
	t     testing.TB
	proxy *toxiproxy.Proxy
}

// lay returns a cable to an address, which ends with the test.
func lay(t testing.TB, to string) *cable {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	c := &cable{t: t, proxy: toxiproxy.NewProxy(server, "redis", "127.0.0.1:0", to)}
	if err := c.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.proxy.Stop)
	return c
}

// addr is the near end.
func (c *cable) addr() string { return c.proxy.Listen }

// spoil adds a toxic in one direction, until it is mended.
func (c *cable) spoil(kind, stream string, toxicity float32, attributes map[string]any) {
	c.t.Helper()
	text, err := json.Marshal(map[string]any{
		"name": kind + stream, "type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.proxy.Toxics.AddToxicJson(bytes.NewReader(text)); err != nil {
		c.t.Error(err)
	}
}

// mend removes all toxics.
func (c *cable) mend() { c.proxy.Toxics.ResetToxics(context.Background()) }

// cut ends all connections, and lets no new ones be made until join.
func (c *cable) cut() { c.proxy.Stop() }

func (c *cable) join() {
	c.t.Helper()
	if err := c.proxy.Start(); err != nil {
		c.t.Error(err)
	}
}
