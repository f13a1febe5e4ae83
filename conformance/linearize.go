// A search for histories that no sequential store can explain, which the planned cases would
// miss.

package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"example.com/tokenstore"
)

// LinearizableOptions are the options of [Linearizable].
type LinearizableOptions struct {
	// Clients is the number of processes; 0 means 8.
	Clients int
	// Operations is the minimum number of operations; 0 means 2,000.
	Operations int
	// Users is the number of users in one history, whom all clients share; 0 means 3.
	Users int
	// Seed seeds the random choices.
	Seed uint64
}

// historyLength is the number of operations of one client in one history.
const historyLength = 25

// Linearizable has clients find, save, swap and delete the tokens of the same users
// concurrently, and checks whether some order of the operations that agrees with real
// time explains every answer. newClient returns another client of the same service, which
// shares nothing else with the others; the service's reads must not be stale. The users
// are its own, and their tokens are deleted after each history.
//
// The users have nothing in common, so each one is checked separately. Some tokens start
// without a user and are adopted.
func Linearizable(t *testing.T, newClient func(t testing.TB) tokenstore.Store, options LinearizableOptions) {
	t.Helper()
	options.Clients = orElse(options.Clients, 8)
	options.Users = orElse(options.Users, 3)
	clients := make([]tokenstore.Store, options.Clients)
	for i := range clients {
		clients[i] = newClient(t)
	}
	total, gaveUp, undecided := 0, 0, 0
	for n := uint64(0); total < orElse(options.Operations, 2000); n++ {
		h := &history{users: options.Users, seed: options.Seed, number: n, start: time.Now()}
		h.run(t.Context(), clients)
		if h.failed != nil {
			t.Fatal(h.failed)
		}
		total, gaveUp = total+len(h.operations), gaveUp+h.gaveUp
		switch result := porcupine.CheckOperationsTimeout(oneUser, h.operations, time.Minute); result {
		case porcupine.Ok:
		case porcupine.Unknown:
			undecided += len(h.operations) // The search took too long, which proves nothing.
		default:
			for _, op := range h.operations {
				t.Logf("client %d, %d to %d: %s", op.ClientId, op.Call, op.Return, oneUser.DescribeOperation(op.Input, op.Output))
			}
			t.Fatal("no order of the operations explains the answers")
		}
		if err := h.clear(t.Context(), clients[0]); err != nil {
			t.Fatalf("the tokens of a history cannot be deleted: %v", err)
		}
	}
	if undecided > total/2 {
		t.Errorf("of %d operations, %d took too long to check", total, undecided)
	}
	t.Logf("%d operations of %d clients are linearizable; %d gave up, %d took too long to check", total-undecided, options.Clients, gaveUp, undecided)
}

func orElse(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// history is one run of all clients.
type history struct {
	users  int
	seed   uint64
	number uint64
	start  time.Time

	mu         sync.Mutex
	operations []porcupine.Operation
	gaveUp     int
	failed     error
}

func (h *history) run(ctx context.Context, clients []tokenstore.Store) {
	var running sync.WaitGroup
	for i, store := range clients {
		running.Go(func() {
			c := &historyClient{history: h, number: i, store: store, seen: map[string]noted{}}
			c.random = rand.New(rand.NewPCG(h.seed, h.number<<16|uint64(i)))
			for n := range historyLength {
				c.step(ctx, n)
			}
		})
	}
	running.Wait()
}

// user returns the name of one of the history's users.
func (h *history) user(number int) string {
	return fmt.Sprintf("u%d@zylker.example:%d-%d", number, h.seed, h.number)
}

// refreshOf returns the refresh token of a user who never rotates it.
func refreshOf(user string) string { return "fake-refresh-" + user }

// clear deletes the remaining tokens, and tries again if the service throttles it.
func (h *history) clear(ctx context.Context, store tokenstore.Store) error {
	return repeated(func() error { return h.clearOnce(ctx, store) }, throttled)
}

func (h *history) clearOnce(ctx context.Context, store tokenstore.Store) error {
	for number := range h.users {
		user := h.user(number)
		token, err := store.FindToken(ctx, tokenstore.OAuthToken{UserName: user})
		if errors.Is(err, tokenstore.ErrNotFound) {
			token, err = store.FindToken(ctx, withClient(tokenstore.OAuthToken{RefreshToken: refreshOf(user)}))
		}
		if err == nil {
			err = store.DeleteToken(ctx, token.ID)
		}
		if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
			return err
		}
	}
	return nil
}

// historyClient is one client in one history. It remembers each user's token as it last
// saw it.
type historyClient struct {
	*history
	number int
	store  tokenstore.Store
	random *rand.Rand
	seen   map[string]noted
}

// action is one operation on the token of one user. Find and save have a token.
type action struct {
	kind  string // "find", "find noted", "save", "swap" or "delete"
	user  string // the user concerned, even if the token does not name one
	token tokenstore.OAuthToken
	id    string
	old   noted  // of a swap
	note  string // of a swap
}

// answer is what the caller of an action sees. Finding nothing, and swapping nothing, is an
// empty token.
type answer struct {
	noted
	swapped bool
}

// step runs one operation and records when it began and ended. An operation that gave up
// has stored nothing and is left out; one that was throttled is repeated.
func (c *historyClient) step(ctx context.Context, n int) {
	in := c.choose(n)
	began := time.Since(c.start).Nanoseconds()
	var out answer
	err := repeated(func() (err error) {
		out, err = in.do(ctx, c.store)
		return err
	}, throttled)
	ended := time.Since(c.start).Nanoseconds()
	if out.ID != "" {
		c.seen[in.user] = out.noted
	}
	out.Read = nil // Only the next swap needs it.
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(err, tokenstore.ErrConflict):
		c.gaveUp++
	case err != nil:
		c.failed = fmt.Errorf("%s: %w", in.kind, err)
	default:
		c.operations = append(c.operations, porcupine.Operation{ClientId: c.number, Input: in, Call: began, Output: out, Return: ended})
	}
}

// choose returns the next operation of a client. Half of them are finds.
//
// No two rows ever share a key, since the contract does not say which of them is found
// first. Every other user rotates the refresh token. The other users keep theirs: by it
// their tokens are also saved without a user, and adopted.
func (c *historyClient) choose(n int) action {
	number := c.random.IntN(c.users)
	in := action{kind: "find", user: c.user(number)}
	value := fmt.Sprintf("fake-%d-%s", n, in.user) + fmt.Sprintf("-%d", c.number)
	last, known := c.seen[in.user]
	rotates := number%2 == 1
	refresh := refreshOf(in.user)
	if rotates {
		refresh = value
	}
	_, swaps := tokenstore.As[tokenstore.Swapper](c.store)
	switch p := c.random.IntN(24); {
	case swaps && known && p%4 == 3:
		in.kind, in.old = "swap", last
		switch c.random.IntN(4) {
		case 0:
			in.token = tokenstore.OAuthToken{AccessToken: value}
		case 1:
			in.token, in.note = tokenstore.OAuthToken{AccessToken: value, GrantToken: value}, last.Note
		case 2:
			in.note = "claim " + strconv.Itoa(c.number) + " " + strconv.Itoa(n)
			in.old.Read = nil
		default:
			in.note = "claim " + strconv.Itoa(c.number) + " " + strconv.Itoa(n)
			if rotates {
				in.token.RefreshToken = value
			}
		}
	case swaps && p%4 == 0:
		in.kind, in.token = "find noted", tokenstore.OAuthToken{UserName: in.user}
	case p < 5 || !known && p < 12:
		in.token = tokenstore.OAuthToken{UserName: in.user}
	case p < 7:
		in.token = withClient(tokenstore.OAuthToken{RefreshToken: last.RefreshToken})
	case p < 9:
		in.token = withClient(tokenstore.OAuthToken{GrantToken: last.GrantToken, RefreshToken: last.RefreshToken})
	case p < 12:
		in.token = tokenstore.OAuthToken{AccessToken: last.AccessToken}
	case p < 15 && known:
		in.kind, in.id = "delete", last.ID
	case p < 19:
		in.kind, in.token = "save", withClient(tokenstore.OAuthToken{UserName: in.user, RefreshToken: refresh, AccessToken: value})
	case p < 22 && !rotates:
		in.kind, in.token = "save", withClient(tokenstore.OAuthToken{RefreshToken: refresh, AccessToken: value})
	default:
		in.kind, in.token = "save", withClient(tokenstore.OAuthToken{UserName: in.user, RefreshToken: refresh, GrantToken: value})
	}
	return in
}

// do runs the operation.
func (a action) do(ctx context.Context, store tokenstore.Store) (out answer, err error) {
	swapper, _ := tokenstore.As[tokenstore.Swapper](store) // Else no swap is chosen.
	switch a.kind {
	case "find":
		out.OAuthToken, err = store.FindToken(ctx, a.token)
	case "find noted":
		out.noted, err = swapper.FindNoted(ctx, a.token)
	case "save":
		out.OAuthToken, err = store.SaveToken(ctx, a.token)
	case "swap":
		out.noted, out.swapped, err = swapper.SwapToken(ctx, a.old, a.token, a.note)
	default:
		err = store.DeleteToken(ctx, a.id)
	}
	if errors.Is(err, tokenstore.ErrNotFound) {
		err = nil
	}
	return out, err
}

func withClient(t tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.ClientID, t.ClientSecret = "fake-client", "fake-client"
	return t
}
