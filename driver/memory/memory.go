// Package memory keeps secrets in the memory of the process. It is for tests, for
// trying things out, and for programs whose tokens need not outlive them.
//
// One [Secrets] is one service. All users of it see the same secrets, so several
// engines on one Secrets act like several processes. Nothing is ever stale, and
// calls fail only for the reasons that package driver names; package drivertest
// wraps it to make it stale, slow or faulty.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"example.com/tokenstore/driver"
)

// Secrets is a store of secrets in memory. It implements driver.Secrets and
// driver.Limited; [Secrets.Batched] adds driver.BatchGetter. It is safe for
// concurrent use.
type Secrets struct {
	limits driver.Limits

	mu     sync.RWMutex
	stored map[string]secret
	writes int64 // counts the writes of all names, so that no revision is used twice
}

type secret struct {
	data     []byte // never changed, and returned to every caller
	revision string
	before   []byte // what the write before has stored, for Restore; nil: nothing
	restored bool
}

// Option changes what [New] returns.
type Option func(*Secrets)

// WithLimits sets the limits that the store reports. Data larger than
// limits.MaxSize is rejected with driver.ErrTooLarge; the writes per day are not
// counted.
func WithLimits(limits driver.Limits) Option {
	return func(s *Secrets) { s.limits = limits }
}

// New returns an empty store without limits.
func New(options ...Option) *Secrets {
	s := &Secrets{stored: map[string]secret{}}
	for _, option := range options {
		option(s)
	}
	return s
}

// Limits returns the limits set by WithLimits.
func (s *Secrets) Limits() driver.Limits { return s.limits }

// Get implements driver.Secrets.
func (s *Secrets) Get(ctx context.Context, name string) (driver.Secret, error) {
	if err := check(ctx, name); err != nil {
		return driver.Secret{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	found, ok := s.stored[name]
	if !ok {
		return driver.Secret{}, driver.ErrNotFound
	}
	return found.as(name), nil
}

// Put implements driver.Secrets.
func (s *Secrets) Put(ctx context.Context, put driver.Secret) (string, error) {
	if err := check(ctx, put.Name); err != nil {
		return "", err
	}
	if err := driver.CheckData(put.Data, s.limits.MaxSize); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if current := s.stored[put.Name].revision; current != put.Revision {
		return "", conflict(put.Revision, current)
	}
	return s.write(put.Name, put.Data), nil
}

// Delete implements driver.Secrets.
func (s *Secrets) Delete(ctx context.Context, name, revision string) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.stored[name]
	if !ok {
		return nil
	}
	if found.revision != revision {
		return conflict(revision, found.revision)
	}
	delete(s.stored, name)
	return nil
}

// List implements driver.Secrets. It yields the names sorted, as they were at one
// moment.
func (s *Secrets) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, name := range s.names(prefix) {
			if err := ctx.Err(); err != nil {
				yield("", err)
				return
			}
			if !yield(name, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield("", err)
		}
	}
}

func (s *Secrets) names(prefix string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var names []string
	for name := range s.stored {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Edit writes data as a person does in a service's console: unconditionally, JSON or
// not. It returns the new revision.
func (s *Secrets) Edit(name string, data []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(name, data)
}

// Restore restores the data before a secret's last write, as a person does who restores
// a version in a service's console; driver.Secret.Restored is set until the next write.
// It reports whether there was anything to restore.
func (s *Secrets) Restore(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.stored[name].before
	if before == nil {
		return false
	}
	s.write(name, before)
	back := s.stored[name]
	back.restored = true
	s.stored[name] = back
	return true
}

// Remove removes a secret as a person does in a service's console. It reports whether
// the secret existed.
func (s *Secrets) Remove(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.stored[name]
	delete(s.stored, name)
	return ok
}

// Len returns the number of secrets.
func (s *Secrets) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.stored)
}

// Clone returns an independent store with the same secrets, revisions and limits.
func (s *Secrets) Clone() *Secrets {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &Secrets{limits: s.limits, stored: maps.Clone(s.stored), writes: s.writes}
}

// write stores data under the next revision. The caller holds the lock.
func (s *Secrets) write(name string, data []byte) string {
	s.writes++
	revision := strconv.FormatInt(s.writes, 10)
	s.stored[name] = secret{data: slices.Clip(bytes.Clone(data)), revision: revision, before: s.stored[name].data}
	return revision
}

func (x secret) as(name string) driver.Secret {
	return driver.Secret{Name: name, Data: x.data, Revision: x.revision, Restored: x.restored}
}

func check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return driver.CheckName(name)
}

func conflict(expected, current string) error {
	switch {
	case expected == "":
		return fmt.Errorf("%w: the secret already exists", driver.ErrConflict)
	case current == "":
		return fmt.Errorf("%w: the secret does not exist any more", driver.ErrConflict)
	}
	return fmt.Errorf("%w: the secret has changed since it was read", driver.ErrConflict)
}
