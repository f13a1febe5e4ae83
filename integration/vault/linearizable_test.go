package vault_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"example.com/tokenstore"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/vault"
)

// operations is how many operations TestLinearizable makes: by default 100,000 where
// the integration tests are required, as in CI, a tenth of that otherwise, and few with
// -short.
var operations = flag.Int("vault.operations", 0, "operations of the linearizability test")

func wantedOperations() int {
	switch {
	case *operations > 0:
		return *operations
	case testing.Short():
		return 2_000
	case os.Getenv(need.EnvRequired) == "required":
		return 100_000
	}
	return 10_000
}

const (
	historyClients = 8
	historyUsers   = 4
	historyLength  = 25 // operations of one client in one history
	sideBySide     = 4  // concurrent histories
)

// action is an operation of a history; outcome is its result.
type action struct {
	kind            string // "find", "find by access", "save", "delete"
	user            string
	id              string // of a delete
	access, refresh string // of a save, and of a find by access
}

type outcome struct {
	found           bool
	id              string
	access, refresh string
}

// row is the state of one user: the same as the outcome of a find.
type row = outcome

// oneRow is the contract for a single user, as a sequential program.
var oneRow = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byUser := map[string][]porcupine.Operation{}
		for _, op := range history {
			user := op.Input.(action).user
			byUser[user] = append(byUser[user], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byUser {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return row{} },
	Step: func(state, input, output any) (bool, any) {
		return step(state.(row), input.(action), output.(outcome))
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
}

func step(now row, in action, out outcome) (bool, any) {
	switch in.kind {
	case "find":
		return out == now, now
	case "find by access":
		if !now.found || now.access != in.access {
			return !out.found, now
		}
		return out == now, now
	case "delete":
		if now.found && now.id == in.id {
			return true, row{}
		}
		return true, now
	}
	next := row{found: true, id: out.id, access: now.access, refresh: now.refresh}
	if in.access != "" {
		next.access = in.access
	}
	if in.refresh != "" {
		next.refresh = in.refresh
	}
	return out == next && (!now.found || now.id == out.id), next
}

// TestLinearizable lets clients that share only the server find, save and delete the
// same users concurrently, and checks that some order of the operations, consistent
// with real time, explains every answer. Histories are short, so that the check is
// feasible, and a few run concurrently.
func TestLinearizable(t *testing.T) {
	t.Parallel() // It waits for the server most of the time.
	client := newClient(t)
	mount := newMount(t, client, "2")
	histories := int64(max(1, wantedOperations()/(historyClients*historyLength)))
	var next, total, conflicts atomic.Int64
	var running sync.WaitGroup
	for range sideBySide {
		running.Go(func() {
			for h := next.Add(1); h <= histories && !t.Failed(); h = next.Add(1) {
				// A find of a missing token, or by an access token that was replaced, would read
				// all tokens that other histories have left.
				var stores [historyClients]*secretstore.Store
				for i := range stores {
					stores[i] = newStore(t, client, vault.WithMount(mount), vault.WithPrefix(fmt.Sprintf("history-%d/", h)),
						vault.WithStoreOptions(secretstore.WithScanLimit(0)))
				}
				history, gaveUp, err := record(t.Context(), stores[:], int(h))
				if err != nil {
					t.Error(err)
					return
				}
				total.Add(int64(len(history)))
				conflicts.Add(int64(gaveUp))
				judge(t, h, history)
			}
		})
	}
	running.Wait()
	t.Logf("%d operations of %d clients each in %d histories are linearizable; %d saves gave up", total.Load(), historyClients, histories, conflicts.Load())
}

func judge(t *testing.T, h int64, history []porcupine.Operation) {
	t.Helper()
	result := porcupine.CheckOperationsTimeout(oneRow, history, time.Minute)
	if result == porcupine.Ok {
		return
	}
	for _, op := range history {
		t.Logf("%d %d-%d %s", op.ClientId, op.Call, op.Return, oneRow.DescribeOperation(op.Input, op.Output))
	}
	t.Errorf("history %d: %v", h, result)
}

// record runs one history on users of its own.
func record(ctx context.Context, stores []*secretstore.Store, h int) (history []porcupine.Operation, gaveUp int, failed error) {
	var mu sync.Mutex
	var running sync.WaitGroup
	start := time.Now()
	for c, store := range stores {
		running.Go(func() {
			random := rand.New(rand.NewPCG(uint64(h), uint64(c)))
			seen := map[string]row{} // by user, for deletes and finds by access
			for n := range historyLength {
				in := choose(random, h, c, n, seen)
				call := time.Since(start).Nanoseconds()
				out, err := act(ctx, store, in)
				end := time.Since(start).Nanoseconds()
				if out.found {
					seen[in.user] = out
				}
				mu.Lock()
				switch {
				case errors.Is(err, tokenstore.ErrConflict): // It says that nothing was stored.
					gaveUp++
				case err != nil:
					failed = fmt.Errorf("%s: %w", in.kind, err)
				default:
					history = append(history, porcupine.Operation{ClientId: c, Input: in, Call: call, Output: out, Return: end})
				}
				mu.Unlock()
			}
		})
	}
	running.Wait()
	return history, gaveUp, failed
}

// choose returns a client's next action: three in four are finds.
func choose(random *rand.Rand, h, c, n int, seen map[string]row) action {
	in := action{user: fmt.Sprintf("mail@example.com:%d-%d", h, random.IntN(historyUsers))}
	last, known := seen[in.user]
	value := fmt.Sprintf("%d-%d-%d", h, c, n)
	switch p := random.IntN(100); {
	case p < 62:
		in.kind = "find"
	case p < 75 && known && last.access != "":
		in.kind, in.access = "find by access", last.access
	case p < 80 && known:
		in.kind, in.id = "delete", last.id
	case p < 95:
		in.kind, in.access = "save", "fake-access-"+value
	default:
		in.kind, in.refresh = "save", "fake-refresh-"+value
	}
	return in
}

// act performs an action.
func act(ctx context.Context, store *secretstore.Store, in action) (outcome, error) {
	var got tokenstore.OAuthToken
	var err error
	switch in.kind {
	case "find":
		got, err = store.FindToken(ctx, tokenstore.OAuthToken{UserName: in.user})
	case "find by access":
		got, err = store.FindToken(ctx, tokenstore.OAuthToken{AccessToken: in.access})
	case "delete":
		return outcome{}, store.DeleteToken(ctx, in.id)
	default:
		got, err = store.SaveToken(ctx, tokenstore.OAuthToken{UserName: in.user, AccessToken: in.access, RefreshToken: in.refresh})
	}
	if errors.Is(err, tokenstore.ErrNotFound) {
		return outcome{}, nil
	}
	if err != nil {
		return outcome{}, err
	}
	return outcome{true, got.ID, got.AccessToken, got.RefreshToken}, nil
}
