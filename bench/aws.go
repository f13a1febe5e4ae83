// AWS Secrets Manager: the service in memory, behind the SDK's own client.

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/internal/costs"
	"example.com/tokenstore/secretstore"
)

const onAWS = "AWS"

func awsWays() []way {
	bares := func(build func(k *keeper, client, fast bare)) func(context.Context, world) (*keeper, error) {
		return func(_ context.Context, w world) (*keeper, error) {
			k, fake, client := newAWS(w)
			build(k, awsBare{client}, awsBare{fake})
			return k, nil
		}
	}
	return []way{
		{service: onAWS, name: "this library", ours: true, open: awsStore},
		{service: onAWS, name: "this library with a token source", ours: true, shown: 10_000, open: func(ctx context.Context, w world) (*keeper, error) {
			k, err := awsStore(ctx, w)
			if err != nil {
				return nil, err
			}
			return sourced(k)
		}},
		{service: onAWS, name: "SDK client, name known", note: "no other key, the last writer wins", open: bares(knownName)},
		{service: onAWS, name: "SDK client, name known, decoded as here", alike: true, note: "no other key, the last writer wins", open: awsAlike},
		{service: onAWS, name: "caching client", note: "values up to an hour old, no other key", open: func(_ context.Context, w world) (*keeper, error) {
			k, fake, client := newAWS(w)
			knownName(k, &caching{bare: awsBare{client}, values: map[string]cached{}, now: k.clock.Now}, awsBare{fake})
			return k, nil
		}},
		{service: onAWS, name: "a pointer secret per key", note: "pointers and tokens part after a crash", open: bares(pointers)},
		{service: onAWS, name: "all tokens in one secret", most: 100, note: "64 KiB and 100 writes a day", open: bares(oneSecret)},
		{service: onAWS, name: "ListSecrets, GetSecretValue in a loop", shown: 10_000, note: "lists are minutes old", open: bares(loop)},
	}
}

// newAWS returns an empty service and its client, and a keeper that knows its calls and its bill.
func newAWS(w world) (*keeper, *awssmtest.Service, *secretsmanager.Client) {
	config, clock := awssmtest.Real(), w.clock()
	config.Latency, config.Rates = w.latency, false // What fills the service does not wait.
	if !w.simulate {                                // Tokens are saved more often than the service would allow.
		config.Versions = 0
	}
	fake := awssmtest.New(config, clock)
	k := &keeper{clock: clock, bill: &bill{prices: costs.AWS, charged: everyCall, stored: fake.SecretTime}}
	r := &replay{service: fake, replies: map[string][]byte{}, made: map[string]int{}, off: w.simulate}
	k.calls = r.calls
	return k, fake, fake.Client(func(o *secretsmanager.Options) { o.HTTPClient = r })
}

// awsStore opens this library's store, with an index of as many secrets as it grows to by itself.
func awsStore(_ context.Context, w world) (*keeper, error) {
	k, fake, client := newAWS(w)
	open := func(api awssm.API) func() (*secretstore.Store, error) {
		return func() (*secretstore.Store, error) { return awssm.New(api, awssm.WithClock(k.clock.Now, k.clock.Sleep)) }
	}
	return engine(k, open(fake), open(client))
}

// awsAlike reads the very secrets that this library has written, by their names, with the SDK's client alone, and
// decodes them with this library's decoder: what is left is what the store adds.
func awsAlike(_ context.Context, w world) (*keeper, error) {
	k, fake, client := newAWS(w)
	filler, err := awssm.New(fake, awssm.WithClock(k.clock.Now, k.clock.Sleep))
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	k.fill = func(ctx context.Context, tokens []tokenstore.OAuthToken) error {
		saved, err := filler.SaveTokens(ctx, tokens)
		for _, t := range saved {
			name, wrong := awssm.SecretName(filler.SecretName(t.ID))
			names[t.UserName], err = name, errors.Join(err, wrong)
		}
		return err
	}
	k.do = map[operation]action{findUser: func(ctx context.Context, t tokenstore.OAuthToken) error {
		data, err := awsBare{client}.get(ctx, names[t.UserName])
		if err != nil {
			return err
		}
		return right(t)(tokenstore.DecodeToken(data))
	}}
	k.close = filler.Close
	return k, nil
}

// engine completes a keeper with stores of the engine, one that fills it and one that works, as two processes would.
// fast makes no detour through a network.
func engine(k *keeper, fast, open func() (*secretstore.Store, error)) (*keeper, error) {
	filler, err := fast()
	if err != nil {
		return nil, err
	}
	worker, err := open()
	if err != nil {
		return nil, err
	}
	stored := 0
	k.fill = func(ctx context.Context, tokens []tokenstore.OAuthToken) error {
		stored += len(tokens)
		_, err := filler.SaveTokens(ctx, tokens)
		return err
	}
	k.do = storeActions(worker, func() int { return stored })
	k.store = worker
	before := k.close
	k.close = func() error {
		err := errors.Join(worker.Close(), filler.Close())
		if before != nil {
			err = errors.Join(err, before())
		}
		return err
	}
	return k, nil
}

// awsBare is the SDK's client, or the service itself.
type awsBare struct{ api awssm.API }

func (b awsBare) get(ctx context.Context, name string) ([]byte, error) {
	got, err := b.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
	if err != nil {
		return nil, err
	}
	return []byte(aws.ToString(got.SecretString)), nil
}

func (b awsBare) create(ctx context.Context, name string, data []byte) error {
	_, err := b.api.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(string(data))})
	return err
}

func (b awsBare) put(ctx context.Context, name string, data []byte) error {
	_, err := b.api.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: aws.String(string(data))})
	return err
}

func (b awsBare) list(ctx context.Context) ([]string, error) {
	var names []string
	in := &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(100)}
	for {
		page, err := b.api.ListSecrets(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, s := range page.SecretList {
			names = append(names, aws.ToString(s.Name))
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return names, nil
		}
	}
}

// replay is the HTTP client of the SDK. It counts the calls. Where CPU is measured, it keeps replies to reads
// until the next write, so that what the service in memory costs is not taken for the client's.
type replay struct {
	service *awssmtest.Service
	off     bool

	mu      sync.Mutex
	made    map[string]int
	replies map[string][]byte
}

func (r *replay) calls() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.made)
}

// Do answers a request, from memory if it is a read that has been answered since the last write.
func (r *replay) Do(request *http.Request) (*http.Response, error) {
	op := strings.TrimPrefix(request.Header.Get("X-Amz-Target"), "secretsmanager.")
	reads := op == "GetSecretValue" || op == "BatchGetSecretValue"
	r.mu.Lock()
	r.made[op]++
	if !reads {
		clear(r.replies)
	}
	r.mu.Unlock()
	if !reads || r.off {
		return r.service.Do(request)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	key := op + string(body)
	r.mu.Lock()
	reply, ok := r.replies[key]
	r.mu.Unlock()
	if ok {
		return &http.Response{
			StatusCode: http.StatusOK, Status: "OK", Request: request,
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amzn-Requestid": {"00000000-0000-0000-0000-000000000000"}},
			Body:   io.NopCloser(bytes.NewReader(reply)), ContentLength: int64(len(reply)),
		}, nil
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	answer, err := r.service.Do(request)
	if err != nil || answer.StatusCode != http.StatusOK {
		return answer, err
	}
	defer answer.Body.Close()
	if reply, err = io.ReadAll(answer.Body); err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(reply))
	r.mu.Lock()
	r.replies[key] = reply
	r.mu.Unlock()
	return answer, nil
}
