// Command centrifuge is github.com/centrifugal/centrifuge with its memory
// engine and its JSON protocol: clients connect, subscribe and publish with
// commands. Nobody is authenticated; presence, history and recovery are off.
package main

import (
	"context"
	"flag"
	"net/http"
	"time"

	"github.com/centrifugal/centrifuge"

	"github.com/wardroom/wardroom/internal/bench/peers/serve"
)

func main() {
	delay := flag.Duration("delay", 0, "the opt-in write delay")
	serve.Main(func(o serve.Options) (http.Handler, error) {
		node, err := centrifuge.New(centrifuge.Config{LogLevel: centrifuge.LogLevelError, LogHandler: func(centrifuge.LogEntry) {}, ClientQueueMaxSize: 64 << 20})
		if err != nil {
			return nil, err
		}
		node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
			return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: "u"}, WriteDelay: *delay}, nil
		})
		node.OnConnect(func(c *centrifuge.Client) {
			c.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
				done(centrifuge.SubscribeReply{}, nil)
			})
			c.OnPublish(func(_ centrifuge.PublishEvent, done centrifuge.PublishCallback) {
				done(centrifuge.PublishReply{}, nil)
			})
		})
		if err := node.Run(); err != nil {
			return nil, err
		}
		config := centrifuge.WebsocketConfig{
			CheckOrigin: func(*http.Request) bool { return true }, UseWriteBufferPool: true, WriteTimeout: 10 * time.Second,
		}
		if o.Deflate {
			config.Compression, config.CompressionMinSize, config.CompressionPreparedMessageCacheSize = true, 1024, 16<<20
		}
		return centrifuge.NewWebsocketHandler(node, config), nil
	})
}
