// A comparison with a sequential program, for mistakes that no planned case has: random
// operations, people and crashes.

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

// ModelOptions are the options of [Model].
type ModelOptions struct {
	Service
	// Operations is the minimum number of random operations; 0 means 1,000.
	Operations int
	// Pepper is the engine's pepper.
	Pepper []byte
	// WithoutAccessIndex says that the engine leaves access tokens out of its index.
	WithoutAccessIndex bool
	// Rotating makes the index, one of documents, leave out refresh tokens. The processes'
	// own options differ.
	Rotating bool
}

// Model has several processes run random operations on one store, one after the other,
// and compares every answer with that of a program that keeps its tokens in a slice. In
// between, processes restart, die in a save, lose the index and rebuild it; a person
// edits tokens in the service's console; and others keep secrets of their own next to the
// store's. newSecrets returns a new, empty service each time.
//
// Until the token is saved or the index is repaired, the index may or may not have a key
// that a person has edited; a find searches all tokens for it.
//
// The person also overwrites secrets: without an ID, with a single field, with the
// content of another token's secret and, if Service.Edit is set, with data that is not
// JSON. If Service.PutBack is set, the person also puts older content back. A secret that
// is then not a usable token is damaged: it is reported until a save repairs it or it is
// deleted.
//
// A failure is shrunk to few operations. The flags of package rapid, such as
// -rapid.seed, apply; they multiply the number of operations.
func Model(t *testing.T, newSecrets func(t testing.TB) driver.Secrets, engine NewEngine, options ModelOptions) {
	t.Helper()
	wanted := options.Operations
	if wanted == 0 {
		wanted = 1000
	}
	done, failed := 0, false
	for done < wanted && !t.Failed() {
		rapid.Check(t, func(rt *rapid.T) {
			if done >= wanted && !failed {
				return
			}
			succeeded := false
			// A failure is run many times while it is shrunk.
			defer func() { failed = failed || !succeeded }()
			w := newModelWorld(t, rt, newSite(t, newSecrets, engine, options.Service), options)
			actions := w.actions()
			for name, action := range actions {
				actions[name] = func(rt *rapid.T) { done++; action(rt) }
			}
			rt.Repeat(actions)
			w.end(rt)
			succeeded = true
		})
	}
	t.Logf("%d operations", done)
}

// modelClients is the number of processes.
const modelClients = 3

// modelWorld is a store in use, and the model of it.
type modelWorld struct {
	*site
	ctx     context.Context
	rows    *modelRows
	scan    int // the engine's scan limit
	clients []*secretstore.Store
	last    int               // the client that did the last operation
	planted map[string]string // foreign data, by the ID in the secret's name
	died    bool              // a process died in a save
	kept    map[string]version
	read    map[string]tokenstore.Noted // what some client has read, or swapped, by ID
}

// rotating returns the options of a repair after which the index leaves out what it is to
// leave out, even if it was lost.
func (w *modelWorld) rotating() secretstore.ReindexOptions {
	return secretstore.ReindexOptions{Rotating: w.rows.rotating}
}

// version is an earlier content of a token's secret.
type version struct {
	data    []byte
	token   tokenstore.OAuthToken
	created int64
	note    string
}

func newModelWorld(t *testing.T, rt *rapid.T, s *site, options ModelOptions) *modelWorld {
	w := &modelWorld{
		site: s, ctx: t.Context(), clients: make([]*secretstore.Store, modelClients), planted: map[string]string{}, kept: map[string]version{}, read: map[string]tokenstore.Noted{},
		scan: rapid.SampledFrom([]int{0, 1000}).Draw(rt, "scan limit"),
	}
	w.rows = &modelRows{pepper: options.Pepper, withoutAccess: options.WithoutAccessIndex, rotating: options.Rotating, scan: w.scan > 0, foreign: map[string]bool{}, left: map[string]bool{}}
	for i := range w.clients {
		w.restart(rt, i)
	}
	if options.Rotating {
		if _, err := w.clients[0].Reindex(w.ctx, w.rotating()); err != nil {
			rt.Fatalf("reindex: %v", err)
		}
		w.wait(rt)
	}
	return w
}

// restart starts a client again, with an empty memory.
func (w *modelWorld) restart(rt *rapid.T, i int) {
	options := []secretstore.Option{secretstore.WithScanLimit(w.scan)}
	if w.rows.rotating && rapid.Bool().Draw(rt, "own option") {
		options = append(options, secretstore.WithRotating())
	}
	store, err := w.process(nil, options...)
	if err != nil {
		rt.Fatalf("a client cannot be opened: %v", err)
	}
	w.clients[i] = store
}

const (
	// step is the time between two operations. Generations need a clock whose seconds are
	// ahead of the number of writes of any secret.
	step = time.Minute
	// moment is the time between two operations of one client that may still see older
	// states of the service.
	moment = 10 * time.Millisecond
)

// client draws the client of the next operation. If it is not the last one, it waits until
// the service returns the last write.
func (w *modelWorld) client(rt *rapid.T) *secretstore.Store {
	i := rapid.IntRange(0, modelClients-1).Draw(rt, "client")
	if i == w.last && w.service.Settle > 0 {
		w.advance(moment)
	} else {
		w.pass(rt, step)
	}
	w.last = i
	return w.clients[i]
}

// pass lets enough time pass for reads to be current.
func (w *modelWorld) pass(rt *rapid.T, d time.Duration) {
	w.wait(rt)
	w.advance(d)
}

func (w *modelWorld) wait(rt *rapid.T) {
	if err := w.settle(w.ctx); err != nil {
		rt.Fatal(err)
	}
}

// end checks that the store holds the tokens of the model, before and after a repair.
func (w *modelWorld) end(rt *rapid.T) {
	w.wait(rt)
	w.restart(rt, 0)
	w.list(rt, w.clients[0])
	w.untouched(rt)
	for _, r := range slices.Clone(w.rows.rows) {
		if !r.damaged || r.stray {
			continue
		}
		if err := w.clients[0].DeleteToken(w.ctx, r.token.ID); err != nil {
			rt.Fatalf("delete a damaged token: %v", err)
		}
		w.rows.remove(r.token.ID)
	}
	w.wait(rt)
	w.restart(rt, 0)
	w.advance(later)
	if _, err := w.clients[0].Reindex(w.ctx, secretstore.ReindexOptions{}); err != nil {
		rt.Fatalf("reindex: %v", err)
	}
	w.rows.repaired()
	w.wait(rt)
	w.restart(rt, 0)
	w.list(rt, w.clients[0])
	for _, r := range w.rows.rows {
		if r.stray {
			continue
		}
		for _, k := range tokenstore.KeysOf(r.token) {
			w.compareFind(rt, w.clients[0], tokenstore.QueryFor(k))
		}
	}
	if err := clean(w.ctx, w.clients[0]); err != nil {
		rt.Fatal(err)
	}
}

// list compares all tokens, in order, and the number of damaged ones that are named.
func (w *modelWorld) list(rt *rapid.T, s *secretstore.Store) {
	tokens, err := s.GetTokens(w.ctx)
	var want []tokenstore.OAuthToken
	damaged, most := 0, 0
	for _, r := range w.rows.rows {
		switch {
		case r.stray:
		case r.damaged && r.unlisted:
			most++
		case r.damaged:
			damaged, most = damaged+1, most+1
		case !r.unlisted || slices.Contains(tokens, r.token):
			want = append(want, r.token)
		}
	}
	if !slices.Equal(tokens, want) {
		rt.Fatalf("the tokens are\n%s\nwant\n%s", inOrder(tokens), inOrder(want))
	}
	named := 0
	if err != nil {
		many, ok := err.(interface{ Unwrap() []error })
		if !ok || !errors.Is(err, tokenstore.ErrUnreadable) {
			rt.Fatalf("get tokens: %v", err)
		}
		named = len(many.Unwrap())
	}
	if named < damaged || named > most {
		rt.Fatalf("of %d to %d damaged tokens %d are named: %v", damaged, most, named, err)
	}
}

// untouched checks the secrets of others, and the notes of tokens.
func (w *modelWorld) untouched(rt *rapid.T) {
	secrets, err := w.handle()
	if err != nil {
		rt.Fatal(err)
	}
	for _, id := range slices.Sorted(maps.Keys(w.planted)) {
		if !w.rows.foreign[id] {
			continue // A save of the user with this derived ID has turned it into a token.
		}
		name := w.service.Prefix + "tokens/" + id
		secret, err := secrets.Get(w.ctx, name)
		if err != nil || string(secret.Data) != w.planted[id] {
			rt.Fatalf("the foreign secret %s was changed (%v)", name, err)
		}
	}
	for _, r := range w.rows.rows {
		if r.damaged && r.note == "" {
			continue // It may be no object at all.
		}
		note, err := w.readField(w.ctx, secretID(r.token.ID), noteField)
		if err != nil || note != r.note {
			rt.Fatalf("the note of %s is %q, want %q (%v)", describeToken(r.token), note, r.note, err)
		}
	}
}

func inOrder(tokens []tokenstore.OAuthToken) string {
	text := ""
	for _, t := range tokens {
		text += describeToken(t) + " id " + t.ID + "\n"
	}
	return text
}

// compareFind compares a find with the model.
func (w *modelWorld) compareFind(rt *rapid.T, s *secretstore.Store, query tokenstore.OAuthToken) {
	got, err := s.FindToken(w.ctx, query)
	findings := w.rows.find(query)
	fits := func(o finding) bool {
		switch {
		case o.fault:
			return errors.Is(err, tokenstore.ErrUnreadable)
		case o == nothing:
			return errors.Is(err, tokenstore.ErrNotFound)
		}
		return err == nil && got == o.row.token
	}
	if slices.ContainsFunc(findings, fits) {
		return
	}
	rt.Fatalf("find %s\nreturned %s, %v\nwant %s", describeToken(query), describeToken(got), err, describeFindings(findings))
}

func describeFindings(findings []finding) string {
	text := ""
	for i, o := range findings {
		if i > 0 {
			text += " or "
		}
		switch {
		case o.fault:
			text += "an error, because a damaged token may be meant"
		case o == nothing:
			text += "nothing"
		default:
			text += fmt.Sprint(describeToken(o.row.token))
		}
	}
	return text
}
