// Reads of many secrets: the list of names, and batches.

package awssm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"example.com/tokenstore/driver"
)

const (
	batchSize = 20  // secrets in one BatchGetSecretValue
	pageSize  = 100 // secrets in one page of ListSecrets
	// parallel is how many calls one GetBatch makes at a time; the service allows 100
	// batch reads a second.
	parallel = 4
	// batchAgain is when to try again for a role that was not allowed to read in
	// batches: it may have got the permission.
	batchAgain = 10 * time.Minute
)

// List pages through ListSecrets. Secrets created or deleted in the last five minutes may
// be missing or still listed.
func (s *secrets) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		in := &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(pageSize)}
		if filter := filterFor(prefix); filter != "" {
			in.Filters = []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{filter}}}
		}
		seen := map[string]bool{}
		for {
			out, f := call(ctx, "ListSecrets", s.api.ListSecrets, in)
			if f == nil && in.NextToken != nil && aws.ToString(out.NextToken) == *in.NextToken {
				yield("", fmt.Errorf("%w: ListSecrets keeps returning the same page; retry later", driver.ErrUnavailable))
				return
			}
			if f != nil {
				yield("", f.container())
				return
			}
			for _, entry := range out.SecretList {
				name, ok := decodeName(aws.ToString(entry.Name), aws.ToString(entry.Description))
				if !ok || seen[name] || entry.DeletedDate != nil || !strings.HasPrefix(name, prefix) {
					continue
				}
				seen[name] = true
				if err := ctx.Err(); err != nil {
					yield("", err)
					return
				}
				if !yield(name, nil) {
					return
				}
			}
			if aws.ToString(out.NextToken) == "" {
				if err := ctx.Err(); err != nil {
					yield("", err)
				}
				return
			}
			in.NextToken = out.NextToken
		}
	}
}

// GetBatch reads 20 secrets per call. Without that permission, secrets are read one at a
// time.
func (s *secrets) GetBatch(ctx context.Context, names []string) ([]driver.Secret, error) {
	b := &batch{s: s, names: map[string]string{}}
	var encoded []string
	for _, name := range names {
		e, _, err := encodeName(name)
		if err != nil {
			b.fail(name, err)
			continue
		}
		if _, twice := b.names[e]; !twice {
			b.names[e] = name
			encoded = append(encoded, e)
		}
	}
	chunks := slices.Collect(slices.Chunk(encoded, batchSize))
	each(chunks, func(chunk []string) { b.read(ctx, chunk) })
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return b.secrets, errors.Join(b.errs...)
}

// batch is the result of one GetBatch so far.
type batch struct {
	s     *secrets
	names map[string]string // logical names by the secrets' names

	mu      sync.Mutex
	secrets []driver.Secret
	errs    []error
}

func (b *batch) add(secret driver.Secret) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.secrets = append(b.secrets, secret)
}

func (b *batch) fail(name string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errs = append(b.errs, &driver.NameError{Name: name, Err: err})
}

// read reads one chunk, and then, one at a time, the secrets that the batch did not return.
func (b *batch) read(ctx context.Context, chunk []string) {
	rest, forbidden := chunk, false
	if len(chunk) > 1 && b.s.set.now().UnixNano() >= b.s.noBatch.Load() {
		var f *fault
		if rest, f = b.together(ctx, chunk); f != nil {
			switch {
			case errors.Is(f.kind, driver.ErrDenied):
				// Expired credentials or a broken key are temporary.
				forbidden = forbiddenCodes[f.code]
			case errors.Is(f.kind, driver.ErrInvalid), errors.Is(f.kind, driver.ErrNotFound):
				// It is about one secret, without saying which.
			default:
				for _, encoded := range chunk {
					b.fail(b.names[encoded], f.give())
				}
				return
			}
			rest = chunk
		}
	}
	for _, encoded := range rest {
		if ctx.Err() != nil {
			return
		}
		if b.single(ctx, encoded) && forbidden {
			// The credentials work, so only that permission is missing.
			b.s.noBatch.Store(b.s.set.now().Add(batchAgain).UnixNano())
		}
	}
}

// together reads a chunk with one call and returns the names for which it had no definite
// answer.
func (b *batch) together(ctx context.Context, chunk []string) (rest []string, f *fault) {
	out, f := call(ctx, "BatchGetSecretValue", b.s.api.BatchGetSecretValue, &secretsmanager.BatchGetSecretValueInput{SecretIdList: chunk})
	if f != nil {
		return nil, f
	}
	definite := map[string]bool{}
	for _, entry := range out.SecretValues {
		encoded := aws.ToString(entry.Name)
		name, asked := b.names[encoded]
		if !asked || !slices.Contains(entry.VersionStages, current) { // LocalStack returns versions that are not current.
			continue
		}
		definite[encoded] = true
		v := version{aws.ToString(entry.VersionId), valueOf(entry.SecretString, entry.SecretBinary), aws.ToTime(entry.CreatedDate)}
		if !v.marked() {
			b.add(b.s.secret(name, encoded, v))
		}
	}
	for _, e := range out.Errors {
		// A read of its own gives a clearer error for all but absence.
		missing := &types.ResourceNotFoundException{Message: e.Message}
		if aws.ToString(e.ErrorCode) == missing.ErrorCode() && !noVersion(missing) {
			definite[aws.ToString(e.SecretId)] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(chunk), func(encoded string) bool { return definite[encoded] }), nil
}

// single reads one secret, and reports whether the role may do that.
func (b *batch) single(ctx context.Context, encoded string) bool {
	name := b.names[encoded]
	secret, err := b.s.Get(ctx, name)
	switch {
	case errors.Is(err, driver.ErrNotFound):
	case err != nil:
		b.fail(name, err)
	default:
		b.add(secret)
	}
	return err == nil || errors.Is(err, driver.ErrNotFound)
}

// each calls f for every chunk, a few at a time.
func each(chunks [][]string, f func([]string)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, chunk := range chunks {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(chunk)
		})
	}
	wg.Wait()
}
