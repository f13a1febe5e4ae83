// What a verb that was interrupted has done to the token in its hands: the reply may have been
// lost, so it looks.

package command

import (
	"context"
	"errors"
	"time"

	"example.com/tokenstore"
)

// lookTime is how long a verb that was interrupted looks what it has done.
const lookTime = 5 * time.Second

// afterwards returns a context for that, of one that has ended.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), lookTime)
}

// deletedOrNot returns what became of a token whose deletion was interrupted.
func deletedOrNot(ctx context.Context, store tokenstore.Store, id, deleted string) (outcome, reason string) {
	switch _, err := store.FindTokenByID(ctx, id); {
	case errors.Is(err, tokenstore.ErrNotFound):
		return deleted, ""
	case err != nil && !errors.Is(err, tokenstore.ErrUnreadable):
		return outcomeFailed, "interrupted, and whether it was deleted is not known: " + err.Error()
	}
	return outcomeNotTried, ""
}

// setOrNot is the same for a field that was being set.
func (s *setting) setOrNot(ctx context.Context, id string) (outcome, reason string) {
	switch now, err := s.store.FindTokenByID(ctx, id); {
	case err != nil:
		return outcomeFailed, "interrupted, and whether it was set is not known: " + err.Error()
	case s.field.get(now) == s.value:
		return outcomeSet, ""
	}
	return outcomeNotTried, ""
}
