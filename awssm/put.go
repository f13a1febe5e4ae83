// A write stores a version under a candidate label, and moves AWSCURRENT to it. This file
// makes the move a compare-and-swap, and finds out whether a write with a lost reply was
// applied.

package awssm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"example.com/tokenstore/driver"
)

const (
	// looks is how often a lost reply is looked for, with pauses that double:
	// DescribeSecret may be briefly out of date.
	looks    = 5
	lookWait = 100 * time.Millisecond
	// turns is how often create tries to get hold of a name that others keep
	// deleting and creating.
	turns = 12
)

// errGone is the reason of a conflict with a secret that does not exist.
var errGone = errors.New("the secret no longer exists")

// Put creates the secret, or replaces its current version.
func (s *secrets) Put(ctx context.Context, secret driver.Secret) (string, error) {
	encoded, full, err := encodeName(secret.Name)
	if err != nil {
		return "", err
	}
	if err := driver.CheckData(secret.Data, maxSize); err != nil {
		return "", err
	}
	value, err := encode(secret.Data)
	if err != nil {
		return "", err
	}
	release, err := s.acquire(ctx, encoded)
	if err != nil {
		return "", err
	}
	defer release()
	if s.outdated(encoded, secret.Revision) {
		return "", fmt.Errorf("%w: revision already superseded by this process; read again and retry", driver.ErrConflict)
	}
	started := s.set.now()
	var revision string
	if secret.Revision == "" || secret.Revision == noCurrent {
		// If the current version is missing, create repairs the secret.
		revision, err = s.create(ctx, target{encoded, full, value})
	} else {
		revision, err = s.replace(ctx, encoded, secret.Revision, value)
	}
	if err != nil {
		return "", err
	}
	s.remember(encoded, secret.Revision, revision, started)
	return revision, nil
}

// replace replaces the version base.
func (s *secrets) replace(ctx context.Context, encoded, base string, value []byte) (string, error) {
	s.cleanUp(ctx, encoded)
	id, err := s.exchange(ctx, encoded, base, value)
	if err == nil && s.private {
		s.takeOff(ctx, encoded, id, s.label)
	}
	return id, err
}

// fill makes a candidate current in a secret without a current version. The secret
// exists, so a description without it is out of date.
func (s *secrets) fill(ctx context.Context, c candidate) error {
	wait := lookWait
	for range looks {
		d, f := s.describe(ctx, c.encoded)
		switch {
		case f != nil && !errors.Is(f.kind, driver.ErrNotFound):
			return f.give()
		case d.current == c.id && f == nil:
			return nil
		case d.current != "" || d.deleted:
			return fmt.Errorf("%w: the secret already exists", driver.ErrConflict)
		case d.stages[c.id] != nil:
			return s.promote(ctx, c)
		}
		if err := s.set.sleep(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
	return fmt.Errorf("%w: the secret already exists", driver.ErrConflict)
}

// promote moves AWSCURRENT from the candidate's base to it. The service refuses if base
// is no longer current. An unknown outcome is looked up.
func (s *secrets) promote(ctx context.Context, c candidate) error {
	in := &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: aws.String(c.encoded), VersionStage: aws.String(current), MoveToVersionId: aws.String(c.id),
	}
	if c.base != "" {
		in.RemoveFromVersionId = aws.String(c.base)
	}
	wait, lost, move := lookWait, false, true
	var last *fault
	for range looks {
		if move {
			_, f := call(ctx, "UpdateSecretVersionStage", s.api.UpdateSecretVersionStage, in)
			if f == nil {
				return nil
			}
			last, lost = f, lost || f.lost
			if !lost {
				if err, ok := s.refusal(ctx, c.encoded, f); ok {
					return err
				}
			}
		}
		switch s.outcome(ctx, c, lost) {
		case moved:
			return nil
		case refused:
			return last.as(driver.ErrConflict)
		case untouched:
			// Moving again is safe: it succeeds only from base.
			move = true
		case unknown:
			move = false
		}
		if err := s.set.sleep(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
	return last.as(driver.ErrUnavailable)
}

// refusal returns the error for a move that was certainly not applied. It is false if the
// service does not see a version yet.
func (s *secrets) refusal(ctx context.Context, encoded string, f *fault) (error, bool) {
	switch {
	case f.isParameter(), f.isRequest() && s.scheduled(ctx, encoded, f):
		return f.as(driver.ErrConflict), true
	case errors.Is(f.kind, driver.ErrNotFound):
		return nil, false
	}
	return f.give(), true
}

// result is the result of a move that did not succeed at once.
type result int

const (
	unknown   result = iota
	moved            // it was applied
	untouched        // base still seems to be current
	refused          // another version replaced base
	compare          // the ages of the versions decide: see between
)

// sight is what a description shows of a move from base to a candidate.
type sight int

const (
	nothing   sight = iota // the secret could not be described
	ours                   // the candidate is current, or was until the latest move
	gone                   // the secret is gone or scheduled for deletion
	before                 // base is current, and the candidate exists
	tooEarly               // base is current, and the candidate is missing
	displaced              // another version replaced base itself
	another                // another version is current
)

// outcomes decides the result of a move from what is seen afterwards: in column lost if a
// reply was lost and the move may have been applied, in column certain if it was refused.
//
// AWSPREVIOUS goes to the version from which AWSCURRENT is taken, so it shows one step
// after the move. A deleted secret says nothing if the move may have been applied first.
// A description without the candidate, which is stored, is out of date.
var outcomes = [...]struct{ lost, certain result }{
	nothing:   {lost: unknown, certain: unknown},
	ours:      {lost: moved, certain: moved},
	gone:      {lost: unknown, certain: refused},
	before:    {lost: untouched, certain: untouched},
	tooEarly:  {lost: unknown, certain: unknown},
	displaced: {lost: refused, certain: refused},
	another:   {lost: compare, certain: refused},
}

// see returns what a description shows of the move to a candidate.
func (c candidate) see(d description, f *fault) sight {
	switch {
	case f != nil && errors.Is(f.kind, driver.ErrNotFound):
		return gone
	case f != nil:
		return nothing
	case d.current == c.id, d.previous == c.id:
		return ours
	case d.deleted:
		return gone
	case d.current == c.base && d.stages[c.id] != nil:
		return before
	case d.current == c.base:
		return tooEarly
	case d.previous == c.base && c.base != "":
		return displaced
	}
	return another
}

// outcome looks up the result of a move.
func (s *secrets) outcome(ctx context.Context, c candidate, lost bool) result {
	d, f := s.describe(ctx, c.encoded)
	o := outcomes[c.see(d, f)]
	if !lost {
		return o.certain
	}
	if o.lost != compare {
		return o.lost
	}
	if s.between(ctx, c) {
		return refused
	}
	return unknown
}

// between reports whether the current version was stored after base and before the
// candidate: then the candidate was never current, since a writer that replaced it would
// have stored its version later. A version older than base says nothing: the read is out
// of date, or somebody has put an old version back.
func (s *secrets) between(ctx context.Context, c candidate) bool {
	now, f := s.read(ctx, c.encoded)
	if f != nil || now.id == c.id {
		return false
	}
	ours, f := s.readVersion(ctx, c.encoded, c.id)
	if f != nil || !now.created.Before(ours.created) {
		return false
	}
	if c.base == "" {
		return true
	}
	old, f := s.readVersion(ctx, c.encoded, c.base)
	return f == nil && old.created.Before(now.created)
}

// target is a secret to be created.
type target struct {
	encoded string // its name
	full    string // the encoded name, if encoded holds a hash of it
	value   []byte // in the stored form
}

// Format writes the name and none of the data.
func (t target) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "target "+t.encoded) }

// create creates the secret, or uses a name again that is scheduled for deletion or has
// no version.
func (s *secrets) create(ctx context.Context, t target) (string, error) {
	id := newVersion()
	var last *fault
	lost := false // One of the calls may have been applied.
	for turn := range turns {
		out, f := call(ctx, "CreateSecret", s.api.CreateSecret, s.newSecret(t, id))
		if f == nil {
			return aws.ToString(out.VersionId), nil
		}
		f.lost = f.lost || lost
		last, lost = f, f.lost
		var revision string
		var err error
		var again bool
		switch {
		case f.isRequest():
			revision, again, err = s.takeBack(ctx, t, f)
		case errors.Is(f.kind, driver.ErrConflict), f.lost:
			revision, again, err = s.occupied(ctx, t, id, f)
		default:
			return "", f.container()
		}
		if !again {
			return revision, err
		}
		if err := s.set.sleep(ctx, min(lookWait<<turn, 5*time.Second)); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("%w, but no read shows the secret, after %d attempts; retry later, and if that does not help, delete the secret in the service",
		last.as(driver.ErrUnavailable), turns)
}

// newSecret returns the request for a new secret.
func (s *secrets) newSecret(t target, id string) *secretsmanager.CreateSecretInput {
	in := &secretsmanager.CreateSecretInput{
		Name: aws.String(t.encoded), ClientRequestToken: aws.String(id), SecretString: aws.String(string(t.value)),
	}
	if s.set.kmsKey != "" {
		in.KmsKeyId = aws.String(s.set.kmsKey)
	}
	if s.set.description != "" {
		in.Description = aws.String(s.set.description)
	}
	if t.full != "" {
		in.Description = aws.String(nameLabel + t.full)
	}
	for k, v := range s.set.tags {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	slices.SortFunc(in.Tags, func(a, b types.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return in
}
