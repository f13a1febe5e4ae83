package conformance

import (
	"context"
	"errors"
	"strings"

	"example.com/tokenstore"
)

// swapping returns a store that swaps in its own way: what is stored is that token with its
// note, and the function returns what it becomes.
func swapping(swap func(d *data, stored, old noted, next token, note string) (now noted, swapped bool, err error)) func(*data) tokenstore.Store {
	return wrongMethods(wrong{swap: func(ctx context.Context, s *reference, old noted, next token, note string) (now noted, swapped bool, err error) {
		if err := errors.Join(ctx.Err(), tokenstore.CheckSwap(old, next, note)); err != nil {
			return noted{}, false, err
		}
		_, err = locked(s, func(d *data) (bool, error) {
			row, ok, _ := d.ByID(old.ID)
			if !ok {
				if d.damagedFor(token{ID: old.ID}) {
					return false, tokenstore.ErrUnreadable
				}
				return false, tokenstore.ErrNotFound
			}
			if now, swapped, err = swap(d, noted{OAuthToken: row, Note: d.notes[row.ID]}, old, next, note); swapped {
				return true, errors.Join(d.Update(now.OAuthToken), d.SetNote(now.OAuthToken, now.Note))
			}
			return false, err
		})
		return now, swapped, err
	}})
}

// comparing returns a store that compares old in its own way.
func comparing(seen func(d *data, stored, old noted) noted) func(*data) tokenstore.Store {
	return swapping(func(d *data, stored, old noted, next token, note string) (noted, bool, error) {
		now, swapped := tokenstore.Swap(stored, seen(d, stored, old), next, note)
		return now, swapped, nil
	})
}

// becoming returns a store in which the token becomes something else.
func becoming(change func(now *noted, stored noted, next token)) func(*data) tokenstore.Store {
	return swapping(func(_ *data, stored, old noted, next token, note string) (noted, bool, error) {
		now, swapped := tokenstore.Swap(stored, old, next, note)
		if swapped {
			change(&now, stored, next)
		}
		return now, swapped, nil
	})
}

// wrongSwaps swap what they must not, or not what they must.
func wrongSwaps() []wrongStore {
	return []wrongStore{
		{"swaps whatever is stored", "concurrent-swap", comparing(func(_ *data, stored, _ noted) noted { return stored })},
		{"ignores the grant token", "swap-lost-grant", comparing(func(_ *data, stored, old noted) noted { old.GrantToken = stored.GrantToken; return old })},
		{"ignores the refresh token", "swap-lost-refresh", comparing(func(_ *data, stored, old noted) noted { old.RefreshToken = stored.RefreshToken; return old })},
		{"ignores the access token", "swap-lost-access", comparing(func(_ *data, stored, old noted) noted { old.AccessToken = stored.AccessToken; return old })},
		{"ignores the note", "swap-lost-note", comparing(func(_ *data, stored, old noted) noted { old.Note = stored.Note; return old })},
		{"ignores a note that was edited", "swap-note-edited", comparing(func(_ *data, stored, old noted) noted {
			if stored.Note == "by hand" {
				old.Note = stored.Note
			}
			return old
		})},
		{"swaps a key that was edited", "swap-edited", comparing(func(_ *data, stored, old noted) noted {
			if stored.UserName == "u1" && stored.RefreshToken == rNew {
				old.RefreshToken = rNew
			}
			return old
		})},
		{"compares other fields too", "swap-other-fields", comparing(func(_ *data, stored, old noted) noted {
			if old.APIDomain != stored.APIDomain {
				old.Note += "."
			}
			return old
		})},
		{"compares what was read, not what it is given", "swap-old-changed", wrongMethods(wrong{
			findNoted: func(ctx context.Context, s *reference, q token) (noted, error) {
				n, err := s.FindNoted(ctx, q)
				n.Read = unprinted{&n}
				return n, err
			},
			swap: func(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error) {
				if read, ok := old.Read.(unprinted); ok && read.n.ID == old.ID {
					old = *read.n
				}
				return s.SwapToken(ctx, old, next, note)
			},
		})},
		{"counts saves", "swap-undone", wrongMethods(wrong{changeWith: countingSaves})},
		{"knows only its own reads", "handles-swap", wrongMethods(wrong{changeWith: onlyOwnReads})},
		{"inserts what is missing", "swap-unknown", wrongMethods(wrong{swap: inserting})},
		{"brings a deleted token back", "swap-deleted", wrongMethods(wrong{swap: inserting})},
		{"says of a missing token that it differs", "swap-deleted", wrongMethods(wrong{swap: func(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error) {
			now, swapped, err := s.SwapToken(ctx, old, next, note)
			if errors.Is(err, tokenstore.ErrNotFound) {
				return old, false, nil
			}
			return now, swapped, err
		}})},
		{"sets a user name", "swap-owner", becoming(func(now *noted, stored noted, next token) {
			if stored.UserName == "" {
				now.UserName = next.UserName
			}
		})},
		{"changes a user name", "swap-owner", becoming(func(now *noted, _ noted, next token) {
			if next.UserName != "" {
				now.UserName = next.UserName
			}
		})},
		{"wipes what next leaves out", "swap-fields", becoming(func(now *noted, _ noted, next token) {
			if next.RefreshToken == "" {
				now.RefreshToken = ""
			}
		})},
		{"keeps the expiry of another access token", "swap-expiry", becoming(func(now *noted, stored noted, _ token) {
			if now.Expiry.IsZero() {
				now.Expiry = stored.Expiry
			}
		})},
		{"leaves the old refresh token findable", "swap-key", becoming(func(now *noted, stored noted, _ token) {
			if stored.RefreshToken == r1.RefreshToken {
				now.RefreshToken = stored.RefreshToken
			}
		})},
		{"returns what was read when it has not swapped", "swap-lost-access", swapping(func(_ *data, stored, old noted, next token, note string) (noted, bool, error) {
			if now, swapped := tokenstore.Swap(stored, old, next, note); swapped {
				return now, true, nil
			}
			return old, false, nil
		})},
		{"does not compare if nothing changes", "handles-swap", wrongMethods(wrong{swap: func(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error) {
			if tokenstore.Update(old.OAuthToken, next) == old.OAuthToken && note == old.Note && old.ID != "" {
				return old, true, nil
			}
			return s.SwapToken(ctx, old, next, note)
		}})},
		{"does not write what changes nothing but the note", "swap-note", wrongMethods(wrong{swap: func(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error) {
			if next == (token{}) && note != "" {
				old.Note = note
				return old, true, nil
			}
			return s.SwapToken(ctx, old, next, note)
		}})},
		{"reads and writes apart", "concurrent-swap", wrongMethods(wrong{swap: func(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error) {
			now, err := s.FindNoted(ctx, token{ID: old.ID})
			if err != nil {
				return now, false, err
			}
			after, swapped := tokenstore.Swap(now, old, next, note)
			if swapped {
				wait(50_000)
				_, err = locked(s, func(d *data) (bool, error) {
					return true, errors.Join(d.Update(after.OAuthToken), d.SetNote(after.OAuthToken, note))
				})
			}
			return after, swapped, err
		}})},
		{"overwrites other fields with those that were read", "concurrent-swap-chain", becoming(func(now *noted, stored noted, _ token) {
			if stored.APIDomain != r1.APIDomain {
				now.APIDomain = "d0"
			}
		})},
		{"swaps in an ended context", "swap-cancelled", wrongMethods(wrong{swap: func(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error) {
			return s.SwapToken(context.WithoutCancel(ctx), old, next, note)
		}})},
		{"swaps a damaged token", "swap-damaged", wrongMethods(wrong{swap: func(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error) {
			now, swapped, err := s.SwapToken(ctx, old, next, note)
			if errors.Is(err, tokenstore.ErrUnreadable) {
				return old, true, nil
			}
			return now, swapped, err
		}})},
		{"pings without looking", "ping", wrongMethods(wrong{ping: func(context.Context, *reference) error { return nil }})},
		{"never answers a ping", "ping", wrongMethods(wrong{ping: func(ctx context.Context, _ *reference) error { return errors.Join(ctx.Err(), tokenstore.ErrNotFound) }})},
	}
}

// unprinted holds a read and prints nothing of it.
type unprinted struct{ n *noted }

func (unprinted) String() string   { return "read" }
func (unprinted) GoString() string { return "read" }

// inserting inserts where there is nothing to swap.
func inserting(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error) {
	now, swapped, err := s.SwapToken(ctx, old, next, note)
	if errors.Is(err, tokenstore.ErrNotFound) {
		saved, err := s.SaveToken(ctx, tokenstore.Update(old.OAuthToken, next))
		return noted{OAuthToken: saved, Note: note}, err == nil, err
	}
	return now, swapped, err
}

// countingSaves makes a swap fail after any save.
func countingSaves(w *wrong) {
	saves := 0
	w.save = func(ctx context.Context, s *reference, t token) (token, error) {
		saves++
		return s.SaveToken(ctx, t)
	}
	w.findNoted = func(ctx context.Context, s *reference, q token) (noted, error) {
		n, err := s.FindNoted(ctx, q)
		n.Read = saves
		return n, err
	}
	w.swap = func(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error) {
		if n, ok := old.Read.(int); ok && n != saves {
			now, err := s.FindNoted(ctx, token{ID: old.ID})
			return now, false, err
		}
		return s.SwapToken(ctx, old, next, note)
	}
}

// onlyOwnReads makes a swap fail of what this handle has not read.
func onlyOwnReads(w *wrong) {
	read := map[string]bool{}
	w.findNoted = func(ctx context.Context, s *reference, q token) (noted, error) {
		n, err := s.FindNoted(ctx, q)
		read[n.ID] = true
		return n, err
	}
	w.swap = func(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error) {
		if !read[old.ID] {
			now, err := s.FindNoted(ctx, token{ID: old.ID})
			return now, false, err
		}
		return s.SwapToken(ctx, old, next, note)
	}
}

// wrongNotes lose notes, keep them too long, or take any text for one.
func wrongNotes() []wrongStore {
	dropped := func(s *reference) {
		_, _ = locked(s, func(d *data) (bool, error) { d.notes = nil; return true, nil }) // It returns no error.
	}
	accepting := func(when func(note string) bool) func(*data) tokenstore.Store {
		return wrongMethods(wrong{swap: func(ctx context.Context, s *reference, old noted, next token, note string) (noted, bool, error) {
			now, swapped, err := s.SwapToken(ctx, old, next, note)
			if errors.Is(err, tokenstore.ErrInvalidArgument) && when(note) {
				return now, false, tokenstore.ErrConflict
			}
			return now, swapped, err
		}})
	}
	return []wrongStore{
		{"finds no note", "swap-note", wrongMethods(wrong{findNoted: func(ctx context.Context, s *reference, q token) (noted, error) {
			n, err := s.FindNoted(ctx, q)
			n.Note = ""
			return n, err
		}})},
		{"reads the note after the token", "concurrent-swap-find", wrongMethods(wrong{findNoted: func(ctx context.Context, s *reference, q token) (noted, error) {
			found, err := s.FindToken(ctx, q)
			if err != nil {
				return noted{}, err
			}
			wait(50_000)
			n, err := s.FindNoted(ctx, q)
			n.OAuthToken = found
			return n, err
		}})},
		{"finds an arbitrary noted token", "swap-find", wrongMethods(wrong{findNoted: func(ctx context.Context, s *reference, q token) (noted, error) {
			n, err := s.FindNoted(ctx, q)
			if errors.Is(err, tokenstore.ErrNotFound) {
				return s.FindNoted(ctx, token{UserName: "u1"})
			}
			return n, err
		}})},
		{"saves drop the note", "swap-note-kept", wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
			dropped(s)
			return s.SaveToken(ctx, t)
		}})},
		{"an adoption drops the note", "swap-note-kept", wrongMethods(wrong{save: func(ctx context.Context, s *reference, t token) (token, error) {
			if t.UserName == "u3" {
				dropped(s)
			}
			return s.SaveToken(ctx, t)
		}})},
		{"saves of many drop the note", "swap-note-kept-many", wrongMethods(wrong{many: func(ctx context.Context, s *reference, tokens []token) ([]token, error) {
			dropped(s)
			return s.SaveTokens(ctx, tokens)
		}})},
		{"a delete keeps the note", "swap-note-dropped", wrongMethods(wrong{deleteOne: func(ctx context.Context, s *reference, id string) error {
			n, _ := s.FindNoted(ctx, token{ID: id}) // There may be none.
			err := s.DeleteToken(ctx, id)
			_, _ = locked(s, func(d *data) (bool, error) { return true, d.SetNote(n.OAuthToken, n.Note) }) // It returns no error.
			return err
		}})},
		{"a delete of all keeps the notes", "swap-note-dropped", wrongMethods(wrong{deleteAll: func(ctx context.Context, s *reference) error {
			_, err := locked(s, func(d *data) (bool, error) { d.rows = nil; return true, ctx.Err() })
			return err
		}})},
		{"takes several lines for a note", "swap-invalid", accepting(func(note string) bool { return strings.Contains(note, "\n") })},
		{"takes a credential for a note", "swap-invalid", accepting(func(note string) bool { return strings.Contains(note, mark) })},
		{"takes a long text for a note", "swap-invalid", accepting(func(note string) bool { return len(note) > tokenstore.MaxNote })},
	}
}
