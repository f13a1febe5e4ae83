// Reindex and Check: the repair of what crashes, lost indexes and manual edits leave behind.

package secretstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
)

// ReindexOptions are the options of Reindex. The zero value repairs everything, without
// reporting progress.
type ReindexOptions struct {
	// DryRun only reports what Reindex would do.
	DryRun bool
	// Fanout, if not zero, changes the number of documents of a document index, to at most
	// index.MaxFanout. The index grows by itself, but gets smaller only this way. For an index
	// of entries it is an error.
	Fanout int
	// Rotating makes a document index leave out the refresh tokens of tokens with a user, for
	// all programs; see [WithRotating]. It cannot be undone: a program that stalled would
	// leave a refresh token out of an index that must have it. For an index of entries it is
	// an error.
	Rotating bool
	// ChangePepper also indexes tokens that were stored under another pepper or without
	// one. By default they are left alone, since programs with the old pepper would no
	// longer find them by most of their keys.
	ChangePepper bool
	// Progress, if set, is called after tokens have been checked.
	Progress func(done, total int)
}

// Report describes what Reindex did or, for a dry run or Check, would do. It holds no
// credentials.
type Report struct {
	// Tokens is the number of tokens, Tombstones that of deleted tokens that are still
	// remembered, and Foreign that of secrets that are not the store's.
	Tokens, Tombstones, Foreign int
	// Unreadable are the IDs of the store's secrets without a usable token. They are left
	// alone: damaged ones, which the next save of the token repairs, and those that the
	// role may not read. IDs that are neither generated nor numbers are redacted.
	Unreadable []string
	// Warnings need a person's attention. Most begin with the name of a secret, and say
	// why it is unreadable, that its expiry cannot be parsed, or that there is white space
	// around a credential. Others are about an index of the other form, or the service's
	// settings.
	Warnings []string
	// Findings are the warnings one by one, with how to put each right. What the numbers of
	// a report mean is in those of [Store.Diagnose].
	Findings []tokenstore.Finding
	// OtherPepper is the number of tokens that were stored under another pepper or without
	// one, and are left alone; see ChangePepper.
	OtherPepper int
	// KeysAdded is the number of keys that were missing from the index.
	KeysAdded int
	// HintsRemoved is the number of hints without a token, as crashes and console edits
	// leave them.
	HintsRemoved int
	// HintsYoung is the number of such hints that are younger than the grace period. They
	// are left alone, since they may belong to a save in progress.
	HintsYoung int
	// TombstonesSwept is the number of tombstones older than the grace period.
	TombstonesSwept int
	// IndexSwept is the number of secrets that the index itself has left behind.
	IndexSwept int
	// VersionsPruned is the number of destroyed versions that had been overwritten long ago,
	// on services that charge for them. A dry run does not count them.
	VersionsPruned int
	// Index describes each secret of the index.
	Index []index.Stat
}

// Check reads every token and the index, and reports what Reindex would repair and how
// close the index is to its limits. It only reads.
func (s *Store) Check(ctx context.Context) (Report, error) {
	report, err := s.reindex(ctx, ReindexOptions{DryRun: true})
	return report, s.fail("check", "", err)
}

// Reindex repairs the index while the store is in use. It adds missing keys, for example
// after a person has edited a token in the service's console or removed the index, and
// records that such a token has been re-indexed. It removes hints without a token, and
// tombstones, that are older than the grace period. On services that charge for older
// versions, it destroys those that saves have left. It needs permission to list.
//
// Reindex leaves secrets of the index alone that cannot be parsed, and names them in an
// error that matches ErrUnreadable; one without any data is deleted and rebuilt.
// Everything else is repaired, and included in the report. After any other error the
// report covers what was done before it.
func (s *Store) Reindex(ctx context.Context, options ReindexOptions) (Report, error) {
	report, err := s.reindex(ctx, options)
	return report, s.fail("reindex", "", err)
}

func (s *Store) reindex(ctx context.Context, options ReindexOptions) (Report, error) {
	r := s.newRepair(options)
	err := r.run(bulk(ctx))
	return r.report, err
}

func (s *Store) newRepair(options ReindexOptions) *repair {
	r := &repair{
		s: s, hinting: s.index, options: options, witness: s.witness(),
		keys: map[string][]string{}, passed: map[string]bool{}, users: map[string]string{}, rotations: newRotations(s),
	}
	if keeper, ok := s.index.(index.Keeper); ok {
		r.hinting = keeper.Keep()
	}
	return r
}

// run does the repair, or looks at what it would do.
func (r *repair) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{r.emptied, r.fanOut, r.omit, r.tokens, r.hints, r.index, r.versions} {
		if err := step(ctx); err != nil {
			if len(r.broken) > 0 { // The error that ended the repair decides the kind.
				err = fmt.Errorf("%w (and before: %v)", err, errors.Join(r.broken...)) //nolint:errorlint // As the comment says.
			}
			return err
		}
	}
	return errors.Join(r.broken...)
}

type repair struct {
	s          *Store
	hinting    index.Index // the store's, which reads its secrets once if they are many
	options    ReindexOptions
	witness    *witness
	permission permission
	report     Report
	// keys are the hashes of the keys of each token, by escaped ID.
	keys map[string][]string
	// passed are the escaped IDs of rows that the repair leaves alone: their keys, or the
	// hashes of their keys, are unknown, so their hints stay.
	passed map[string]bool
	// rotating says that the index may lack the refresh tokens of tokens with a user.
	rotating bool
	// rotations are what speaks for leaving them out.
	rotations rotations
	// indexed are the escaped IDs that have a hint, if the index lists them all.
	indexed map[string]bool
	lists   bool
	// users are the escaped IDs of the first token of each user, by the user's hash.
	users map[string]string
	// lacking are the IDs of the tokens with keys that are not in the index.
	lacking []string
	// broken are the errors of the secrets of the index that cannot be parsed, each once.
	broken []error
}

// pass removes from an error of the index the parts that say that a secret of it cannot be
// parsed, and records these in broken.
func (r *repair) pass(err error) error {
	var others []error
	for _, part := range joined(err) {
		known := func(e error) bool { return e.Error() == part.Error() }
		switch {
		case !errors.Is(part, driver.ErrUnreadable):
			others = append(others, part)
		case !slices.ContainsFunc(r.broken, known):
			r.broken = append(r.broken, part)
			r.find(tokenstore.Finding{Code: CodeIndexBroken, Severity: tokenstore.SeverityError, What: part.Error(), Repair: "delete this secret in the service's console, then run {name} reindex {store}", Err: part})
		}
	}
	return errors.Join(others...)
}

// joined returns the errors that errors.Join has joined, or err alone.
func joined(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		parts := many.Unwrap()
		if errors.Join(parts...).Error() == err.Error() {
			return parts
		}
	}
	return []error{err}
}

func (r *repair) fanOut(ctx context.Context) error {
	if r.options.Fanout == 0 {
		return nil
	}
	resharder, ok := r.s.index.(index.Resharder)
	if !ok {
		return fmt.Errorf("%w: an index of entries has no fan-out; leave Fanout at 0", tokenstore.ErrInvalidArgument)
	}
	if err := index.CheckFanout(r.options.Fanout); err != nil {
		return fmt.Errorf("%w: %w", tokenstore.ErrInvalidArgument, err)
	}
	if r.options.DryRun {
		return nil
	}
	return resharder.Reshard(ctx, r.options.Fanout)
}

// omit makes the index leave out refresh tokens if the options say so, and learns whether it
// does.
func (r *repair) omit(ctx context.Context) error {
	if r.options.Rotating {
		if r.s.omitter == nil {
			return fmt.Errorf("%w: an index of entries has every refresh token; leave Rotating off", tokenstore.ErrInvalidArgument)
		}
		if !r.options.DryRun {
			if err := r.s.omitter.Omit(ctx, tokenstore.RefreshKey); err != nil {
				return err
			}
		}
	}
	var err error
	r.rotating, err = r.s.leavesOut(ctx, r.hinting.View(), tokenstore.RefreshKey)
	return r.pass(err)
}

// index removes the leftovers of the index, and collects its statistics.
func (r *repair) index(ctx context.Context) error {
	swept, err := r.hinting.Sweep(ctx, r.s.grace, r.options.DryRun)
	r.report.IndexSwept = swept
	if err := r.pass(err); err != nil {
		return err
	}
	if r.report.Index, err = r.hinting.Stats(ctx); err != nil {
		if err := r.pass(err); err != nil {
			return err
		}
	}
	for _, stat := range r.report.Index {
		if stat.Lacking {
			const what = "an older version was put back, so some tokens are not found by all their keys"
			r.warnOf(tokenstore.Finding{Code: CodeIndexRolledBack, Severity: tokenstore.SeverityWarning, Where: stat.Name, What: what, Repair: reindexCommand, Mends: true}, stat.Name+": "+what+"; run reindex")
		}
	}
	if advice := r.rotations.advice(r.report.Index); advice != "" && !r.rotating {
		r.warnOf(tokenstore.Finding{Code: CodeIndexRotations, Severity: tokenstore.SeverityWarning, What: advice, Repair: reindexCommand + " --rotating"}, advice)
	}
	other, err := r.s.hasOtherForm(ctx)
	if other {
		r.warnOf(tokenstore.Finding{Code: CodeIndexOtherForm, Severity: tokenstore.SeverityWarning, Where: r.s.prefix + indexFolder, What: otherForm, Repair: "give all programs the same form, then delete the secrets of the other form in the service's console"}, otherForm)
	}
	if err != nil {
		return err
	}
	advice, err := r.s.advice(ctx)
	for _, a := range advice {
		r.warnOf(tokenstore.Finding{Code: CodeServiceSetting, Severity: tokenstore.SeverityWarning, What: a, Repair: "change the setting in the service's console"}, a)
	}
	return err
}

// find adds a finding to the report, and warnOf the warning that says the same.
func (r *repair) find(f tokenstore.Finding) { r.report.Findings = append(r.report.Findings, f) }

func (r *repair) warnOf(f tokenstore.Finding, warning string) {
	r.find(f)
	r.report.Warnings = append(r.report.Warnings, warning)
}

// versions destroys the older versions that saves have left.
func (r *repair) versions(ctx context.Context) error {
	if r.s.pruner == nil || r.options.DryRun {
		return nil
	}
	var names []string
	for id := range r.keys {
		names = append(names, r.s.tokens+id)
	}
	for _, stat := range r.report.Index {
		names = append(names, stat.Name)
	}
	var pruned atomic.Int64
	err := r.s.parallel(ctx, len(names), func(ctx context.Context, i int) error {
		n, err := r.s.prune(ctx, names[i])
		pruned.Add(int64(n))
		return err
	})
	r.report.VersionsPruned = int(pruned.Load())
	return err
}

// prune calls the driver's Prune, and reports the call to the observer.
func (s *Store) prune(ctx context.Context, name string) (int, error) {
	var n int
	err := s.secrets.inTurn(ctx, s.secrets.create, func() (err error) {
		start := s.now()
		n, err = s.pruner.Prune(ctx, name)
		if s.observer != nil {
			s.observer(ctx, Call{Op: "prune", Name: name, Secrets: n, Duration: s.now().Sub(start), Err: err})
		}
		return err
	})
	return n, err
}
