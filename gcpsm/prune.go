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
	if base.written == 0 || now.Sub(time.UnixMilli(base.written)) < keepFor {
		return nil
	}
	return h.destroyBefore(ctx, base.number, maxPrune)
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
