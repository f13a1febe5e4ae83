package awssm

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"

	"example.com/tokenstore/driver"
)

// attempts is what the client's retryer did in one call.
type attempts struct {
	ran  bool // the SDK's middleware was at work; it is not in fakes
	sent bool // at least one request was signed and sent
	lost bool // an attempt ended without a reply: it may have been carried out
}

// watch adds a middleware to one call, inside the retryer. An attempt whose
// reply was lost may have been carried out; if the retry is then refused, the
// refusal may be the effect of the call's own first attempt.
func (t *attempts) watch(o *secretsmanager.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		each := middleware.FinalizeMiddlewareFunc("tokenstoreAttempt", t.attempt)
		if stack.Finalize.Insert(each, "Retry", middleware.After) != nil {
			if err := stack.Finalize.Add(each, middleware.Before); err != nil {
				return err
			}
		}
		return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("tokenstoreSent", t.send), middleware.After)
	})
}

func (t *attempts) attempt(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	t.ran = true
	out, metadata, err := next.HandleFinalize(ctx, in)
	if err != nil && t.sent {
		if kind, _ := classify(err); errors.Is(kind, driver.ErrUnavailable) {
			t.lost = true
		}
	}
	return out, metadata, err
}

func (t *attempts) send(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	t.sent = true
	return next.HandleFinalize(ctx, in)
}

// operation is a method of the client.
type operation[In, Out any] func(context.Context, *In, ...func(*secretsmanager.Options)) (*Out, error)

// call makes one call of the service.
func call[In, Out any](ctx context.Context, op string, do operation[In, Out], in *In, options ...func(*secretsmanager.Options)) (*Out, *fault) {
	t := &attempts{}
	out, err := do(ctx, in, append(options, t.watch)...)
	if err != nil {
		return nil, newFault(ctx, op, err, t)
	}
	return out, nil
}

// once keeps the client from repeating a call.
func once(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} }
