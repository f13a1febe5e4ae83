// Package otel reports what a token source and its store do as OpenTelemetry metrics and spans.
// It is apart from package tokensource so that OpenTelemetry is not in everybody's program.
//
//	observer, err := tokenotel.New()
//	...
//	store, err := awssm.New(client, awssm.WithStoreOptions(secretstore.WithObserver(observer.Store)))
//	source, err := tokensource.New(store, redeemer, tokensource.WithObserver(observer.Source))
//
// # Metrics
//
//   - tokenstore.source.memory.hits, a counter {token}: calls of Token that were answered from memory.
//   - tokenstore.source.step.duration, a histogram in seconds: all other steps, by the attribute
//     tokenstore.source.step, with the words of [tokensource.Step].
//   - tokenstore.store.call.duration, a histogram in seconds: calls to the secret manager, by the
//     attribute tokenstore.store.operation, with the words of [secretstore.Call].
//   - tokenstore.store.secrets, a counter {secret}: the secrets that those calls read, listed or pruned.
//
// The count of a histogram is the number of steps or calls. Those that failed have the
// attribute error.type, with the name of the kind of error. The number of redemptions, for
// example, is the count of step.duration where the step is "redeemed"; where its error.type is
// needs_consent, a user has to log in again.
//
// # Spans
//
// Every step but those from memory is a span, "tokensource" and the step, and every call of the
// store one, "secretstore" and the operation. Their parent is the span in the context. A
// refresh runs on a goroutine of the Source, with the values of the context that began it, so
// its spans belong to the trace of the call that began it and may end after it. A span's status
// is an error if the step failed; a race that another process won and a secret that does not
// exist are none.
//
// # What is not reported
//
// Attributes name steps, operations and kinds of error and nothing else: no credential, no
// user, whose name is personal data, no token's ID or secret's name, which may be a user's, and
// no text of an error.
package otel

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
)

const (
	scope = "example.com/tokenstore/tokensource/otel"

	stepKey      = attribute.Key("tokenstore.source.step")
	operationKey = attribute.Key("tokenstore.store.operation")
	// errorKey is the attribute of the semantic conventions for the class of an error.
	errorKey = attribute.Key("error.type")
)

// buckets are those that the semantic conventions recommend for the duration of calls, and two
// for waits.
var buckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 30, 60}

// Observer reports to a meter and a tracer. It is safe for concurrent use.
type Observer struct {
	tracer  trace.Tracer
	now     func() time.Time
	hits    metric.Int64Counter
	steps   metric.Float64Histogram
	calls   metric.Float64Histogram
	secrets metric.Int64Counter
}

// Option is an option of [New].
type Option func(*settings)

type settings struct {
	meters  metric.MeterProvider
	tracers trace.TracerProvider
	now     func() time.Time
}

// WithMeterProvider sets where metrics go; the default is the global provider.
func WithMeterProvider(p metric.MeterProvider) Option { return func(s *settings) { s.meters = p } }

// WithTracerProvider sets where spans go; the default is the global provider.
func WithTracerProvider(p trace.TracerProvider) Option { return func(s *settings) { s.tracers = p } }

// WithClock sets the clock of the spans; nil or no option means time.Now.
func WithClock(now func() time.Time) Option {
	return func(s *settings) {
		if now != nil {
			s.now = now
		}
	}
}

// New returns an Observer.
func New(options ...Option) (*Observer, error) {
	s := settings{now: time.Now}
	for _, o := range options {
		o(&s)
	}
	if s.meters == nil {
		s.meters = otel.GetMeterProvider()
	}
	if s.tracers == nil {
		s.tracers = otel.GetTracerProvider()
	}
	meter := s.meters.Meter(scope)
	o := &Observer{tracer: s.tracers.Tracer(scope), now: s.now}
	var err error
	if o.hits, err = meter.Int64Counter("tokenstore.source.memory.hits", metric.WithUnit("{token}"),
		metric.WithDescription("Tokens that were answered from memory.")); err != nil {
		return nil, err
	}
	if o.steps, err = meter.Float64Histogram("tokenstore.source.step.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of the steps of a refresh."), metric.WithExplicitBucketBoundaries(buckets...)); err != nil {
		return nil, err
	}
	if o.calls, err = meter.Float64Histogram("tokenstore.store.call.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of calls to the secret manager."), metric.WithExplicitBucketBoundaries(buckets...)); err != nil {
		return nil, err
	}
	o.secrets, err = meter.Int64Counter("tokenstore.store.secrets", metric.WithUnit("{secret}"),
		metric.WithDescription("Secrets that were read, listed or pruned."))
	return o, err
}

// Source reports a step; it is the function for [tokensource.WithObserver].
func (o *Observer) Source(ctx context.Context, e tokensource.Event) {
	if e.Step == tokensource.StepMemory {
		o.hits.Add(ctx, 1)
		return
	}
	kind := trace.SpanKindClient
	switch e.Step {
	case tokensource.StepWaited, tokensource.StepAdopted, tokensource.StepTookOver:
		kind = trace.SpanKindInternal
	}
	attributes := attributes(stepKey.String(string(e.Step)), e.Err)
	o.steps.Record(ctx, e.Duration.Seconds(), metric.WithAttributes(attributes...))
	o.span(ctx, "tokensource "+string(e.Step), kind, e.Duration, e.Err, attributes)
}

// Store reports a call to the secret manager; it is the function for [secretstore.WithObserver].
func (o *Observer) Store(ctx context.Context, c secretstore.Call) {
	attributes := attributes(operationKey.String(c.Op), c.Err)
	o.calls.Record(ctx, c.Duration.Seconds(), metric.WithAttributes(attributes...))
	if c.Secrets > 0 {
		o.secrets.Add(ctx, int64(c.Secrets), metric.WithAttributes(attributes[0]))
	}
	o.span(ctx, "secretstore "+c.Op, trace.SpanKindClient, c.Duration, c.Err, attributes)
}

func attributes(what attribute.KeyValue, err error) []attribute.KeyValue {
	if err == nil {
		return []attribute.KeyValue{what}
	}
	return []attribute.KeyValue{what, errorKey.String(kindOf(err))}
}

// span reports what has just ended.
func (o *Observer) span(ctx context.Context, name string, kind trace.SpanKind, took time.Duration, err error, attributes []attribute.KeyValue) {
	end := o.now()
	_, span := o.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithTimestamp(end.Add(-took)), trace.WithAttributes(attributes...))
	if failure(err) {
		span.SetStatus(codes.Error, kindOf(err))
	}
	span.End(trace.WithTimestamp(end))
}
