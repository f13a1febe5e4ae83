// The repair's pass over all tokens: it adds missing keys and removes old tombstones.

package secretstore

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
)

// tokens reads all secrets of tokens, claims missing keys and removes old tombstones.
func (r *repair) tokens(ctx context.Context) error {
	indexed, _, err := r.s.indexed(ctx)
	if err := r.pass(err); err != nil {
		return err
	}
	listed, err := r.s.listSecrets(ctx)
	if err != nil {
		return err
	}
	ids := union(listed, indexed)
	_, r.lists = r.s.index.(index.Lister)
	r.indexed = make(map[string]bool, len(indexed))
	for _, id := range indexed {
		r.indexed[id] = true
	}
	done := 0
	for chunk := range slices.Chunk(ids, r.s.most()) {
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
	rows, err := r.read(ctx, ids)
	if err != nil {
		return err
	}
	if err := r.scheduled(ctx, rows); err != nil {
		return err
	}
	var tokens, tombstones []*row
	for _, row := range rows {
		r.see(row)
		r.warn(row)
		switch {
		case row.state == foreign:
			r.report.Foreign++
		case row.barred():
			r.report.Unreadable = append(r.report.Unreadable, shownID(row.id))
			if r.lists && row.state == damaged && !r.indexed[row.id] {
				tokens = append(tokens, row)
			}
		case row.state == tombstone:
			tombstones = append(tombstones, row)
		case row.state == live && r.passed[row.id]:
			r.report.Tokens++
			r.report.OtherPepper++
		case row.state == live:
			r.report.Tokens++
			r.meet(row)
			tokens = append(tokens, row)
		}
	}
	if err := r.sweep(ctx, tombstones); err != nil {
		return err
	}
	return r.claimAndMark(ctx, tokens)
}

// claimAndMark adds the missing keys of the tokens, and marks those that a person has edited. An
// index that is read once may no longer have what it had: only what it has now counts for a mark.
func (r *repair) claimAndMark(ctx context.Context, tokens []*row) (err error) {
	edited := func(row *row) bool { return row.state == live && r.s.edited(row) }
	view := r.hinting.View()
	if r.hinting != r.s.index {
		if _, err := r.claim(ctx, view, slices.DeleteFunc(slices.Clone(tokens), edited)); err != nil {
			return err
		}
		tokens = slices.DeleteFunc(tokens, func(row *row) bool { return !edited(row) })
		view = r.s.index.View()
	}
	if tokens, err = r.claim(ctx, view, tokens); err != nil {
		return err
	}
	return r.mark(ctx, slices.DeleteFunc(tokens, func(row *row) bool { return !edited(row) }))
}

// read returns the rows with the given escaped IDs, and decides what each one is.
func (r *repair) read(ctx context.Context, ids []string) ([]*row, error) {
	rows, err := r.s.readListed(ctx, ids, &r.permission)
	if err != nil {
		return nil, err
	}
	return rows, r.witness.recognise(ctx, rows...)
}

// scheduled reports the tokens that the index names and that are absent only because their
// secrets are going to be deleted. A role that may not see that learns nothing of it.
func (r *repair) scheduled(ctx context.Context, rows []*row) error {
	service, ok := driver.As[driver.Scheduled](r.s.secrets)
	rows = slices.DeleteFunc(slices.Clone(rows), func(row *row) bool {
		return row.state != absent || !r.indexed[row.id] // A list may name for a while what the store has deleted.
	})
	if !ok || len(rows) == 0 {
		return nil
	}
	kept := make([]bool, len(rows))
	err := r.s.parallel(ctx, len(rows), func(ctx context.Context, i int) (err error) {
		if kept[i], err = service.Scheduled(ctx, rows[i].name); errors.Is(err, driver.ErrDenied) {
			return nil
		}
		return err
	})
	for i, row := range rows {
		if kept[i] {
			r.find(scheduledFinding(row))
		}
	}
	return err
}

// warn adds the warnings about a row to the report.
func (r *repair) warn(row *row) {
	name := r.s.shownName(row)
	switch row.state {
	case live:
		for _, warning := range tokenstore.FieldWarnings(row.object) {
			r.warnOf(fieldFinding(row, warning), name+": "+warning)
		}
	case damaged, unreadable:
		warning := row.err.Error()
		if !strings.HasPrefix(warning, name) {
			warning = name + ": " + warning
		}
		r.warnOf(barredFinding(row), warning)
	case foreign:
		r.find(foreignFinding(row, name))
	}
}

// meet reports a token whose user has another one, as a person's edit may leave it.
func (r *repair) meet(row *row) {
	if row.token.UserName == "" {
		return
	}
	user := r.s.hash(tokenstore.Key{Kind: tokenstore.UserKey, Value: row.token.UserName})
	if other, twice := r.users[user]; twice {
		r.find(tokenstore.UserTwiceFinding(shownID(row.id), shownID(other)))
		return
	}
	r.users[user] = row.id
}

// plainID matches IDs that this package generates, and the numbers of the SDKs.
var plainID = regexp.MustCompile(`^([a-z2-7]{26}|[0-9]{1,19})$`)

// shownID returns an ID so that an operator can find the secret. It redacts an ID that the
// caller chose, which may be confidential.
func shownID(id string) string {
	if plainID.MatchString(id) {
		return id
	}
	return tokenstore.Redact(id)
}

// see records the keys of a row, or that the repair leaves the row alone.
func (r *repair) see(row *row) {
	delete(r.keys, row.id)
	r.passed[row.id] = row.barred()
	if row.state != live {
		return
	}
	var hashes []string
	for _, k := range indexedKeys(row.token, true) { // Other programs may index what this one leaves out.
		hashes = append(hashes, r.s.hash(k))
	}
	r.keys[row.id] = hashes
	r.rotations.see(r.s, row)
	r.passed[row.id] = !r.options.ChangePepper && r.s.otherPepper(row)
}

// mark rewrites tokens that a person has edited and whose keys are now in the index, so
// that they no longer count as edited. The keys that the edit removed leave the index; if
// another edit brings them back, the next save must notice.
func (r *repair) mark(ctx context.Context, edited []*row) error {
	if r.options.DryRun {
		return nil
	}
	return r.s.parallel(ctx, len(edited), func(ctx context.Context, i int) error {
		_, err := r.s.write(ctx, r.s.written(edited[i], edited[i].token))
		if errors.Is(err, driver.ErrConflict) {
			return nil // A save has claimed its keys in the meantime.
		}
		return err
	})
}

// claim adds the keys of the tokens that have no hint, and returns the tokens whose keys
// are then all in the index. A secret of the index that cannot be parsed hides its own
// keys, but no others.
func (r *repair) claim(ctx context.Context, view index.View, tokens []*row) (done []*row, err error) {
	var claims []index.Claim
	for _, row := range tokens {
		claims = append(claims, r.claims(row)...)
	}
	if len(claims) == 0 {
		return tokens, nil
	}
	hints, known, err := r.look(ctx, view, claims)
	if err != nil {
		return nil, err
	}
	var missing []index.Claim
	barred := map[string]bool{} // IDs of tokens with a key that cannot be claimed.
	for i, c := range claims {
		switch {
		case !known[i]:
			barred[c.ID] = true
		case !slices.ContainsFunc(hints[i], func(h index.Hint) bool { return h.ID == c.ID }):
			missing = append(missing, c)
			r.lacks(c.ID)
		}
	}
	r.report.KeysAdded += len(missing)
	if len(missing) > 0 && !r.options.DryRun {
		_, err := view.Claim(ctx, missing...)
		var some *index.Refused
		if errors.As(err, &some) {
			for i, c := range missing {
				barred[c.ID] = barred[c.ID] || some.Faults[i] != nil
			}
		}
		if err := r.pass(err); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(tokens, func(row *row) bool { return barred[row.id] }), nil
}

// lacks records that a token has a key that is not in the index.
func (r *repair) lacks(id string) {
	if !slices.Contains(r.lacking[max(len(r.lacking)-1, 0):], id) {
		r.lacking = append(r.lacking, id)
	}
}

// claims returns the claims that lead to a row. Which keys a damaged one holds is not
// known: it gets one claim by which it is listed, and that of the key from which its ID
// is derived if it is.
func (r *repair) claims(row *row) []index.Claim {
	switch {
	case row.state != damaged:
		keys := r.s.keys(row.token)
		if r.rotating && row.token.UserName != "" {
			keys = withoutRefresh(keys)
		}
		return r.s.claims(keys, row)
	case derivable(row.id):
		return []index.Claim{{Hash: row.id, ID: row.id, Generation: row.generation}}
	}
	return r.s.claims([]tokenstore.Key{{Kind: idKey, Value: row.id}}, row)
}

// look returns the hints of each key, and whether they are known: those in a secret that
// cannot be parsed are not.
func (r *repair) look(ctx context.Context, view index.View, claims []index.Claim) (hints [][]index.Hint, known []bool, err error) {
	hashes := make([]string, len(claims))
	known = make([]bool, len(claims))
	for i, c := range claims {
		hashes[i], known[i] = c.Hash, true
	}
	if hints, err = view.Lookup(ctx, hashes...); !errors.Is(err, driver.ErrUnreadable) {
		return hints, known, err
	}
	hints = make([][]index.Hint, len(claims))
	for i, hash := range hashes { // One by one, so that one does not hide the others.
		one, err := view.Lookup(ctx, hash)
		if known[i] = err == nil; known[i] {
			hints[i] = one[0]
		} else if err := r.pass(err); err != nil {
			return nil, nil, err
		}
	}
	return hints, known, nil
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
