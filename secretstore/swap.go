// FindNoted and SwapToken: a save that is conditional on what was read. The compare-and-swap
// of the token's secret decides; that of the content decides whether to try again.

package secretstore

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"example.com/tokenstore"
)

var _ tokenstore.Swapper = (*Store)(nil)

// WritesPerDay implements tokenstore.Swapper.
func (s *Store) WritesPerDay() int { return s.writesPerDay }

// FindNoted returns the token that FindToken returns, with its note. It costs the same
// calls, and writes nothing.
func (s *Store) FindNoted(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.Noted, error) {
	r, err := s.find(ctx, query)
	if err != nil {
		return tokenstore.Noted{}, s.fail("find noted token", query.ID, err)
	}
	return s.noted(r), nil
}

// SwapToken sets the fields of next and the note, if the token with old's ID still has
// old's grant, refresh and access token and note; see tokenstore.Swapper. It reads nothing
// if old is what FindNoted or SwapToken returned and nobody has written the token since:
// then it costs one write, and those of the index for keys that change. A swap that
// changes nothing is written too, since only a write proves that nobody has written in
// the meantime. An attempt that meets a write of others reads the token and compares
// again; after too many of them the error matches ErrConflict, and nothing has changed.
func (s *Store) SwapToken(ctx context.Context, old tokenstore.Noted, next tokenstore.OAuthToken, note string) (now tokenstore.Noted, swapped bool, err error) {
	now, swapped, err = s.swap(ctx, old, next, note)
	return now, swapped, s.fail("swap token", old.ID, err)
}

func (s *Store) swap(ctx context.Context, old tokenstore.Noted, next tokenstore.OAuthToken, note string) (now tokenstore.Noted, swapped bool, err error) {
	if err := tokenstore.CheckSwap(old, next, note); err != nil {
		return tokenstore.Noted{}, false, err
	}
	unlock, err := s.locks.Lock(ctx, escapeID(old.ID))
	if err != nil {
		return tokenstore.Noted{}, false, err
	}
	defer unlock()
	seen := s.seenBy(old)
	err = s.again(ctx, func() (err error) {
		a, r := s.attempt(), seen
		seen = nil // If it is out of date, the next attempt reads.
		if r == nil {
			if r, err = a.toSwap(ctx, old.ID); err != nil {
				return err
			}
		}
		want, applies := tokenstore.Swap(s.noted(r), old, next, note)
		if !applies {
			now, swapped = want, false
			return nil
		}
		p, err := a.planSwap(ctx, r, want)
		if err != nil {
			return err
		}
		if err := a.carryOut(ctx, p); err != nil {
			return err
		}
		now, swapped = s.noted(p.next), true
		return nil
	})
	if err != nil {
		return tokenstore.Noted{}, false, err
	}
	return now, swapped, nil
}

// planSwap plans to replace a live row.
func (a *attempt) planSwap(ctx context.Context, r *row, want tokenstore.Noted) (*plan, error) {
	p := &plan{} // It was not looked up by a key, so it rests on none.
	if err := a.rewrite(ctx, p, r, want.OAuthToken); err != nil {
		return nil, err
	}
	if noteOf(r) != want.Note {
		p.next.object.Set(noteField, want.Note)
	}
	// A swap counts as two writes. So no save takes it for the single write by which it was
	// overwritten, and itself for one that came before: the swap would have been refused.
	p.next.generation++
	return p, a.s.checkSize(p.next)
}

// toSwap reads the live row with the given ID.
func (a *attempt) toSwap(ctx context.Context, id string) (*row, error) {
	r, err := a.ownRow(ctx, escapeID(id))
	switch {
	case err != nil:
		return nil, err
	case r.barred():
		return nil, r.fault()
	case r.state != live || r.token.ID != id:
		return nil, tokenstore.ErrNotFound
	}
	return r, nil
}

// noteOf returns the note of a row. What a person has put there that is no text counts as
// none, and is kept until a swap sets a note.
func noteOf(r *row) string {
	note, err := r.object.Text(noteField)
	if err != nil {
		return ""
	}
	return note
}

// noted returns a live row as callers see it.
func (s *Store) noted(r *row) tokenstore.Noted {
	return tokenstore.Noted{OAuthToken: r.token, Note: noteOf(r), Read: &sight{s, r}}
}

// sight is what a store remembers of a read, for the next swap. Printing it shows nothing
// of the token.
type sight struct {
	store *Store
	row   *row
}

// seenBy returns the row that old was read from, or nil if another store has read it, or
// the caller has changed it since.
func (s *Store) seenBy(old tokenstore.Noted) *row {
	seen, ok := old.Read.(*sight)
	if !ok || seen == nil || seen.store != s || seen.row.token.ID != old.ID {
		return nil
	}
	if _, same := tokenstore.Swap(s.noted(seen.row), old, tokenstore.OAuthToken{}, ""); !same {
		return nil
	}
	return seen.row
}

const sightText = "read of a token"

// String returns a fixed text.
func (*sight) String() string { return sightText }

// Format writes what String returns, whatever the verb.
func (*sight) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, sightText) }

// LogValue returns what String returns.
func (*sight) LogValue() slog.Value { return slog.StringValue(sightText) }
