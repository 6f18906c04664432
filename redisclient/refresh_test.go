package redisclient

import (
	"net"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// What is said holds, and what is not is such that a failover is noticed soon.
func TestDefaults(t *testing.T) {
	opt := withDefaults(rueidis.ClientOption{})
	if opt.Dialer.Timeout != defaultDial || opt.ClusterOption.ShardsRefreshInterval != defaultRefresh {
		t.Errorf("nothing is said: %v, %v", opt.Dialer.Timeout, opt.ClusterOption.ShardsRefreshInterval)
	}
	opt = withDefaults(rueidis.ClientOption{
		Dialer:        net.Dialer{Timeout: time.Minute},
		ClusterOption: rueidis.ClusterOption{ShardsRefreshInterval: time.Hour},
	})
	if opt.Dialer.Timeout != time.Minute || opt.ClusterOption.ShardsRefreshInterval != time.Hour {
		t.Errorf("it is said: %v, %v", opt.Dialer.Timeout, opt.ClusterOption.ShardsRefreshInterval)
	}
}
