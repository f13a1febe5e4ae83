package gcpsm

import "context"

// maxBack is how many versions in a row that cannot be read are stepped over
// before a secret counts as empty.
const maxBack = 1000

// history is what one operation has seen of a secret's versions.
type history struct {
	log  versionLog
	seen map[int64]version
	end  int64 // the highest number that is there, as far as seen
	// sound is a version of which it is known that it counts, if not zero.
	sound int64
	// floor is a number before which nothing can be read any more.
	floor int64
	reads int
}

func newHistory(log versionLog) *history {
	return &history{log: log, seen: map[int64]version{}, floor: 1}
}

// position is what a process remembers of a secret, to start from.
type position struct {
	head  version // which counted
	end   int64   // the highest number; those above head do not count
	floor int64
}

// resume returns a history that starts from a position.
func resume(log versionLog, p position) *history {
	h := newHistory(log)
	h.floor = max(h.floor, p.floor)
	h.keep(p.head)
	for n := p.head.number + 1; n <= p.end; n++ {
		h.keep(version{number: n, state: idle})
	}
	h.sound = p.head.number
	return h
}

// keep takes note of a version.
func (h *history) keep(v version) {
	h.seen[v.number] = v
	h.end = max(h.end, v.number)
	if v.state == stored {
		h.floor = max(h.floor, min(v.oldest, v.number))
	}
}

// at returns what is there under a number, as far as known already, else read.
func (h *history) at(ctx context.Context, number int64) (version, error) {
	if v, ok := h.seen[number]; ok {
		return v, nil
	}
	if number < h.floor {
		return version{number: number, state: gone}, nil
	}
	return h.read(ctx, number)
}

// read reads a version.
func (h *history) read(ctx context.Context, number int64) (version, error) {
	h.reads++
	v, err := h.log.access(ctx, number)
	if err == nil && v.state != absent { // Absent is only what is not there yet.
		h.keep(v)
	}
	return v, err
}

// begin looks for a number to start from.
func (h *history) begin(ctx context.Context) error {
	hint, err := h.log.latest(ctx)
	if err != nil {
		return err
	}
	if hint.state == stored {
		h.keep(hint)
		return nil
	}
	// There may be versions of which the hint does not know yet, and the latest
	// one may have been destroyed.
	first, err := h.read(ctx, 1)
	if err != nil || first.state == absent {
		return err
	}
	return h.leap(ctx)
}

// leap finds the end of a long log in few reads.
func (h *history) leap(ctx context.Context) error {
	missing := int64(0)
	for step := int64(1); missing == 0; step *= 2 {
		v, err := h.read(ctx, h.end+step)
		if err != nil {
			return err
		}
		if v.state == absent {
			missing = v.number
		}
	}
	for missing-h.end > 1 {
		v, err := h.read(ctx, h.end+(missing-h.end)/2)
		if err != nil {
			return err
		}
		if v.state == absent {
			missing = v.number
		}
	}
	return nil
}

// forward reads on until there is no more.
func (h *history) forward(ctx context.Context) error {
	for {
		v, err := h.read(ctx, h.end+1)
		if err != nil || v.state == absent {
			return err
		}
	}
}

// head returns the current version; its state is absent if there is none.
//
// It reads on to the end, goes back to the first version that counts, and looks
// again whether there is more, if that took any reads: as long as no version was
// added, the current one cannot have been destroyed in the meantime.
func (h *history) head(ctx context.Context) (version, error) {
	for {
		if err := h.forward(ctx); err != nil {
			return version{}, err
		}
		h.reads = 0
		v, err := h.newest(ctx)
		if err != nil {
			return version{}, err
		}
		if h.reads == 0 {
			h.sound = v.number
			return v, nil
		}
	}
}

// newest returns the highest version that counts, among those up to the end.
func (h *history) newest(ctx context.Context) (version, error) {
	back := 0
	for n := h.end; n >= h.floor && back < maxBack; n-- {
		v, err := h.at(ctx, n)
		if err != nil {
			return version{}, err
		}
		if v.state != stored {
			back++
			continue
		}
		if ok, err := h.counts(ctx, v); ok || err != nil {
			return v, err
		}
	}
	return version{}, nil
}

// counts reports whether a version counts: its base was still the current
// version when it was added. If it was not, a version between the two, of no
// lower generation, shows that.
func (h *history) counts(ctx context.Context, v version) (bool, error) {
	if v.person() || v.number == h.sound {
		return true, nil
	}
	if v.generation >= v.number {
		return false, nil // Of an earlier life of the secret.
	}
	beaten := false
	for n := v.number - 1; n > v.generation; n-- {
		u, err := h.at(ctx, n)
		if err != nil {
			return false, err
		}
		if u.state != stored {
			continue
		}
		if u.nonce == v.nonce {
			return true, nil // A person has pasted it, with the driver's fields.
		}
		if !beaten {
			if beaten, err = h.reaches(ctx, u, v.generation); err != nil {
				return false, err
			}
		}
	}
	if b := h.seen[v.generation]; b.state == stored && v.base != "" && b.identity() != v.base {
		return false, nil // Of an earlier life, too.
	}
	return !beaten, nil
}

// reaches reports whether a version has at least the given generation.
func (h *history) reaches(ctx context.Context, v version, generation int64) (bool, error) {
	if v.person() || v.generation >= generation {
		return max(v.number-1, v.generation) >= generation, nil
	}
	if v.number-1 < generation {
		return false, nil
	}
	// If a person pasted it together with the driver's fields, its original is
	// between it and its base.
	for n := v.number - 1; n > v.generation; n-- {
		u, err := h.at(ctx, n)
		if err != nil {
			return false, err
		}
		if u.state == stored && u.nonce == v.nonce {
			return true, nil
		}
	}
	return false, nil
}
