package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

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
	// without one. Without it that is an error, since programs that still have the
	// former pepper would then find tokens by their users and IDs at most.
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
	// Unreadable are the IDs, redacted, of secrets that cannot be understood.
	// They are left alone.
	Unreadable []string
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
func (s *SecretStore) Check(ctx context.Context) (Report, error) {
	report, err := s.reindex(ctx, ReindexOptions{DryRun: true})
	return report, s.fail("check", "", err)
}

// Reindex repairs the index while the store is in use: it adds the keys that
// are missing, for example after a person edited a token in the service's
// console or removed the index, marks such a token as seen to, and removes hints without a token and
// tombstones that are older than the grace period. Where the service charges
// for older versions, it destroys those that saves have left. It needs
// permission to list. Secrets of the index that cannot be understood are left
// alone, and named in an error that matches ErrUnreadable; what does not rest on
// them is repaired, and reported, all the same.
func (s *SecretStore) Reindex(ctx context.Context, options ReindexOptions) (Report, error) {
	report, err := s.reindex(ctx, options)
	return report, s.fail("reindex", "", err)
}

func (s *SecretStore) reindex(ctx context.Context, options ReindexOptions) (Report, error) {
	r := &repair{s: s, options: options, keys: map[string][]string{}, unreadable: map[string]bool{}}
	for _, step := range []func(context.Context) error{r.fanOut, r.tokens, r.hints, r.index, r.versions} {
		if err := r.pass(step(ctx)); err != nil {
			return r.report, errors.Join(append(r.faults, err)...)
		}
	}
	return r.report, errors.Join(r.faults...)
}

type repair struct {
	s       *SecretStore
	options ReindexOptions
	report  Report
	// keys are the hashes of the keys of each live row, by escaped ID.
	keys map[string][]string
	// unreadable are the escaped IDs of rows that cannot be understood. Which
	// keys they hold is not known, so their hints stay.
	unreadable map[string]bool
	// peppered is whether a token was seen that was stored under this store's
	// pepper, or without one if it has none.
	peppered bool
	// faults are secrets of the index that cannot be understood, each once. The
	// repair goes on with the others.
	faults []error
}

// pass returns err without what says that a secret of the index cannot be
// understood: that is noted.
func (r *repair) pass(err error) error {
	if !errors.Is(err, driver.ErrUnreadable) {
		return err
	}
	parts := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // What errors.Join has made.
		parts = joined.Unwrap()
	}
	var others []error
	for _, part := range parts {
		known := func(e error) bool { return e.Error() == part.Error() }
		switch {
		case !errors.Is(part, driver.ErrUnreadable):
			others = append(others, part)
		case !slices.ContainsFunc(r.faults, known):
			r.faults = append(r.faults, part)
		}
	}
	return errors.Join(others...)
}

func (r *repair) fanOut(ctx context.Context) error {
	if r.options.Fanout == 0 || r.options.DryRun {
		return nil
	}
	resharder, ok := r.s.index.(index.Resharder)
	if !ok {
		return fmt.Errorf("%w: this index has no fan-out", ErrInvalidArgument)
	}
	return resharder.Reshard(ctx, r.options.Fanout)
}

// tokens goes through all secrets of tokens: it claims missing keys and sweeps
// old tombstones.
func (r *repair) tokens(ctx context.Context) error {
	ids, err := r.s.listAll(ctx)
	if err != nil {
		return err
	}
	done := 0
	for chunk := range slices.Chunk(ids, reindexChunk) {
		if err := r.chunk(ctx, chunk); err != nil {
			return err
		}
		done += len(chunk)
		if r.options.Progress != nil {
			r.options.Progress(done, len(ids))
		}
	}
	return nil
}

func (r *repair) chunk(ctx context.Context, ids []string) error {
	rows, err := r.s.readAll(ctx, ids)
	if err != nil {
		return err
	}
	var tokens, tombstones []*row
	for _, row := range rows {
		switch row.state {
		case live:
			tokens = append(tokens, row)
			for _, k := range r.s.keys(row.token) {
				r.keys[row.id] = append(r.keys[row.id], r.s.hash(k))
			}
			r.report.Tokens++
		case tombstone:
			tombstones = append(tombstones, row)
		case foreign:
			r.report.Foreign++
		case unreadable:
			r.report.Unreadable = append(r.report.Unreadable, Redact(row.id))
			r.unreadable[row.id] = true
		}
	}
	if err := r.checkPepper(tokens); err != nil {
		return err
	}
	if err := r.sweep(ctx, tombstones); err != nil {
		return err
	}
	if tokens, err = r.claim(ctx, tokens); err != nil {
		return err
	}
	return r.mark(ctx, slices.DeleteFunc(tokens, func(row *row) bool { return !r.s.edited(row) }))
}

var errPepper = fmt.Errorf("%w: the tokens were stored under another pepper, or without one; give this store theirs, or change it for all programs", ErrInvalidArgument)

// checkPepper returns an error if the pepper is not that under which the tokens
// were stored. One that a person has pasted from another store is no reason.
func (r *repair) checkPepper(tokens []*row) error {
	others := 0
	for _, row := range tokens {
		switch {
		case row.digest == "": // A person's.
		case row.pepperMark() == r.s.pepperMark():
			r.peppered = true
		default:
			others++
		}
	}
	if others == 0 || r.peppered || r.options.ChangePepper {
		return nil
	}
	return errPepper
}

// mark writes tokens that a person has edited, whose keys now stand in the index,
// as their writer would: the keys that the edit has taken away leave the index,
// and if another edit brings them back, the next save has to know.
func (r *repair) mark(ctx context.Context, edited []*row) error {
	if r.options.DryRun {
		return nil
	}
	return r.s.parallel(ctx, len(edited), func(ctx context.Context, i int) error {
		_, err := r.s.write(ctx, r.s.written(edited[i], edited[i].token))
		if errors.Is(err, driver.ErrConflict) {
			return nil // Somebody has saved it, and seen to its keys.
		}
		return err
	})
}

// claim adds those keys of the tokens that have no hint, and returns the tokens
// all of whose keys stand in the index then. A secret of the index that cannot be
// understood hides the tokens that have a key in it, and no others.
func (r *repair) claim(ctx context.Context, tokens []*row) (done []*row, err error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	added, err := r.claimTogether(ctx, tokens...)
	if err == nil {
		r.report.KeysAdded += added
		return tokens, nil
	}
	if !errors.Is(err, driver.ErrUnreadable) || len(tokens) == 1 {
		return nil, r.pass(err)
	}
	counts, faults := make([]int, len(tokens)), make([]error, len(tokens))
	if err := r.s.parallel(ctx, len(tokens), func(ctx context.Context, i int) error {
		counts[i], faults[i] = r.claimTogether(ctx, tokens[i])
		if errors.Is(faults[i], driver.ErrUnreadable) {
			return nil
		}
		return faults[i]
	}); err != nil {
		return nil, err
	}
	for i, row := range tokens {
		_ = r.pass(faults[i]) // What else it may be has ended the loop above.
		r.report.KeysAdded += counts[i]
		if faults[i] == nil {
			done = append(done, row)
		}
	}
	return done, nil
}

// claimTogether adds those keys of the tokens that have no hint, and returns how
// many there were.
func (r *repair) claimTogether(ctx context.Context, tokens ...*row) (int, error) {
	var claims []index.Claim
	for _, row := range tokens {
		claims = append(claims, r.s.claims(r.s.keys(row.token), row)...)
	}
	view := r.s.index.View()
	hashes := make([]string, len(claims))
	for i, c := range claims {
		hashes[i] = c.Hash
	}
	hints, err := view.Lookup(ctx, hashes...)
	if err != nil {
		return 0, err
	}
	var missing []index.Claim
	for i, c := range claims {
		if !slices.ContainsFunc(hints[i], func(h index.Hint) bool { return h.ID == c.ID }) {
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 || r.options.DryRun {
		return len(missing), nil
	}
	_, err = view.Claim(ctx, missing...)
	return len(missing), err
}

// sweep deletes the tombstones that are older than the grace period.
func (r *repair) sweep(ctx context.Context, tombstones []*row) error {
	old := slices.DeleteFunc(tombstones, func(row *row) bool { return r.s.now().Sub(row.deletedAt()) <= r.s.grace })
	r.report.Tombstones += len(tombstones) - len(old)
	r.report.TombstonesSwept += len(old)
	if r.options.DryRun {
		return nil
	}
	return r.s.parallel(ctx, len(old), func(ctx context.Context, i int) error {
		err := r.s.secrets.Delete(ctx, old[i].name, old[i].revision)
		if errors.Is(err, driver.ErrConflict) {
			return nil // The ID is in use again.
		}
		return err
	})
}

// hints goes through the index and releases hints without a token.
func (r *repair) hints(ctx context.Context) error {
	view := r.s.index.View()
	var old []index.Claim
	for entry, err := range r.s.index.All(ctx) {
		if err = r.pass(err); err != nil {
			return err
		}
		for _, hint := range entry.Hints {
			switch {
			case r.hit(entry.Hash, hint.ID):
			case r.s.now().Sub(hint.Claimed) <= r.s.grace:
				r.report.HintsYoung++
			default:
				r.report.HintsRemoved++
				old = append(old, index.Claim{Hash: entry.Hash, ID: hint.ID, Generation: hint.Generation, Claimed: hint.Claimed})
			}
		}
	}
	if r.options.DryRun || len(old) == 0 {
		return nil
	}
	return r.release(ctx, view, old)
}

// hit reports whether the row with this ID held a key of this hash, or may have,
// when the repair read it. An index may have shortened the hash.
func (r *repair) hit(hash, id string) bool {
	return r.unreadable[id] || slices.ContainsFunc(r.keys[id], func(full string) bool { return strings.HasPrefix(full, hash) })
}

// release removes old hints, after another look at their rows: one may have
// come to hold the key since the repair read it. A save that is about to hold it
// has claimed the key again, for what may be the same generation: that hint is no
// longer the old one, and stays.
func (r *repair) release(ctx context.Context, view index.View, old []index.Claim) error {
	var ids []string
	for _, c := range old {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	rows, err := r.s.readAll(ctx, slices.Compact(ids))
	if err != nil {
		return err
	}
	for _, row := range rows {
		r.keys[row.id], r.unreadable[row.id] = nil, row.state == unreadable
		if row.state == live {
			for _, k := range r.s.keys(row.token) {
				r.keys[row.id] = append(r.keys[row.id], r.s.hash(k))
			}
		}
	}
	before := len(old)
	old = slices.DeleteFunc(old, func(c index.Claim) bool { return r.hit(c.Hash, c.ID) })
	r.report.HintsRemoved -= before - len(old)
	return view.Release(ctx, old...)
}

// index sweeps what the index left behind, and takes stock of it.
func (r *repair) index(ctx context.Context) error {
	var err error
	if r.report.IndexSwept, err = r.s.index.Sweep(ctx, r.s.grace, r.options.DryRun); err != nil {
		return err
	}
	r.report.Index, err = r.s.index.Stats(ctx)
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
func (s *SecretStore) prune(ctx context.Context, name string) (int, error) {
	start := s.now()
	n, err := s.pruner.Prune(ctx, name)
	if s.observer != nil {
		s.observer(ctx, Call{Op: "prune", Name: name, Secrets: n, Duration: s.now().Sub(start), Err: err})
	}
	return n, err
}
