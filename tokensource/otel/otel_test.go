// What is reported of each step and call, and what is not.

package otel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	apitrace "go.opentelemetry.io/otel/trace"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
	tokenotel "example.com/tokenstore/tokensource/otel"
)

// recorder is an Observer with what it has reported.
type recorder struct {
	*tokenotel.Observer
	reader *metric.ManualReader
	spans  *tracetest.SpanRecorder
	tracer apitrace.Tracer
}

var now = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

func record(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{reader: metric.NewManualReader(), spans: tracetest.NewSpanRecorder()}
	tracers := trace.NewTracerProvider(trace.WithSpanProcessor(r.spans))
	observer, err := tokenotel.New(
		tokenotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(r.reader))),
		tokenotel.WithTracerProvider(tracers), tokenotel.WithClock(func() time.Time { return now }),
	)
	if err != nil {
		t.Fatal(err)
	}
	r.Observer, r.tracer = observer, tracers.Tracer("test")
	return r
}

// metrics returns all points as "name{attributes} count or value", sorted.
func (r *recorder) metrics(t *testing.T) []string {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					found = append(found, fmt.Sprintf("%s[%s]{%s} %d", m.Name, m.Unit, text(p.Attributes.ToSlice()), p.Value))
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					found = append(found, fmt.Sprintf("%s[%s]{%s} %d in %g", m.Name, m.Unit, text(p.Attributes.ToSlice()), p.Count, p.Sum))
				}
			default:
				t.Errorf("%s is a %T", m.Name, m.Data)
			}
		}
	}
	slices.Sort(found)
	return found
}

func text(attributes []attribute.KeyValue) string {
	var all []string
	for _, a := range attributes {
		all = append(all, string(a.Key)+"="+a.Value.String())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s are\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMetrics(t *testing.T) {
	r := record(t)
	for range 3 {
		r.Source(t.Context(), tokensource.Event{Step: tokensource.StepMemory})
	}
	r.Source(t.Context(), tokensource.Event{Step: tokensource.StepRead, Duration: time.Second})
	r.Source(t.Context(), tokensource.Event{Step: tokensource.StepRead, Duration: 2 * time.Second})
	r.Source(t.Context(), tokensource.Event{Step: tokensource.StepClaimed, Err: tokenstore.ErrConflict})
	r.Source(t.Context(), tokensource.Event{Step: tokensource.StepRedeemed, Duration: time.Second, Err: &tokensource.Error{Kind: tokensource.ErrNeedsConsent}})
	r.Store(t.Context(), secretstore.Call{Op: "get", Name: "tokens/x", Secrets: 1, Duration: time.Second})
	r.Store(t.Context(), secretstore.Call{Op: "get", Name: "tokens/y", Duration: time.Second, Err: fmt.Errorf("gone: %w", driver.ErrNotFound)})
	r.Store(t.Context(), secretstore.Call{Op: "batch get", Secrets: 20})
	equal(t, "metrics", r.metrics(t), []string{
		"tokenstore.source.memory.hits[{token}]{} 3",
		"tokenstore.source.step.duration[s]{error.type=conflict tokenstore.source.step=claimed} 1 in 0",
		"tokenstore.source.step.duration[s]{error.type=needs_consent tokenstore.source.step=redeemed} 1 in 1",
		"tokenstore.source.step.duration[s]{tokenstore.source.step=read} 2 in 3",
		"tokenstore.store.call.duration[s]{error.type=not_found tokenstore.store.operation=get} 1 in 1",
		"tokenstore.store.call.duration[s]{tokenstore.store.operation=batch get} 1 in 0",
		"tokenstore.store.call.duration[s]{tokenstore.store.operation=get} 1 in 1",
		"tokenstore.store.secrets[{secret}]{tokenstore.store.operation=batch get} 20",
		"tokenstore.store.secrets[{secret}]{tokenstore.store.operation=get} 1",
	})
}

func TestSpans(t *testing.T) {
	r := record(t)
	ctx, parent := r.tracer.Start(t.Context(), "caller")
	r.Source(ctx, tokensource.Event{Step: tokensource.StepMemory})
	r.Source(ctx, tokensource.Event{Step: tokensource.StepWaited, Duration: time.Minute})
	parent.End() // A refresh may outlive its caller.
	r.Source(ctx, tokensource.Event{Step: tokensource.StepSaved, Duration: time.Second, Err: tokenstore.ErrUnavailable})
	r.Store(ctx, secretstore.Call{Op: "put", Err: driver.ErrConflict})
	var got []string
	for _, s := range r.spans.Ended() {
		if s.Name() == "caller" {
			continue
		}
		if s.Parent().SpanID() != parent.SpanContext().SpanID() {
			t.Errorf("%s is not a child of the caller's span", s.Name())
		}
		if !s.EndTime().Equal(now) {
			t.Errorf("%s ends at %s", s.Name(), s.EndTime())
		}
		got = append(got, fmt.Sprintf("%s, %s, %s, %s %q, {%s}", s.Name(), s.SpanKind(), s.EndTime().Sub(s.StartTime()), s.Status().Code, s.Status().Description, text(s.Attributes())))
	}
	equal(t, "spans", got, []string{
		`tokensource waited, internal, 1m0s, Unset "", {tokenstore.source.step=waited}`,
		`tokensource saved, client, 1s, Error "unavailable", {error.type=unavailable tokenstore.source.step=saved}`,
		`secretstore put, client, 0s, Unset "", {error.type=conflict tokenstore.store.operation=put}`,
	})
}

// TestErrorTypes: every kind has a name of its own, and texts do not get out.
func TestErrorTypes(t *testing.T) {
	for want, err := range map[string]error{
		"needs_consent":      &tokensource.Error{Kind: tokensource.ErrNeedsConsent, Err: errors.New("canary")},
		"misconfigured":      tokensource.ErrMisconfigured,
		"provider_throttled": tokensource.ErrThrottled,
		"throttled":          &tokenstore.Error{Kind: tokenstore.ErrThrottled, Name: "canary"},
		"not_sent":           tokensource.ErrNotSent,
		"unavailable":        tokenstore.ErrUnavailable,
		"not_saved":          errors.Join(tokensource.ErrNotSaved, tokenstore.ErrQuota),
		"closed":             tokensource.ErrClosed,
		"not_found":          tokenstore.ErrNotFound,
		"invalid_token":      tokenstore.ErrInvalidToken,
		"invalid_argument":   tokenstore.ErrInvalidArgument,
		"invalid_secret":     driver.ErrInvalid,
		"conflict":           driver.ErrConflict,
		"too_large":          driver.ErrTooLarge,
		"unreadable":         driver.ErrUnreadable,
		"no_container":       driver.ErrNoContainer,
		"denied":             driver.ErrDenied,
		"quota":              driver.ErrQuota,
		"canceled":           context.Canceled,
		"timeout":            context.DeadlineExceeded,
		"_OTHER":             errors.New("canary"),
	} {
		r := record(t)
		r.Source(t.Context(), tokensource.Event{Step: tokensource.StepRedeemed, Token: "canary", Err: err})
		r.Store(t.Context(), secretstore.Call{Op: "get", Name: "tokens/canary", Err: err})
		all := strings.Join(r.metrics(t), "\n")
		for _, s := range r.spans.Ended() {
			all += fmt.Sprintf("\n%s %s %v %v", s.Name(), text(s.Attributes()), s.Status(), s.Events())
		}
		if n := strings.Count(all, "error.type="+want); n != 4 || strings.Contains(all, "canary") {
			t.Errorf("%v: want error.type=%s four times and no text:\n%s", err, want, all)
		}
	}
}

// TestGlobalProviders: without providers, the global ones are used, which do nothing by default.
func TestGlobalProviders(t *testing.T) {
	o, err := tokenotel.New()
	if err != nil {
		t.Fatal(err)
	}
	o.Source(t.Context(), tokensource.Event{Step: tokensource.StepRead})
	o.Store(t.Context(), secretstore.Call{Op: "get"})
}

// TestMemoryStepIsCheap: the step of most calls allocates nothing.
func TestMemoryStepIsCheap(t *testing.T) {
	r := record(t)
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { r.Source(ctx, tokensource.Event{Step: tokensource.StepMemory}) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}
