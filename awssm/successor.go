// The ID of a candidate is derived from the version that it is to replace. The service
// stores one version under an ID, so of all writers that replace one version only the
// first stores anything; the others are refused before they use up one of the versions
// that a secret may have in a day.
//
// The ID only saves versions. Which write succeeds is decided by the move of AWSCURRENT,
// and by a look at whose data the version holds.

package awssm

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore/driver"
)

// patience is how often a writer looks whether another one, which has stored its version,
// moves AWSCURRENT to it. With pauses that double, that is for about three seconds.
const patience = 6

// errTaken is the reason of a put that was refused because a version has its ID.
var errTaken = errors.New("the version has been replaced, or is about to be")

// successor returns the ID of the version that replaces base. All releases derive the
// same. The ID of a version is new to its secret, as every driver's revisions have to be:
// the service keeps a version for a day at least, and no operation takes that long.
func successor(base string) string {
	sum := sha256.Sum256([]byte("tokenstore successor of " + base))
	return versionID([16]byte(sum[:16]), 8)
}

// newVersion returns a random ID for a new version.
func newVersion() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return versionID(b, 4)
}

// versionID returns a UUID of the given kind.
func versionID(b [16]byte, kind byte) string {
	b[6], b[8] = b[6]&0x0f|kind<<4, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// candidate is a version that is to become current.
type candidate struct {
	encoded string // the secret's name
	base    string // the version that it replaces; empty for the first
	id      string
	value   []byte // in the stored form
}

// Format writes the version's ID and none of its value.
func (c candidate) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "candidate "+c.id) }

// exchange stores a value as a candidate and moves AWSCURRENT from base to it.
//
// If the successor of base is taken, and base stays current all the same, its writer has
// ended in between, or a person has moved AWSCURRENT back to base. Then the candidate gets
// a random ID. That version is left alone: to move AWSCURRENT to it would repeat a write
// that was given up, perhaps long ago. The first version of a secret has a random ID too,
// since the secret may have been deleted and created again.
func (s *secrets) exchange(ctx context.Context, encoded, base string, value []byte) (string, error) {
	if base == "" {
		c := candidate{encoded, base, newVersion(), value}
		return c.id, s.replaceBy(ctx, c)
	}
	c := candidate{encoded, base, successor(base), value}
	err := s.replaceBy(ctx, c)
	if !errors.Is(err, errTaken) {
		return c.id, s.confirm(ctx, c, err)
	}
	if err := s.outlast(ctx, encoded, base, err); err != nil {
		return "", err
	}
	c.id = newVersion()
	return c.id, s.replaceBy(ctx, c)
}

// replaceBy stores a candidate and makes it current. The error matches errTaken if another
// version has its ID.
func (s *secrets) replaceBy(ctx context.Context, c candidate) error {
	first, err := s.propose(ctx, c)
	switch {
	case err != nil || first:
		return err
	case c.base == "":
		return s.fill(ctx, c)
	}
	return s.promote(ctx, c)
}

// propose stores a candidate under the candidate label. It reports whether the
// version became current because it is the secret's first. The error matches errTaken if
// another writer's version has the ID.
//
// A request that the client repeats after a lost reply has the same ID and, with the
// nonce, a value that no other writer has, so the service ignores it.
func (s *secrets) propose(ctx context.Context, c candidate) (first bool, err error) {
	out, f := call(ctx, "PutSecretValue", s.api.PutSecretValue, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(c.encoded), ClientRequestToken: aws.String(c.id),
		SecretString: aws.String(string(c.value)), VersionStages: []string{s.label},
	})
	switch {
	case f == nil:
		return slices.Contains(out.VersionStages, current), nil
	case errors.Is(f.kind, driver.ErrNotFound), f.isRequest() && s.scheduled(ctx, c.encoded, f):
		return false, fmt.Errorf("%w: %w", errGone, f.as(driver.ErrConflict))
	case f.isTaken() && !f.lost:
		return false, fmt.Errorf("%w: %w", errTaken, f.as(driver.ErrConflict))
	case !f.lost && errors.Is(f.kind, driver.ErrQuota):
		return false, fmt.Errorf("%w; this secret has reached AWS's limit of about 100 versions in 24 hours; it can be written again when the oldest of them is 24 hours old; find out what writes it more than four times an hour", f.give())
	case !f.lost:
		return false, f.give()
	}
	// The version is this writer's, another's, or was never stored.
	v, rf := s.readVersion(ctx, c.encoded, c.id)
	switch {
	case rf == nil && bytes.Equal(v.data, c.value):
		return false, nil
	case rf == nil:
		return false, fmt.Errorf("%w: %w", errTaken, f.as(driver.ErrConflict))
	case c.base == "":
		// As the first version it would become current.
		return false, f.unknown(f)
	}
	return false, f.give()
}

// outlast waits for the writer of base's successor to replace base, which makes the
// caller's write a conflict. It returns nil if that does not happen within a few seconds.
func (s *secrets) outlast(ctx context.Context, encoded, base string, taken error) error {
	wait := lookWait
	for look := 1; ; look++ {
		d, f := s.describe(ctx, encoded)
		gone := d.deleted || f != nil && errors.Is(f.kind, driver.ErrNotFound)
		switch {
		case f != nil && !gone:
			return f.give()
		case !gone && (d.replaced(base) || d.current != base && s.isNewer(ctx, encoded, base)):
			return taken
		case look < patience: // A description without base may be out of date.
		case gone:
			return fmt.Errorf("%w: %w", errGone, taken)
		case d.current != base:
			return taken
		default:
			return nil
		}
		if err := s.set.sleep(ctx, wait/2+mathrand.N(wait)); err != nil { // #nosec G404 -- only jitter
			return err
		}
		wait *= 2
	}
}

// replaced reports whether a description shows that a version has been replaced.
func (d description) replaced(base string) bool {
	next := successor(base)
	return d.current != base && (d.previous == base || d.current == next || d.previous == next)
}

// isNewer reports whether the current version was stored after base.
func (s *secrets) isNewer(ctx context.Context, encoded, base string) bool {
	now, f := s.read(ctx, encoded)
	if f != nil {
		return false
	}
	old, f := s.readVersion(ctx, encoded, base)
	return f == nil && old.created.Before(now.created)
}

// confirm returns the result of an exchange, given that of its calls. The service documents
// that a put whose ID is taken fails if the value differs, but not what it answers to puts
// that arrive at the same time. Should it tell several writers that they succeeded, this
// look finds the one whose value the version holds. A look that fails changes nothing.
func (s *secrets) confirm(ctx context.Context, c candidate, result error) error {
	switch {
	case result == nil:
		if v, f := s.readVersion(ctx, c.encoded, c.id); f == nil && !bytes.Equal(v.data, c.value) {
			return fmt.Errorf("%w: another writer has stored the same version", driver.ErrConflict)
		}
	case errors.Is(result, driver.ErrConflict) && !errors.Is(result, errGone):
		if v, f := s.read(ctx, c.encoded); f == nil && v.id == c.id && bytes.Equal(v.data, c.value) {
			return nil
		}
	}
	return result
}
