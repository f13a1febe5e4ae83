// The operations that Crash interrupts, and the state that they start from.

package enginetest

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/secretstore"
)

// interruption is an operation that [Crash] interrupts.
type interruption struct {
	name string
	do   func(context.Context, *secretstore.Store) error
	// before, if set, changes the common starting state.
	before func(context.Context, *site) error
	// many says that the operation concerns several tokens, each of which may be as
	// before or as after.
	many bool
	// edited says that the starting state has keys that are not in the index: they are
	// found only after the operation.
	edited bool
	// lost says that the starting state has no index: nothing needs to be found before
	// the operation has completed.
	lost bool
}

// user7 is a user who is not in the starting state.
const user7 = "new@zylker.example:7"

// crashTokens are the tokens of the starting state.
func crashTokens() []tokenstore.OAuthToken {
	moved := tokenOf("", "moved")
	given := tokenOf("given@zylker.example:4", "given")
	given.ID = "given"
	return []tokenstore.OAuthToken{
		tokenOf(user1, "one"), tokenOf(user2, "two"), tokenOf("", "free"), tokenOf("gone@zylker.example:3", "gone"), given, moved,
	}
}

// tokenOf returns a token with all four keys, or three without a user.
func tokenOf(user, name string) tokenstore.OAuthToken {
	return withClient(tokenstore.OAuthToken{
		UserName: user, RefreshToken: "r-" + name, GrantToken: "g-" + name, AccessToken: "a-" + name, APIDomain: "https://api.example",
	})
}

// prepare creates the starting state: tokens with and without a user, one with a given
// ID, one with a note, one that has lost the refresh token from which its ID is derived, a
// deleted one, and the leftovers of an insert whose process died.
func (s *site) prepare(ctx context.Context) error {
	store, err := s.process(nil)
	if err != nil {
		return err
	}
	for _, token := range crashTokens() {
		if _, err := store.SaveToken(ctx, token); err != nil {
			return err
		}
	}
	if err := note(ctx, store, user1, firstNote); err != nil {
		return err
	}
	moved := tokenOf("", "moved")
	moved.ID, moved.RefreshToken = derivedID(moved), "r-moved-on"
	if _, err := store.SaveToken(ctx, moved); err != nil {
		return err
	}
	if err := store.DeleteToken(ctx, derivedID(tokenOf("gone@zylker.example:3", ""))); err != nil {
		return err
	}
	return s.dieInInsert(ctx)
}

// dieInInsert leaves the claims of a process that died before it wrote its token.
func (s *site) dieInInsert(ctx context.Context) error {
	store, err := s.process(func(secrets driver.Secrets) driver.Secrets {
		return drivertest.Inject(secrets, func(c drivertest.Call) drivertest.Outcome {
			if c.Method == drivertest.Put && len(c.Name) > len(s.service.Prefix) && c.Name[len(s.service.Prefix)] == 't' {
				return drivertest.Denied
			}
			return drivertest.Outcome{}
		})
	})
	if err != nil {
		return err
	}
	if _, err := store.SaveToken(ctx, tokenOf("dead@zylker.example:5", "dead")); !errors.Is(err, tokenstore.ErrDenied) {
		return errors.New("a save that could not write its token returned another error or none")
	}
	return s.settle(ctx)
}

// firstNote is the note of user1's token in the starting state.
const firstNote = "claim 1"

// note sets the note of a user's token.
func note(ctx context.Context, s *secretstore.Store, user, text string) error {
	return swapping("", user, tokenstore.OAuthToken{}, text).do(ctx, s)
}

// swapping swaps a user's token as it reads it, unless it is as wanted: then a swap before
// it, of which it does not know, has happened.
func swapping(name, user string, next tokenstore.OAuthToken, text string) interruption {
	return interruption{name: name, do: func(ctx context.Context, s *secretstore.Store) error {
		old, err := s.FindNoted(ctx, tokenstore.OAuthToken{UserName: user})
		if err != nil {
			return err
		}
		if old.Note == text && tokenstore.Update(old.OAuthToken, next) == old.OAuthToken {
			return nil
		}
		now, swapped, err := s.SwapToken(ctx, old, next, text)
		if err == nil && !swapped {
			return fmt.Errorf("the token was not swapped, although nobody else writes: %s", reply{token: now.OAuthToken, note: now.Note})
		}
		return err
	}}
}

func saving(name string, token tokenstore.OAuthToken) interruption {
	return interruption{name: name, do: func(ctx context.Context, s *secretstore.Store) error {
		_, err := s.SaveToken(ctx, token)
		return err
	}}
}

func repairing(name string, options secretstore.ReindexOptions) interruption {
	return interruption{name: name, do: func(ctx context.Context, s *secretstore.Store) error {
		_, err := s.Reindex(ctx, options)
		return err
	}}
}

// interruptions returns the operations to interrupt.
func interruptions(options CrashOptions) []interruption {
	adoption := tokenOf("adopts@zylker.example:6", "free")
	adoption.AccessToken = "a-adopted"
	byGrant := tokenOf("adopts@zylker.example:6", "free")
	byGrant.RefreshToken = "r-adopted"
	given := tokenOf(user7, "new")
	given.ID = "new"
	all := []interruption{
		saving("insert", tokenOf(user7, "new")),
		saving("insert without a user", tokenOf("", "new")),
		saving("insert over a tombstone", tokenOf("gone@zylker.example:3", "gone")),
		saving("insert over the leftovers of a crash", tokenOf("dead@zylker.example:5", "dead")),
		saving("insert of a key that a crash claimed", withClient(tokenstore.OAuthToken{UserName: user7, RefreshToken: "r-dead"})),
		saving("insert with an ID", given),
		saving("insert under a random ID", withClient(tokenstore.OAuthToken{RefreshToken: "r-moved"})),
		saving("update", tokenstore.OAuthToken{UserName: user1, AccessToken: "a-renewed"}),
		saving("update by refresh token", withClient(tokenstore.OAuthToken{RefreshToken: "r-free", AccessToken: "a-renewed"})),
		saving("update of nothing", tokenOf(user1, "one")),
		saving("rotation", tokenstore.OAuthToken{UserName: user1, AccessToken: "a-rotated", RefreshToken: "r-rotated", GrantToken: "g-rotated"}),
		saving("rotation of the refresh token", tokenstore.OAuthToken{UserName: user1, AccessToken: "a-rotated", RefreshToken: "r-rotated"}),
		saving("rotation to another's key", tokenstore.OAuthToken{UserName: user1, RefreshToken: "r-two"}),
		rotatedBefore("save by a refresh token that was rotated to", withClient(tokenstore.OAuthToken{RefreshToken: "r-rotated-before", AccessToken: "a-renewed"})),
		rotatedBefore("insert by a refresh token that was rotated from", withClient(tokenstore.OAuthToken{RefreshToken: "r-one", AccessToken: "a-renewed"})),
		saving("adoption by refresh token", adoption),
		saving("adoption by grant token", byGrant),
		editedSave(),
		swapping("swap of the note", user1, tokenstore.OAuthToken{}, "claim 2"),
		swapping("swap of the access token", user1, tokenstore.OAuthToken{AccessToken: "a-renewed"}, ""),
		swapping("swap of all keys", user1, tokenstore.OAuthToken{AccessToken: "a-rotated", RefreshToken: "r-rotated", GrantToken: "g-rotated"}, ""),
		swapping("swap to another's key", user1, tokenstore.OAuthToken{RefreshToken: "r-two"}, "claim 2"),
		swapping("swap to a key that a crash claimed", user2, tokenstore.OAuthToken{RefreshToken: "r-dead"}, ""),
		editedSwap(),
		{name: "delete", do: func(ctx context.Context, s *secretstore.Store) error {
			return s.DeleteToken(ctx, derivedID(tokenOf(user1, "")))
		}},
		{name: "delete tokens", many: true, do: func(ctx context.Context, s *secretstore.Store) error {
			return s.DeleteTokens(ctx)
		}},
		savingMany(),
		repairing("reindex", secretstore.ReindexOptions{}),
		repairingLater(),
		repairingLost(),
	}
	if options.Fanout > 0 {
		all = append(all, repairing("reindex to another fan-out", secretstore.ReindexOptions{Fanout: options.Fanout}))
	}
	if options.Rotating {
		all = append(all, repairing("reindex for rotating refresh tokens", secretstore.ReindexOptions{Rotating: true}))
	}
	return all
}

// rotatedBefore is a save after the refresh token of the first user was rotated.
func rotatedBefore(name string, token tokenstore.OAuthToken) interruption {
	i := saving(name, token)
	i.before = func(ctx context.Context, s *site) error {
		store, err := s.process(nil)
		if err != nil {
			return err
		}
		_, err = store.SaveToken(ctx, tokenstore.OAuthToken{UserName: user1, RefreshToken: "r-rotated-before"})
		return err
	}
	return i
}

// editedSave is a save of a token whose keys a person has changed.
func editedSave() interruption {
	i := saving("update of an edited token", tokenstore.OAuthToken{UserName: user1, AccessToken: "a-renewed"})
	i.edited = true
	i.before = func(ctx context.Context, s *site) error {
		return s.editToken(ctx, derivedID(tokenOf(user1, "")), map[string]string{"refresh_token": "r-edited", "grant_token": ""})
	}
	return i
}

// editedSwap is a swap of a token whose keys a person has changed.
func editedSwap() interruption {
	i := swapping("swap of an edited token", user1, tokenstore.OAuthToken{AccessToken: "a-renewed"}, "claim 2")
	i.edited, i.before = true, editedSave().before
	return i
}

// savingMany saves, in one call, tokens that are inserted, updated, rotated and adopted,
// and one token twice.
func savingMany() interruption {
	tokens := []tokenstore.OAuthToken{
		tokenOf(user7, "new"),
		{UserName: user1, AccessToken: "a-renewed"},
		{UserName: user2, RefreshToken: "r-rotated"},
		tokenOf("adopts@zylker.example:6", "free"),
		tokenOf("dead@zylker.example:5", "dead"),
		{UserName: user1, AccessToken: "a-newer"},
	}
	return interruption{name: "save tokens", many: true, do: func(ctx context.Context, s *secretstore.Store) error {
		_, err := s.SaveTokens(ctx, tokens)
		return err
	}}
}

// repairingLater is a repair with tombstones and hints to remove.
func repairingLater() interruption {
	i := repairing("reindex after the grace period", secretstore.ReindexOptions{})
	i.before = func(_ context.Context, s *site) error {
		s.advance(later)
		return nil
	}
	return i
}

// repairingLost is a repair of a lost index.
func repairingLost() interruption {
	i := repairing("reindex of a lost index", secretstore.ReindexOptions{})
	i.before = func(ctx context.Context, s *site) error { return s.loseIndex(ctx) }
	i.lost = true
	return i
}
