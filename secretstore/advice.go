// Settings of the service that endanger the tokens, such as one that lets secrets
// expire. Only the adapter knows them; the engine shows them where all tokens are
// listed, and in a check.

package secretstore

import (
	"context"
	"errors"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
)

// unseenSettings is the warning if the role may not read the service's settings.
const unseenSettings = "the settings of the service could not be checked: this role may not read them"

// advice returns what the driver says about the service's settings.
func (s *Store) advice(ctx context.Context) ([]string, error) {
	advisor, ok := driver.As[driver.Advisor](s.secrets)
	if !ok {
		return nil, nil
	}
	advice, err := advisor.Advice(ctx)
	if errors.Is(err, tokenstore.ErrDenied) {
		return append(advice, unseenSettings), nil
	}
	return advice, err
}

// warnOfSettings logs the service's advice, once. What cannot be read is no fault of
// the call that asks.
func (s *Store) warnOfSettings(ctx context.Context) {
	if s.settingsChecked.Swap(true) {
		return
	}
	advice, err := s.advice(ctx)
	if err != nil {
		return
	}
	for _, warning := range advice {
		if warning != unseenSettings {
			s.log.WarnContext(ctx, warning, "store", s.name)
		}
	}
}
