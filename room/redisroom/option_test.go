package redisroom

import (
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redisx"
)

func TestOptions(t *testing.T) {
	cfg := options(nil)
	if cfg.timeout != redisx.DefaultTimeout || cfg.log == nil || cfg.keys != redisx.NewKeys("") {
		t.Errorf("the defaults are %+v", cfg)
	}
	cfg = options([]Option{WithPrefix("x:"), WithTimeout(time.Second), WithReplicas(2)})
	if cfg.timeout != time.Second || cfg.replicas != 2 || cfg.keys.Key("r", "a") != "x:{r:a}" {
		t.Errorf("the options are %+v", cfg)
	}
	for name, option := range map[string]func() Option{
		"a timeout of nothing":  func() Option { return WithTimeout(0) },
		"a logger that is none": func() Option { return WithLogger(nil) },
		"replicas below zero":   func() Option { return WithReplicas(-1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: it is taken", name)
				}
			}()
			option()
		}()
	}
}
