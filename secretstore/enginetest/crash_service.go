// The service under the engine, as Crash and Model use it: other processes, a person at the
// console, and clocks.

package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

// Service describes the service under the engine for [Crash] and [Model]. The zero value
// is for a service that is never stale and has no clock.
type Service struct {
	// Prefix is the prefix of all secrets of the engine; empty means "tokenstore/".
	Prefix string
	// Handle returns the same secrets as another process would have them, sharing
	// nothing but the service. Nil means that a driver has no memory, so that all
	// processes can use one.
	Handle func(driver.Secrets) (driver.Secrets, error)
	// Edit writes a secret behind the driver's back, as a person does in the service's
	// console. For data that the service does not accept, it returns an error that
	// matches errors.ErrUnsupported. If it is nil, edits go through the driver.
	Edit func(ctx context.Context, secrets driver.Secrets, name string, data []byte) error
	// PutBack puts older data back by the service's own means, so that the driver reports
	// it as restored: any data that the secret once held, also after it was deleted. If
	// it is nil, [Model] puts nothing back.
	PutBack func(ctx context.Context, secrets driver.Secrets, older driver.Secret) error
	// Now is the service's clock. The engine's clock follows it, sometimes days ahead. If
	// it is nil, the engine has a clock of its own, which only its pauses advance.
	Now func() time.Time
	// Sleep waits, or advances the service's clock. If it is nil, nothing waits.
	Sleep func(context.Context, time.Duration) error
	// Settle is how long a read may return an old state. The suite sleeps that long before
	// another process reads.
	Settle time.Duration
}

// defaultPrefix is the engine's default.
const defaultPrefix = "tokenstore/"

// later is how far the suite advances its clock to be past any grace period.
const later = 48 * time.Hour

// site is one service in use, and the clock of its engines.
type site struct {
	service Service
	engine  NewEngine
	secrets driver.Secrets

	mu    sync.Mutex
	ahead time.Duration
	ids   int
}

func newSite(t testing.TB, newSecrets func(testing.TB) driver.Secrets, engine NewEngine, s Service) *site {
	if s.Prefix == "" {
		s.Prefix = defaultPrefix
	}
	return &site{service: s, engine: engine, secrets: newSecrets(t)}
}

func (s *site) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.service.Now != nil {
		return s.service.Now().Add(s.ahead)
	}
	return startTime.Add(s.ahead)
}

// advance advances the engines' clock, but not the service's.
func (s *site) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

func (s *site) sleep(ctx context.Context, d time.Duration) error {
	if s.service.Sleep != nil {
		return s.service.Sleep(ctx, d)
	}
	if s.service.Now == nil {
		s.advance(d)
	}
	return ctx.Err()
}

// settle waits until reads return the current state.
func (s *site) settle(ctx context.Context) error {
	if s.service.Settle == 0 {
		return nil
	}
	return s.sleep(ctx, s.service.Settle)
}

// handle returns the secrets as a new process would have them.
func (s *site) handle() (driver.Secrets, error) {
	if s.service.Handle == nil {
		return s.secrets, nil
	}
	return s.service.Handle(s.secrets)
}

// process returns the engine of a new process, which remembers nothing. Its driver is
// wrapped with wrap, if that is not nil.
func (s *site) process(wrap func(driver.Secrets) driver.Secrets, more ...secretstore.Option) (*secretstore.Store, error) {
	secrets, err := s.handle()
	if err != nil {
		return nil, err
	}
	if wrap != nil {
		secrets = wrap(secrets)
	}
	options := []secretstore.Option{
		secretstore.WithPrefix(s.service.Prefix), secretstore.WithClock(s.now), secretstore.WithSleep(s.sleep),
		secretstore.WithRandom(func() float64 { return 0.5 }), secretstore.WithRandomID(s.randomID),
		secretstore.WithScanLimit(0), secretstore.WithParallelism(1), secretstore.WithGrace(24 * time.Hour),
	}
	return s.engine(secrets, append(options, more...)...)
}

func (s *site) randomID() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids++
	return fmt.Sprint(randomMark, s.ids), nil
}

// editToken changes fields of a token's secret as a person does, and leaves the others
// alone. An empty value removes the field.
func (s *site) editToken(ctx context.Context, id string, fields map[string]string) error {
	name := s.service.Prefix + "tokens/" + id
	secrets, err := s.handle()
	if err != nil {
		return err
	}
	secret, err := secrets.Get(ctx, name)
	if err != nil {
		return err
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(secret.Data, &object); err != nil {
		return errNotObject
	}
	for field, text := range fields {
		delete(object, field)
		if text != "" {
			object[field], _ = json.Marshal(text)
		}
	}
	data, err := json.Marshal(object)
	if err != nil {
		return err
	}
	if s.service.Edit != nil {
		return s.service.Edit(ctx, secrets, name, data)
	}
	_, err = secrets.Put(ctx, driver.Secret{Name: name, Data: data, Revision: secret.Revision})
	return err
}

// overwriteSecret replaces the whole data of a token's secret as a person does, or creates
// the secret.
func (s *site) overwriteSecret(ctx context.Context, id string, data []byte) error {
	name := s.service.Prefix + "tokens/" + secretID(id)
	secrets, err := s.handle()
	if err != nil {
		return err
	}
	secret, err := secrets.Get(ctx, name)
	switch {
	case errors.Is(err, driver.ErrNotFound): // A person creates it as a driver does.
	case err != nil:
		return err
	case s.service.Edit != nil:
		return s.service.Edit(ctx, secrets, name, data)
	}
	_, err = secrets.Put(ctx, driver.Secret{Name: name, Data: data, Revision: secret.Revision})
	return err
}

var errNotObject = errors.New("a token's secret is not a JSON object")

// readField returns a field of a token's secret, empty if there is none.
func (s *site) readField(ctx context.Context, id, field string) (string, error) {
	secrets, err := s.handle()
	if err != nil {
		return "", err
	}
	secret, err := secrets.Get(ctx, s.service.Prefix+"tokens/"+id)
	if err != nil {
		return "", err
	}
	var object map[string]any
	if err := json.Unmarshal(secret.Data, &object); err != nil {
		return "", errNotObject
	}
	text, _ := object[field].(string)
	return text, nil
}

// secretID returns an ID as escaped in the name of a token's secret.
func secretID(id string) string {
	var b strings.Builder
	for i := range len(id) {
		if c := id[i]; 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}

// loseIndex removes every secret of the index.
func (s *site) loseIndex(ctx context.Context) error {
	secrets, err := s.handle()
	if err != nil {
		return err
	}
	var names []string
	for name, err := range secrets.List(ctx, s.service.Prefix+"index/") {
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	for _, name := range names {
		secret, err := secrets.Get(ctx, name)
		if err == nil {
			err = secrets.Delete(ctx, name, secret.Revision)
		}
		if err != nil && !errors.Is(err, driver.ErrNotFound) {
			return err
		}
	}
	return nil
}

// stored returns the tokens by ID, as a new process lists them. At most one of them may
// have a random ID, since all random IDs count as one.
func (s *site) stored(ctx context.Context) (tokens, error) {
	store, err := s.process(nil)
	if err != nil {
		return nil, err
	}
	listed, err := store.GetTokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("the tokens cannot be listed: %w", err)
	}
	byID := tokens{}
	for _, token := range listed {
		noted, err := store.FindNoted(ctx, tokenstore.OAuthToken{ID: token.ID})
		if err != nil {
			return nil, fmt.Errorf("a listed token is not found by its ID: %w", err)
		}
		if strings.HasPrefix(token.ID, randomMark) {
			token.ID = randomMark
		}
		if _, twice := byID[token.ID]; twice {
			return nil, errors.New("two tokens have random IDs")
		}
		byID[token.ID] = tokenstore.Noted{OAuthToken: token, Note: noted.Note}
	}
	return byID, nil
}

// lostKey returns an error unless a new process finds every token by each of its keys,
// through the index alone.
func (s *site) lostKey(ctx context.Context, all tokens) error {
	store, err := s.process(nil)
	if err != nil {
		return err
	}
	for _, noted := range all {
		token := noted.OAuthToken
		for _, k := range tokenstore.KeysOf(token) {
			found, err := store.FindToken(ctx, tokenstore.QueryFor(k))
			if err != nil {
				return fmt.Errorf("a stored token is not found by its %s: %w (%s)", k, err, describeToken(token))
			}
			if !tokenstore.Holds(found, k) {
				return fmt.Errorf("a find by the %s of a stored token returned another one (%s)", k, describeToken(token))
			}
		}
	}
	return nil
}
