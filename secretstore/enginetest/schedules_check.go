// Checks of an interleaving: the contract says that some order of the operations explains it.

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/index"
	"example.com/tokenstore/secretstore"
)

// randomMark is the prefix of the random IDs of an engine under exploration. They all
// count as equal.
const randomMark = "random"

// outcome is the rows that a run leaves, and the answers of its operations.
type outcome struct {
	rows    string
	answers []string
}

// check compares a run with the same operations one after the other, and checks what it
// leaves.
func (e *explorer) check(ctx context.Context, secrets driver.Secrets, r *race) error {
	rows, err := e.rows(ctx, secrets)
	if err != nil {
		return err
	}
	if err := e.explained(ctx, rows, r); err != nil {
		return err
	}
	return e.settled(ctx, secrets, rows)
}

// rows returns the tokens as a new process sees them, and finds each by each of its keys.
func (e *explorer) rows(ctx context.Context, secrets driver.Secrets) (string, error) {
	store, err := e.open(secrets, "end", runTime, nil)
	if err != nil {
		return "", err
	}
	tokens, err := store.GetTokens(ctx)
	if err != nil {
		return "", fmt.Errorf("the tokens cannot be listed: %w", err)
	}
	for _, token := range tokens {
		for _, k := range tokenstore.KeysOf(token) {
			found, err := store.FindToken(ctx, tokenstore.QueryFor(k))
			if err != nil || !tokenstore.Holds(found, k) {
				return "", fmt.Errorf("a stored token is not found by its %s: %w (%s)", k, err, describeToken(token))
			}
		}
	}
	rows := describeRows(tokens)
	for _, token := range tokens {
		noted, err := store.FindNoted(ctx, tokenstore.OAuthToken{ID: token.ID})
		if err != nil || noted.OAuthToken != token {
			return "", fmt.Errorf("a stored token is not found with its note: %w (%s)", err, describeToken(token))
		}
		if noted.Note != "" {
			rows += fmt.Sprintf("\nnote of %s: %q", token.ID, noted.Note)
		}
	}
	return rows, nil
}

// derivedID returns the ID that is generated for a token.
func derivedID(t tokenstore.OAuthToken) string { return index.Hash(tokenstore.KeysOf(t)[0], nil) }

func describeRows(tokens []tokenstore.OAuthToken) string {
	lines := make([]string, len(tokens))
	for i, t := range tokens {
		lines[i] = describeToken(t)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// describeToken shows a token of the scenarios with its values, which are fakes.
func describeToken(t tokenstore.OAuthToken) string {
	id := t.ID
	if strings.HasPrefix(id, randomMark) {
		id = randomMark
	}
	return fmt.Sprintf("%s: user %q refresh %q access %q grant %q client %q domain %q", id, t.UserName, t.RefreshToken, t.AccessToken, t.GrantToken, t.ClientID, t.APIDomain)
}

// explained looks for an order of the operations that gives the rows and answers seen.
func (e *explorer) explained(ctx context.Context, rows string, r *race) error {
	var tried []string
	for _, order := range orders(r) {
		want, err := e.oneByOne(ctx, order)
		if err != nil {
			return err
		}
		if want.rows == rows && sameAnswers(r, want) {
			return nil
		}
		tried = append(tried, fmt.Sprintf("order %v gives:\n%s\nanswers %q", order, want.rows, want.answers))
	}
	var answers []string
	for _, res := range r.results {
		answers = append(answers, answer(res))
	}
	return fmt.Errorf("no order of the operations explains these rows:\n%s\nand these answers: %q\n%s", rows, answers, strings.Join(tried, "\n"))
}

// orders returns the orders of the operations that agree with real time. Operations that
// crashed may be left out; those that gave up are.
func orders(r *race) [][]int {
	var all [][]int
	var extend func(order []int)
	extend = func(order []int) {
		complete := true
		for i, res := range r.results {
			if slices.Contains(order, i) || errors.Is(res.err, tokenstore.ErrConflict) {
				continue
			}
			if !errors.Is(res.err, errGone) {
				complete = false
			}
			if !slices.ContainsFunc(order, func(j int) bool { return r.before(i, j) }) {
				extend(append(slices.Clone(order), i))
			}
		}
		if complete {
			all = append(all, order)
		}
	}
	extend(nil)
	return all
}

// oneByOne returns the outcome of the operations in an order, one after the
// other, each by a process of its own.
func (e *explorer) oneByOne(ctx context.Context, order []int) (outcome, error) {
	key := fmt.Sprint(order)
	if o, ok := e.expected[key]; ok {
		return o, nil
	}
	secrets := newLedger().process("")
	if err := e.prepare(ctx, secrets); err != nil {
		return outcome{}, err
	}
	o := outcome{answers: make([]string, len(e.scenario.ops))}
	stores, read := map[int]*secretstore.Store{}, map[int]tokenstore.Noted{}
	for _, i := range order {
		store, err := e.open(secrets, fmt.Sprint("p", i), runTime, nil)
		if err != nil {
			return outcome{}, err
		}
		stores[i] = store
		if read[i], err = e.scenario.ops[i].prepare(ctx, store); err != nil {
			return outcome{}, err
		}
	}
	for _, i := range order {
		seen, err := e.scenario.ops[i].do(ctx, stores[i], read[i])
		o.answers[i] = answer(result{i, seen, err})
	}
	var err error
	if o.rows, err = e.rows(ctx, secrets); err != nil {
		return outcome{}, fmt.Errorf("one after the other, in order %v: %w", order, err)
	}
	e.expected[key] = o
	return o, nil
}

// sameAnswers compares the answers that callers saw: none from a crashed process, and
// from an operation that gave up that it did.
func sameAnswers(r *race, want outcome) bool {
	for i, res := range r.results {
		if errors.Is(res.err, errGone) || errors.Is(res.err, tokenstore.ErrConflict) {
			continue
		}
		if answer(res) != want.answers[i] {
			return false
		}
	}
	return true
}

func answer(r result) string {
	if r.err != nil {
		if kind := tokenstore.Kind(r.err); kind != nil {
			return kind.Error()
		}
		return r.err.Error()
	}
	return r.seen.String()
}

// settled checks that a repair, much later, changes no token, adds no key, and leaves
// nothing for a second repair.
func (e *explorer) settled(ctx context.Context, secrets driver.Secrets, rows string) error {
	store, err := e.open(secrets, "repair", endTime, nil)
	if err != nil {
		return err
	}
	report, err := store.Reindex(ctx, secretstore.ReindexOptions{})
	if err != nil {
		return fmt.Errorf("the repair failed: %w", err)
	}
	if report.KeysAdded > 0 {
		return fmt.Errorf("%d keys of stored tokens were missing in the index", report.KeysAdded)
	}
	after, err := e.rows(ctx, secrets)
	if err != nil {
		return fmt.Errorf("after the repair: %w", err)
	}
	if after != rows {
		return fmt.Errorf("the repair changed the rows from\n%s\nto\n%s", rows, after)
	}
	again, err := store.Check(ctx)
	if err != nil {
		return fmt.Errorf("the check after the repair failed: %w", err)
	}
	if left := again.KeysAdded + again.HintsRemoved + again.HintsYoung + again.TombstonesSwept + again.Tombstones + again.IndexSwept; left > 0 {
		return fmt.Errorf("the repair left something behind: %+v", again)
	}
	return nil
}
