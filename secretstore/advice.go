// Service settings that endanger tokens, such as one that makes secrets expire. Only the
// adapter knows them; the engine reports them when all tokens are listed, and in a check.

package secretstore

import (
	"context"
	"errors"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
)

// advice returns the driver's advice about the service's settings.
func (s *Store) advice(ctx context.Context) ([]string, error) {
	advisor, ok := driver.As[driver.Advisor](s.secrets)
	if !ok {
		return nil, nil
	}
	advice, err := advisor.Advice(ctx)
	if errors.Is(err, tokenstore.ErrDenied) {
		return advice, nil
	}
	return advice, err
}

// warnOfSettings logs the driver's advice once. If the settings cannot be read, the calling
// operation does not fail.
func (s *Store) warnOfSettings(ctx context.Context) {
	if s.settingsChecked.Swap(true) {
		return
	}
	advice, err := s.advice(ctx)
	if err != nil {
		return
	}
	for _, warning := range advice {
		s.log.WarnContext(ctx, warning, "store", s.name)
	}
}
