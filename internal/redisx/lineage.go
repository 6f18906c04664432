package redisx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// A Lineage tells whether what a client has written may be lost: it knows which
// servers the client writes to, and the replication ID of each, which is another
// when the server was restarted or has been a replica.
type Lineage struct {
	mu    sync.Mutex        // protects known
	known map[string]string // by address, of the primaries of a cluster
}

var errNoPrimary = errors.New("no primary")

// Ask returns a text that is the same as long as no server was restarted, and
// none has taken the place of another. It is one command, in a Cluster one and
// one for each primary, all of them at a time; each is given the timeout. A
// primary of a Cluster that does not answer is taken to be what it was.
func (l *Lineage) Ask(ctx context.Context, c rueidis.Client, timeout time.Duration) (string, error) {
	if c.Mode() != rueidis.ClientModeCluster {
		return replicationID(ctx, c, timeout)
	}
	nodes := c.Nodes()
	addrs, err := primaries(ctx, nodes, timeout)
	if err != nil {
		return "", err
	}
	ids := make([]string, len(addrs))
	var asking sync.WaitGroup
	for i, addr := range addrs {
		node := nodes[addr]
		if node == nil {
			continue // the client has not met it yet
		}
		asking.Go(func() { ids[i], _ = replicationID(ctx, node, timeout) })
	}
	asking.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	known := make(map[string]string, len(addrs))
	for i, addr := range addrs {
		if ids[i] == "" {
			ids[i] = l.known[addr]
		}
		known[addr] = ids[i]
		ids[i] = addr + " " + ids[i]
	}
	l.known = known
	return strings.Join(ids, "\n"), nil
}

// replicationID asks a server. One that is no primary has none of its own.
func replicationID(ctx context.Context, c rueidis.Client, timeout time.Duration) (string, error) {
	ctx, cancel := Deadline(ctx, timeout)
	defer cancel()
	text, err := Do(ctx, c, c.B().Info().Section("replication").Build()).ToString()
	if err != nil {
		return "", err
	}
	id := ""
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case name == "role" && value != "master":
			return "", errNoPrimary
		case name == "master_replid":
			id = value
		}
	}
	if id == "" {
		return "", fmt.Errorf("%w in INFO", errNoPrimary)
	}
	return id, nil
}

// primaries asks the servers of a cluster, until one knows, who has slots.
func primaries(ctx context.Context, nodes map[string]rueidis.Client, timeout time.Duration) ([]string, error) {
	err := errNoPrimary
	for addr, node := range nodes {
		if ctx.Err() != nil {
			break
		}
		var addrs []string
		if addrs, err = primariesOf(ctx, addr, node, timeout); err == nil {
			return addrs, nil
		}
	}
	return nil, err
}

func primariesOf(ctx context.Context, addr string, c rueidis.Client, timeout time.Duration) ([]string, error) {
	ctx, cancel := Deadline(ctx, timeout)
	defer cancel()
	spans, err := Do(ctx, c, c.B().ClusterSlots().Build()).ToArray()
	if err != nil {
		return nil, err
	}
	var addrs []string
	for i := range spans {
		span, err := spans[i].ToArray()
		if err != nil || len(span) < 3 {
			return nil, errNoPrimary
		}
		primary, err := span[2].ToArray()
		if err != nil || len(primary) < 2 {
			return nil, errNoPrimary
		}
		port, err := primary[1].AsInt64()
		if err != nil {
			return nil, err
		}
		host, _ := primary[0].ToString() // nil: the one that was asked
		if host == "" {
			host, _, _ = net.SplitHostPort(addr)
		}
		addrs = append(addrs, net.JoinHostPort(host, strconv.FormatInt(port, 10)))
	}
	if len(addrs) == 0 {
		return nil, errNoPrimary
	}
	slices.Sort(addrs)
	return slices.Compact(addrs), nil
}
