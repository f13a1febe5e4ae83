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

// reindexChunk is how many tokens a repair handles at a time: what they have in
// common in the index is read and written once.
const reindexChunk = 500

// ReindexOptions are the options of a Reindex. The zero value repairs all and
// reports no progress.
type ReindexOptions struct {
	// DryRun finds what is to be done and does none of it.
	DryRun bool
	// Fanout, if not zero, spreads a document index over that many documents, at
	// most index.MaxFanout. Another form of index has no fan-out, and refuses it.
	Fanout int
	// ChangePepper has tokens indexed that were stored under another pepper, or
	// without one. Otherwise they are left alone, since programs that have their
	// pepper would then no longer find them by most of their keys.
	ChangePepper bool
	// Progress, if set, is called as tokens have been looked at.
	Progress func(done, total int)
}

// Report says what a Reindex did, or what it would do if it is a dry run or
// comes from Check. It holds no credential.
type Report struct {
	// Tokens is the number of tokens, Tombstones that of deleted ones that are
	// remembered, and Foreign that of secrets that are not the store's.
	Tokens, Tombstones, Foreign int
	// Unreadable are the IDs of the store's secrets that hold no usable token, and
	// are left alone: damaged ones, which the next save of the token makes whole, and
	// those that may not be read. An ID that is neither generated nor a number is
	// redacted.
	Unreadable []string
	// Warnings are what a person should look at. Most begin with the name of a secret:
	// what is wrong with an unreadable one, an expiry that cannot be understood, white
	// space around a credential. One is of an index of another form beside this one.
	Warnings []string
	// OtherPepper is the number of tokens that were stored under another pepper,
	// or without one. They are left alone, see ChangePepper.
	OtherPepper int
	// KeysAdded is the number of keys that were missing in the index.
	KeysAdded int
	// HintsRemoved is the number of hints in the index without a token, which
	// crashes and console edits leave.
	HintsRemoved int
	// HintsYoung is the number of such hints that are younger than the grace
	// period, and may belong to a save under way. They are left alone.
	HintsYoung int
	// TombstonesSwept is the number of tombstones older than the grace period.
	TombstonesSwept int
	// IndexSwept is the number of secrets that the index itself had left behind.
	IndexSwept int
	// VersionsPruned is the number of versions destroyed that were written over
	// long ago, where the service charges for them. A dry run counts none.
	VersionsPruned int
	// Index describes each secret of the index.
	Index []index.Stat
}

// Check looks at every token and at the index, and reports what Reindex would
// repair and how near the index is to its limits. It only reads.
func (s *Store) Check(ctx context.Context) (Report, error) {
	report, err := s.reindex(ctx, ReindexOptions{DryRun: true})
	return report, s.fail("check", "", err)
}

// Reindex repairs the index while the store is in use: it adds the keys that
// are missing, for example after a person edited a token in the service's
// console or removed the index, marks such a token as seen to, and removes hints
// without a token and tombstones that are older than the grace period. Where the
// service charges for older versions, it destroys those that saves have left. It
// needs permission to list.
//
// Secrets of the index that cannot be understood are left alone, and named in an error
// that matches ErrUnreadable; one without any data is deleted and rebuilt. All else is
// repaired, and the report is of that. After any other error the report is of what was
// done before it.
func (s *Store) Reindex(ctx context.Context, options ReindexOptions) (Report, error) {
	report, err := s.reindex(ctx, options)
	return report, s.fail("reindex", "", err)
}

func (s *Store) reindex(ctx context.Context, options ReindexOptions) (Report, error) {
	r := &repair{s: s, options: options, witness: s.witness(), keys: map[string][]string{}, passed: map[string]bool{}}
	for _, step := range []func(context.Context) error{r.emptied, r.fanOut, r.tokens, r.hints, r.index, r.versions} {
		if err := step(ctx); err != nil {
			if len(r.broken) > 0 { // What has ended the repair says of which kind its error is.
				err = fmt.Errorf("%w (and before: %v)", err, errors.Join(r.broken...)) //nolint:errorlint // As the comment says.
			}
			return r.report, err
		}
	}
	return r.report, errors.Join(r.broken...)
}

type repair struct {
	s       *Store
	options ReindexOptions
	witness *witness
	report  Report
	// keys are the hashes of the keys of each token, by escaped ID.
	keys map[string][]string
	// passed are the escaped IDs of rows that the repair leaves alone: which keys
	// they hold, or under which hashes, is not known, so their hints stay.
	passed map[string]bool
	// indexed are the escaped IDs that have a hint, if the index lists them all.
	indexed map[string]bool
	lists   bool
	// broken are the secrets of the index that cannot be understood, each once.
	broken []error
}

// pass returns an error of the index without what says that a secret of it
// cannot be understood: that is noted.
func (r *repair) pass(err error) error {
	var others []error
	for _, part := range joined(err) {
		known := func(e error) bool { return e.Error() == part.Error() }
		switch {
		case !errors.Is(part, driver.ErrUnreadable):
			others = append(others, part)
		case !slices.ContainsFunc(r.broken, known):
			r.broken = append(r.broken, part)
		}
	}
	return errors.Join(others...)
}

// joined returns what errors.Join has joined, or err alone.
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
		return fmt.Errorf("%w: this index has no fan-out", tokenstore.ErrInvalidArgument)
	}
	if err := index.CheckFanout(r.options.Fanout); err != nil {
		return fmt.Errorf("%w: %w", tokenstore.ErrInvalidArgument, err)
	}
	if r.options.DryRun {
		return nil
	}
	return resharder.Reshard(ctx, r.options.Fanout)
}

// index sweeps what the index left behind, and takes stock of it.
func (r *repair) index(ctx context.Context) error {
	swept, err := r.s.index.Sweep(ctx, r.s.grace, r.options.DryRun)
	r.report.IndexSwept = swept
	if err := r.pass(err); err != nil {
		return err
	}
	if r.report.Index, err = r.s.index.Stats(ctx); err != nil {
		if err := r.pass(err); err != nil {
			return err
		}
	}
	other, err := r.s.hasOtherForm(ctx)
	if other {
		r.report.Warnings = append(r.report.Warnings, otherForm)
	}
	if err != nil {
		return err
	}
	advice, err := r.s.advice(ctx)
	r.report.Warnings = append(r.report.Warnings, advice...)
	return err
}

// versions destroys what saves have left of older versions.
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
	start := s.now()
	n, err := s.pruner.Prune(ctx, name)
	if s.observer != nil {
		s.observer(ctx, Call{Op: "prune", Name: name, Secrets: n, Duration: s.now().Sub(start), Err: err})
	}
	return n, err
}
