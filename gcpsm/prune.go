package gcpsm

import (
	"context"
	"time"
)

const (
	// keepFor is how long a version is kept after it was replaced: longer than
	// any operation takes that may want to know whether it was there.
	keepFor = 10 * time.Minute
	// maxPrune is how many versions one save destroys.
	maxPrune = 10
)

// prune destroys the versions before the one that a save is about to replace, if
// they were replaced long ago: when that one was written. It comes before the
// save, so that the new version can say up to where it was done, and nothing is
// left behind by those who die.
func (h *history) prune(ctx context.Context, base version, now time.Time) error {
	if !replacedLongAgo(base, now) {
		return nil
	}
	return h.destroyBefore(ctx, base.number, maxPrune)
}

// Prune destroys what saves have left of older versions, for example after many
// in a short time. One older version is no leftover: the next save destroys it.
func (s *secrets) Prune(ctx context.Context, name string) (int, error) {
	id, _, err := encodeName(name)
	if err != nil {
		return 0, err
	}
	release, err := s.acquire(ctx, id)
	if err != nil {
		return 0, err
	}
	defer release()
	h, head, err := s.look(ctx, id)
	if err != nil || !live(head) || head.number-h.floor <= 1 || !replacedLongAgo(head, s.set.now()) {
		return 0, err
	}
	from := h.floor
	err = s.erase(ctx, id, h, head)
	return int(h.floor - from), err
}

// replacedLongAgo reports whether what the version replaced is not wanted any more.
func replacedLongAgo(v version, now time.Time) bool {
	return v.written > 0 && now.Sub(time.UnixMilli(v.written)) >= keepFor
}

// destroyBefore destroys versions below a number, the oldest first.
func (h *history) destroyBefore(ctx context.Context, number int64, limit int) error {
	for ; h.floor < number && limit > 0; limit-- {
		if err := h.log.destroy(ctx, version{number: h.floor}); err != nil {
			return err
		}
		h.floor++
	}
	return nil
}
