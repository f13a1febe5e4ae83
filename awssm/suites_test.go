package awssm_test

import (
	"testing"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/internal/adaptertest"
)

// worlds makes services of one kind for adaptertest.
func worlds(config awssmtest.Config) func(testing.TB, *drivertest.Clock) adaptertest.World {
	return func(_ testing.TB, clock *drivertest.Clock) adaptertest.World {
		return newWorldOn(config, clock).asWorld()
	}
}

func TestCrashSuite(t *testing.T) {
	t.Parallel()
	adaptertest.OneAtATime(t)
	s := adaptertest.Suite(worlds(awssmtest.Real()), awssmtest.Real().Stale)
	s.CrashOptions.Every = adaptertest.Long(3, 1)
	s.Crash(t)
}

func TestModelSuite(t *testing.T) {
	t.Parallel()
	unpleasant := awssmtest.Unpleasant()
	// In the model processes see each other's writes at once, and a lost index is rebuilt
	// from a complete list.
	unpleasant.Stale, unpleasant.ListLate = 0, 0
	for name, config := range map[string]awssmtest.Config{"real": awssmtest.Real(), "unpleasant": unpleasant} {
		t.Run(name, func(t *testing.T) {
			config.Versions = 0 // A day's writes take minutes here.
			s := adaptertest.Suite(worlds(config), config.Stale)
			s.ModelOptions.Operations = adaptertest.Long(500, 10000)
			s.Model(t)
		})
	}
}
