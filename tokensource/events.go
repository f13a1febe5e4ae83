// Reports of every step, for metrics, traces and logs.

package tokensource

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"example.com/tokenstore"
)

// Step is what an [Event] reports.
type Step string

// The steps.
const (
	// StepMemory: a call was answered from memory.
	StepMemory Step = "from memory"
	// StepRead: the row was read.
	StepRead Step = "read"
	// StepClaimed: this process may redeem; with an error that matches tokenstore.ErrConflict,
	// another process was faster.
	StepClaimed Step = "claimed"
	// StepTookOver: the claim that was just made replaces one that led to nothing.
	StepTookOver Step = "took over"
	// StepWaited: a refresh waited for another process's.
	StepWaited Step = "waited"
	// StepRedeemed: the provider was asked.
	StepRedeemed Step = "redeemed"
	// StepSaved: the new token was saved, or could not be.
	StepSaved Step = "saved"
	// StepAdopted: another process, program or person stored a token, which is used from now on.
	StepAdopted Step = "adopted"
	// StepRefused: the provider's refusal of the refresh token was recorded.
	StepRefused Step = "refused"
	// StepPaused: the provider's wish for a pause was recorded.
	StepPaused Step = "paused"
)

// Event is one step. It contains no credential.
type Event struct {
	Step Step
	// Token is the token's ID, shortened by [tokenstore.Redact]; empty if it is not known yet.
	Token string
	// Duration is how long the step took.
	Duration time.Duration
	// Err is why the step failed, or nil.
	Err error
}

// report reports a step that began at start.
func (s *Source) report(ctx context.Context, e *entry, step Step, start time.Time, err error) {
	if s.observer == nil && s.log == nil {
		return
	}
	s.reportSlow(ctx, e, step, start, err)
}

func (s *Source) reportSlow(ctx context.Context, e *entry, step Step, start time.Time, err error) {
	event := Event{Step: step, Err: err}
	if step != StepMemory {
		event.Duration = s.now().Sub(start)
	}
	if e != nil {
		event.Token = e.name
	}
	if s.observer != nil {
		s.observer(ctx, event)
	}
	if s.log == nil {
		return
	}
	level := slog.LevelDebug
	switch {
	case err != nil && !errors.Is(err, tokenstore.ErrConflict) && !errors.Is(err, tokenstore.ErrNotFound):
		level = slog.LevelWarn
	case step == StepRefused, step == StepPaused, step == StepTookOver:
		level = slog.LevelWarn
	case step == StepRedeemed, step == StepSaved:
		level = slog.LevelInfo
	}
	if !s.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("token", event.Token), slog.Duration("duration", event.Duration)}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	s.log.LogAttrs(ctx, level, "tokensource: "+string(step), attrs...)
}
