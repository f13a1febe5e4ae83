package gcpsm_test

import (
	"testing"

	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/gcpsm/gcpsmtest"
	"example.com/tokenstore/internal/adaptertest"
)

// worlds makes services of one kind for adaptertest.
func worlds(config gcpsmtest.Config) func(testing.TB, *drivertest.Clock) adaptertest.World {
	return func(t testing.TB, clock *drivertest.Clock) adaptertest.World {
		return newWorldOn(t, config, clock).asWorld()
	}
}

func TestCrashSuite(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	s := adaptertest.Suite(worlds(gcpsmtest.Real()), gcpsmtest.Real().Stale)
	s.CrashOptions.Every = adaptertest.Long(41, 1)
	s.Crash(t)
}

func TestModelSuite(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]gcpsmtest.Config{"real": gcpsmtest.Real(), "unpleasant": gcpsmtest.Unpleasant()} {
		t.Run(name, func(t *testing.T) {
			s := adaptertest.Suite(worlds(config), config.Stale)
			s.ModelOptions.Operations = adaptertest.Long(250, 10000)
			s.Model(t)
		})
	}
}
