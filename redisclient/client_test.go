package redisclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/redisclient"
)

// What rueidis puts off for some seconds it does not wait for when it is closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

const patience = 30 * time.Second

func set(c rueidis.Client, cmd rueidis.Completed) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return c.Do(ctx, cmd).Error()
}

// until tries until something succeeds.
func until(t *testing.T, try func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func TestNotUpYet(t *testing.T) {
	s := redistest.Start(t)
	s.Kill()
	c, err := redisclient.Open(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := t.Context()
	// All fail, and say why, and at once.
	begin := time.Now()
	for name, call := range map[string]func() error{
		"Do":      func() error { return c.Do(ctx, c.B().Get().Key("k").Build()).Error() },
		"DoMulti": func() error { return c.DoMulti(ctx, c.B().Get().Key("k").Build())[0].Error() },
		"DoCache": func() error { return c.DoCache(ctx, c.B().Get().Key("k").Cache(), time.Minute).Error() },
		"DoMultiCache": func() error {
			return c.DoMultiCache(ctx, rueidis.CT(c.B().Get().Key("k").Cache(), time.Minute))[0].Error()
		},
		"Receive": func() error {
			return c.Receive(ctx, c.B().Subscribe().Channel("x").Build(), func(rueidis.PubSubMessage) {})
		},
		"Dedicated": func() error {
			return c.Dedicated(func(d rueidis.DedicatedClient) error { return d.Do(ctx, d.B().Get().Key("k").Build()).Error() })
		},
		"Dedicate": func() error {
			d, release := c.Dedicate()
			defer release()
			return d.Do(ctx, d.B().Get().Key("k").Build()).Error()
		},
		"DoStream": func() error { s := c.DoStream(ctx, c.B().Get().Key("k").Build()); return s.Error() },
		"DoMultiStream": func() error {
			s := c.DoMultiStream(ctx, c.B().Get().Key("k").Build())
			return s.Error()
		},
		"script": func() error { return rueidis.NewLuaScript("return 1").Exec(ctx, c, []string{"k"}, nil).Error() },
	} {
		if err := call(); !errors.Is(err, redisclient.ErrNotConnected) || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v, want ErrNotConnected because the connection is refused", name, err)
		}
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("that took %v", d)
	}
	if c.Connected() || c.Mode() != rueidis.ClientModeStandalone {
		t.Error("it is connected to nothing")
	}
	// A command that was made before is none the worse for it.
	old := c.B().Set().Key("k").Value("v").Build()
	s.Restart()
	until(t, func() error { return set(c, c.B().Set().Key("k").Value("w").Build()) })
	if err := set(c, old); err != nil {
		t.Errorf("an old command: %v", err)
	}
	if got := s.Do("GET", "k"); got != "v" {
		t.Errorf("k is %q", got)
	}
	// Later failures are those of rueidis.
	s.Kill()
	if err := set(c, c.B().Set().Key("k").Value("x").Build()); err == nil {
		t.Error("a server that is dead answers")
	}
	s.Restart()
	until(t, func() error { return set(c, c.B().Set().Key("k").Value("y").Build()) })
	if len(c.Nodes()) != 1 || !c.Connected() {
		t.Errorf("nodes %v", c.Nodes())
	}
}

func TestUp(t *testing.T) {
	redistest.Each(t, func(t *testing.T, client rueidis.Client) {
		var addresses []string
		for a := range client.Nodes() {
			addresses = append(addresses, a)
		}
		c, err := redisclient.New(rueidis.ClientOption{InitAddress: addresses[:1], DisableCache: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := set(c, c.B().Set().Key("k").Value("v").Build()); err != nil {
			t.Error(err)
		}
		if client.Mode() == rueidis.ClientModeCluster && c.Mode() != client.Mode() {
			t.Errorf("mode %v", c.Mode())
		}
	})
}

// A command that was made when nobody knew that Redis is a Cluster is for none.
func TestClusterNotUpYet(t *testing.T) {
	cluster := redistest.StartCluster(t)
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seed := l.Addr().String()
	_ = l.Close()
	c, err := redisclient.Open("redis://" + seed)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	made := make([]rueidis.Completed, 3)
	for i := range made {
		made[i] = c.B().Set().Key("key").Value("v").Build()
	}
	cached := c.B().Get().Key("key").Cache()
	// The way to the first server of the cluster opens.
	if l, err = listen.Listen(t.Context(), "tcp", seed); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer c.Close() // and with it what is forwarded
	defer func() { _ = l.Close() }()
	wg.Go(func() { forward(&wg, l, cluster.Addrs()[0]) })
	until(t, func() error { return set(c, c.B().Set().Key("key").Value("w").Build()) })
	if c.Mode() != rueidis.ClientModeCluster {
		t.Errorf("mode %v", c.Mode())
	}
	ctx := t.Context()
	for name, err := range map[string]error{
		"Do": set(c, made[0]), "DoMulti": c.DoMulti(ctx, made[1])[0].Error(), "DoCache": c.DoCache(ctx, cached, time.Minute).Error(),
		"DoMultiCache": c.DoMultiCache(ctx, rueidis.CT(cached, time.Minute))[0].Error(),
		"Receive":      c.Receive(ctx, made[2], func(rueidis.PubSubMessage) {}),
	} {
		if !errors.Is(err, redisclient.ErrNotConnected) {
			t.Errorf("%s: %v, want ErrNotConnected", name, err)
		}
	}
}

// forward passes on what comes to l until that is closed.
func forward(wg *sync.WaitGroup, l net.Listener, to string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := new(net.Dialer).DialContext(context.Background(), "tcp", to)
		if err != nil {
			_ = in.Close()
			continue
		}
		for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
			wg.Go(func() {
				_, _ = io.Copy(way[0], way[1])
				_ = way[0].Close()
				_ = way[1].Close()
			})
		}
	}
}

func TestSentinels(t *testing.T) {
	s := redistest.StartSentinel(t)
	c, err := redisclient.Open("redis://" + s.Addrs()[0] + "?master_set=" + redistest.PrimaryName + "&addr=" + s.Addrs()[1])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := set(c, c.B().Set().Key("k").Value("v").Build()); err != nil {
		t.Fatal(err)
	}
	if got := s.Primary().Do("GET", "k"); got != "v" || c.Mode() != rueidis.ClientModeSentinel {
		t.Errorf("k is %q; mode %v", got, c.Mode())
	}
}

func TestCloseBefore(t *testing.T) {
	s := redistest.Start(t)
	s.Kill()
	c, err := redisclient.Open(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	c.Close()
	s.Restart()
	if err := set(c, c.B().Set().Key("k").Value("v").Build()); err == nil {
		t.Error("a closed client connects")
	}
}

func TestHopeless(t *testing.T) {
	s := redistest.Start(t)
	s.Do("CONFIG", "SET", "requirepass", "secret")
	url := s.URL()
	with := func(userinfo string) string { return strings.Replace(url, "redis://", "redis://"+userinfo, 1) }
	for _, url := range []string{"", "http://x", "redis://u:hunter2@h:x:y/%", url, with(":wrong@")} {
		c, err := redisclient.Open(url)
		if err == nil {
			c.Close()
			t.Errorf("%q can be opened", url)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	c, err := redisclient.Open(with(":secret@"))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if c, err := redisclient.New(rueidis.ClientOption{InitAddress: []string{s.Addr()}, ReplicaOnly: true, SendToReplicas: func(rueidis.Completed) bool { return true }}); err == nil {
		c.Close()
		t.Error("options that contradict each other are taken")
	}
}
