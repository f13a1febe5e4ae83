// Exhaustive interleavings of two operations. Races of the engine need one certain order of
// calls, which random tests seldom hit.

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

// NewEngine returns the engine under test over secrets. The suite's options
// make it deterministic: a clock that stands still, no pauses, no randomness.
type NewEngine func(secrets driver.Secrets, options ...secretstore.Option) (*secretstore.Store, error)

// ScheduleOptions limit what [Schedules] explores.
type ScheduleOptions struct {
	// Full explores all pairs of operations from all starting states, with a crash at
	// every point; otherwise only the pairs that the protocol names are explored.
	Full bool
	// Switches limits how often in one run a process that could continue has to wait for
	// the other one. Few races need more than three. Zero means no limit; then a pair of
	// operations that make each other retry has so many interleavings that it takes
	// minutes.
	Switches int
	// Threes is the number of random interleavings of three operations.
	Threes int
	// Seed seeds the random choices.
	Seed uint64
	// Rotating also explores the races of rotated refresh tokens, which an index may leave
	// out, and those of a repair that makes it do so.
	Rotating bool
	// WithoutAccessIndex says that the engine leaves access tokens out of its index.
	WithoutAccessIndex bool
	// Own, if not nil, returns more options of the engine of one process: "s0" and so on for
	// those that create the starting state, "p0" and so on for those that race, and others for
	// those that check the outcome.
	Own func(process string) []secretstore.Option
}

// Schedules runs the interleavings of the backend calls of two operations, all of them
// or those with few switches, depth first and by replay, each with and without a crash of
// one operation at every point. It also runs random interleavings of three operations.
// An interleaving that reaches a state where another one has been is not continued.
//
// At the end of each one, some order of the same operations, one after the other and in
// agreement with real time, must give the same rows and the same answers; every row must
// be found by each of its keys through the index; an operation that crashed or gave up
// must have happened completely or not at all; and the repair must leave nothing behind.
func Schedules(t *testing.T, engine NewEngine, options ScheduleOptions) {
	t.Helper()
	runs := 0
	for _, s := range scenarios(options) {
		t.Run(s.name(), func(t *testing.T) {
			n, err := exploreAll(t.Context(), newExplorer(engine, s, options.Own, options.Switches))
			runs += n
			if err != nil {
				t.Error(err)
			}
		})
	}
	t.Logf("%d interleavings of two operations", runs)
	if options.Threes > 0 {
		t.Run("threes", func(t *testing.T) { randomThrees(t, engine, options) })
	}
}

// operation is one call of a store, by one process.
type operation struct {
	name string
	// first, if set, is called before any of the operations begins.
	first func(context.Context, *secretstore.Store) (tokenstore.Noted, error)
	// do gets what first has returned, and returns what the caller sees, except for errors.
	do func(ctx context.Context, s *secretstore.Store, read tokenstore.Noted) (reply, error)
}

// prepare calls first.
func (op operation) prepare(ctx context.Context, s *secretstore.Store) (read tokenstore.Noted, err error) {
	if op.first != nil {
		read, err = op.first(ctx, s)
	}
	return read, err
}

// reply is what the caller of an operation sees.
type reply struct {
	token tokenstore.OAuthToken
	note  string
	lost  bool // a swap that did not happen
}

func (r reply) String() string {
	text := describeToken(r.token)
	if r.note != "" {
		text += fmt.Sprintf(" note %q", r.note)
	}
	if r.lost {
		text = "not swapped: " + text
	}
	return text
}

// scenario is a starting state and operations that run at the same time.
type scenario struct {
	start []operation
	ops   []operation
}

func (s scenario) name() string {
	name := "from"
	for _, op := range s.start {
		name += " " + op.name
	}
	if len(s.start) == 0 {
		name += " nothing"
	}
	name += ":"
	for i, op := range s.ops {
		if i > 0 {
			name += " |"
		}
		name += " " + op.name
	}
	return name
}

// exploreAll explores a scenario, with and without crashes.
func exploreAll(ctx context.Context, e *explorer) (runs int, err error) {
	if err := e.explore(ctx, noCrash); err != nil {
		return e.runs, err
	}
	for process, longest := range slices.Clone(e.longest) {
		for calls := range longest {
			if err := e.explore(ctx, crash{process, calls}); err != nil {
				return e.runs, err
			}
		}
	}
	return e.runs, nil
}

// randomThrees runs random interleavings of three random operations.
func randomThrees(t *testing.T, engine NewEngine, options ScheduleOptions) {
	r := rand.New(rand.NewPCG(options.Seed, 3))
	ops, starts := allOperations(), allStarts()
	if options.Rotating {
		// Not those by r2: a save or find by it, next to an insert without a user and a
		// rotation to it, has the one outcome that is not promised.
		ops = append(ops, reindexing)
	}
	if options.WithoutAccessIndex {
		// Where a token is inserted by an access token alone while another one gets it, a find
		// by it may return either, which is not promised to fit a third operation.
		ops = slices.DeleteFunc(ops, func(o operation) bool { return o.name == saveA1.name })
	}
	for range options.Threes {
		s := scenario{start: starts[r.IntN(len(starts))]}
		for range 3 {
			s.ops = append(s.ops, ops[r.IntN(len(ops))])
		}
		e := newExplorer(engine, s, options.Own, 0)
		dead := noCrash
		if r.IntN(3) == 0 {
			dead = crash{r.IntN(3), r.IntN(8)}
		}
		if err := e.random(t.Context(), r, dead); err != nil {
			t.Errorf("%s: %v", s.name(), err)
			return
		}
	}
	t.Logf("%d random interleavings of three operations", options.Threes)
}

// The fake values of the scenarios.
const (
	user1, user2 = "u1@zylker.example:1", "u2@zylker.example:2"
	client       = "fake-client"
)

func save(name string, token tokenstore.OAuthToken) operation {
	return operation{name: "save " + name, do: func(ctx context.Context, s *secretstore.Store, _ tokenstore.Noted) (reply, error) {
		saved, err := s.SaveToken(ctx, token)
		return reply{token: saved}, err
	}}
}

func find(name string, query tokenstore.OAuthToken) operation {
	return operation{name: "find " + name, do: func(ctx context.Context, s *secretstore.Store, _ tokenstore.Noted) (reply, error) {
		found, err := s.FindToken(ctx, query)
		return reply{token: found}, err
	}}
}

// remove deletes the token that query finds, as an application does: it first looks up
// the ID.
func remove(name string, query tokenstore.OAuthToken) operation {
	return operation{name: "delete " + name, do: func(ctx context.Context, s *secretstore.Store, _ tokenstore.Noted) (reply, error) {
		return reply{}, s.DeleteToken(ctx, derivedID(query))
	}}
}

// swap replaces the token of user1 if it is still old.
func swap(name string, old tokenstore.Noted, next tokenstore.OAuthToken, note string) operation {
	old.ID = derivedID(old.OAuthToken)
	return operation{name: "swap " + name, do: func(ctx context.Context, s *secretstore.Store, _ tokenstore.Noted) (reply, error) {
		now, swapped, err := s.SwapToken(ctx, old, next, note)
		return reply{now.OAuthToken, now.Note, err == nil && !swapped}, err
	}}
}

// swapRead is swap of what the process has read before the operations begin.
func swapRead(name string, next tokenstore.OAuthToken, note string) operation {
	return operation{
		name: "swap read " + name,
		first: func(ctx context.Context, s *secretstore.Store) (tokenstore.Noted, error) {
			read, err := s.FindNoted(ctx, tokenstore.OAuthToken{UserName: user1})
			if errors.Is(err, tokenstore.ErrNotFound) { // The starting state has no such user.
				return tokenstore.Noted{OAuthToken: tokenstore.OAuthToken{ID: derivedID(tokenstore.OAuthToken{UserName: user1})}}, nil
			}
			return read, err
		},
		do: func(ctx context.Context, s *secretstore.Store, read tokenstore.Noted) (reply, error) {
			now, swapped, err := s.SwapToken(ctx, read, next, note)
			return reply{now.OAuthToken, now.Note, err == nil && !swapped}, err
		},
	}
}

func repair(name string, options secretstore.ReindexOptions) operation {
	return operation{name: name, do: func(ctx context.Context, s *secretstore.Store, _ tokenstore.Noted) (reply, error) {
		_, err := s.Reindex(ctx, options)
		return reply{}, err
	}}
}

// withClient adds the client values that a find by refresh or grant token needs.
func withClient(t tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.ClientID, t.ClientSecret = client, client
	return t
}

var (
	saveU1R1   = save("u1 r1", withClient(tokenstore.OAuthToken{UserName: user1, RefreshToken: "r1", AccessToken: "a1"}))
	saveU1R2   = save("u1 r2", withClient(tokenstore.OAuthToken{UserName: user1, RefreshToken: "r2", AccessToken: "a2"}))
	saveU2R1   = save("u2 r1", withClient(tokenstore.OAuthToken{UserName: user2, RefreshToken: "r1"}))
	saveU1A3   = save("u1 a3", tokenstore.OAuthToken{UserName: user1, AccessToken: "a3"})
	saveR1     = save("r1", withClient(tokenstore.OAuthToken{RefreshToken: "r1"}))
	saveR1A4   = save("r1 a4", withClient(tokenstore.OAuthToken{RefreshToken: "r1", AccessToken: "a4"}))
	saveG1     = save("g1", withClient(tokenstore.OAuthToken{GrantToken: "g1"}))
	saveG1R1   = save("g1 r1", withClient(tokenstore.OAuthToken{GrantToken: "g1", RefreshToken: "r1"}))
	saveU1G1R2 = save("u1 g1 r2", withClient(tokenstore.OAuthToken{UserName: user1, GrantToken: "g1", RefreshToken: "r2"}))
	saveA1     = save("a1", tokenstore.OAuthToken{AccessToken: "a1"})
	saveXU1    = save("id x u1", withClient(tokenstore.OAuthToken{ID: "x", UserName: user1, RefreshToken: "r1"}))
	saveXR2    = save("id x r2", withClient(tokenstore.OAuthToken{ID: "x", RefreshToken: "r2"}))
	findU1     = find("u1", tokenstore.OAuthToken{UserName: user1})
	findR1     = find("r1", withClient(tokenstore.OAuthToken{RefreshToken: "r1"}))
	findA1     = find("a1", tokenstore.OAuthToken{AccessToken: "a1"})
	deleteU1   = remove("u1", tokenstore.OAuthToken{UserName: user1})
	deleteR1   = remove("r1", tokenstore.OAuthToken{RefreshToken: "r1"})
	deleteG1   = remove("g1", tokenstore.OAuthToken{GrantToken: "g1"})
	reindex    = repair("reindex", secretstore.ReindexOptions{})

	// The swaps are of the token that saveU1R1 stores, as it is then, and after claim1.
	oldR1      = tokenstore.Noted{OAuthToken: tokenstore.OAuthToken{UserName: user1, RefreshToken: "r1", AccessToken: "a1"}}
	claimedR1  = tokenstore.Noted{OAuthToken: oldR1.OAuthToken, Note: "claim 1"}
	toR2       = tokenstore.OAuthToken{RefreshToken: "r2", AccessToken: "a5"}
	saveU1D    = save("u1 d", tokenstore.OAuthToken{UserName: user1, APIDomain: "d"})
	claim1     = swap("u1 claim 1", oldR1, tokenstore.OAuthToken{}, "claim 1")
	claim2     = swapRead("u1 claim 2", tokenstore.OAuthToken{}, "claim 2")
	rotate     = swap("u1 r2 a5", oldR1, toR2, "")
	rotateRead = swapRead("u1 r2 a5", toR2, "")
	finish     = swap("u1 claimed r2 a5", claimedR1, toR2, "")
)

// What races with rotations.
var (
	saveR2     = save("r2", withClient(tokenstore.OAuthToken{RefreshToken: "r2"}))
	saveR2A5   = save("r2 a5", withClient(tokenstore.OAuthToken{RefreshToken: "r2", AccessToken: "a5"}))
	saveG2R2   = save("g2 r2", withClient(tokenstore.OAuthToken{GrantToken: "g2", RefreshToken: "r2"}))
	saveU2R2   = save("u2 r2", withClient(tokenstore.OAuthToken{UserName: user2, RefreshToken: "r2"}))
	findR2     = find("r2", withClient(tokenstore.OAuthToken{RefreshToken: "r2"}))
	reindexing = repair("reindex --rotating", secretstore.ReindexOptions{Rotating: true})
)

func allOperations() []operation {
	return []operation{
		saveU1R1, saveU1R2, saveU2R1, saveU1A3, saveR1, saveR1A4, saveG1, saveG1R1, saveU1G1R2, saveA1, saveXU1, saveXR2,
		findU1, findR1, findA1, deleteU1, deleteR1, deleteG1, reindex, claim1, rotateRead, finish,
	}
}

// allStarts are the small starting states: nothing, one row, one deleted row, and rows
// that share a key.
func allStarts() [][]operation {
	return [][]operation{
		{}, {saveU1R1}, {saveR1}, {saveG1R1}, {saveU1R1, deleteU1}, {saveR1, deleteR1}, {saveU2R1, saveR1},
		{saveU1R1, saveU1R2}, {saveXU1}, {saveA1}, {saveU1R1, claim1},
	}
}

// scenarios returns the pairs to explore. It does not pair operations that change nothing
// with each other.
func scenarios(options ScheduleOptions) []scenario {
	var more []scenario
	if options.Rotating {
		more = rotatingPairs()
	}
	if options.WithoutAccessIndex {
		more = append(more, accessPairs()...)
	}
	if !options.Full {
		return append(namedPairs(), more...)
	}
	reads := map[string]bool{findU1.name: true, findR1.name: true, findA1.name: true}
	ops := allOperations()
	var all []scenario
	for _, start := range allStarts() {
		for i, a := range ops {
			for _, b := range ops[i:] {
				if !(reads[a.name] && reads[b.name]) {
					all = append(all, scenario{start, []operation{a, b}})
				}
			}
		}
	}
	return append(all, more...)
}

// rotatingPairs are the races of refresh tokens that an index may leave out. In most of them
// the user's token has been rotated from r1 to r2.
func rotatingPairs() []scenario {
	rotated := []operation{saveU1R1, saveU1R2}
	return []scenario{
		{nil, []operation{saveR1, saveU1R1}}, // an insert without a user, and one of a user by the same token
		{nil, []operation{saveG1R1, saveU1R1}},
		{[]operation{saveU1R1}, []operation{saveU1R2, saveR2}},         // a rotation, and an insert without a user by the same token
		{[]operation{saveU1R1}, []operation{saveU1R2, saveU2R2}},       // the same, of another user
		{[]operation{saveU1R1}, []operation{saveU1R2, saveG2R2}},       // the same, with a key that is looked up first
		{[]operation{saveU1R1, saveR2}, []operation{saveU1R2, findR2}}, // a token without a user has it already
		{[]operation{saveU1R1, saveR2}, []operation{saveU1R2, saveU2R2}},
		{rotated, []operation{saveU1R1, findR2}}, // the token that is not in the index goes
		{rotated, []operation{saveU1R1, saveR2}},
		{rotated, []operation{saveU1R1, saveU2R2}},
		{rotated, []operation{saveR2A5, saveR2}}, // two saves that find it only among the tokens
		{rotated, []operation{saveR2, saveU2R2}},
		{rotated, []operation{saveR2, deleteU1}},
		{rotated, []operation{saveR1, saveU2R1}}, // by the token that has gone, whose hint is left
		{rotated, []operation{saveR1, saveU1R1}},
		{rotated, []operation{saveR2, reindex}},
		{rotated, []operation{saveU1R1, reindex}},
		{[]operation{saveR1}, []operation{saveU1R2, saveR1A4}}, // an adoption by another token, which is no rotation
		{[]operation{saveR1, saveU1R1}, []operation{saveU1R2, saveR1}},
		{[]operation{saveU1R1}, []operation{reindexing, saveU1R2}}, // the repair that makes the index leave them out
		{[]operation{saveU1R1}, []operation{reindexing, findR1}},
		{rotated, []operation{reindexing, saveR2}},
		{rotated, []operation{reindexing, saveU2R2}},
		{nil, []operation{reindexing, saveU1R1}},
	}
}

// accessPairs are the races of access tokens that an index may leave out.
func accessPairs() []scenario {
	return []scenario{
		{nil, []operation{saveA1, saveA1}},   // two inserts by the only key, which is in the index
		{nil, []operation{saveA1, saveU1R1}}, // one, and an insert of a user with the same access token
		{nil, []operation{findA1, saveU1R1}},
		{[]operation{saveU1R1}, []operation{saveA1, saveU1A3}}, // the user's access token is replaced
		{[]operation{saveU1R1}, []operation{findA1, saveU1A3}},
		{[]operation{saveU1R1}, []operation{saveA1, deleteU1}},
		{[]operation{saveU1R1}, []operation{saveA1, reindex}},
		{[]operation{saveU1R1, saveU1A3}, []operation{saveA1, saveU1R1}}, // it comes back
		{[]operation{saveR1}, []operation{saveR1A4, saveU1R1}},           // a token without a user gets one, and a user
	}
}

// namedPairs are the races for which the protocol was designed.
func namedPairs() []scenario {
	return []scenario{
		{nil, []operation{saveU1R1, saveU1R2}},                            // two inserts of one user
		{nil, []operation{saveU1R1, saveXU1}},                             // the same, under different IDs
		{nil, []operation{saveR1, saveR1A4}},                              // two inserts of one ownerless refresh token
		{nil, []operation{saveG1, saveG1R1}},                              // an insert by a key that the other one looks up first
		{[]operation{saveR1}, []operation{saveU1R1, saveU1R2}},            // an insert of a user and an adoption by the same user
		{[]operation{saveG1R1}, []operation{saveU1G1R2, saveU1R1}},        // two adoptions
		{[]operation{saveR1}, []operation{saveU1R1, saveU2R1}},            // two users adopt one row
		{[]operation{saveU1R1}, []operation{saveU1R2, deleteU1}},          // a save and a delete
		{[]operation{saveU1R1, deleteU1}, []operation{saveU1R2, reindex}}, // a re-creation and a sweep
		{[]operation{saveU1R1}, []operation{saveU1R2, saveU1R1}},          // a rotation there and back
		{[]operation{saveU1R1}, []operation{saveU1R2, findR1}},
		{[]operation{saveR1}, []operation{saveU1R1, findR1}},
		{[]operation{saveU1R1}, []operation{deleteU1, saveU1R1}},
		{[]operation{saveU1R1}, []operation{saveU1R2, reindex}},

		{[]operation{saveU1R1}, []operation{claim1, claim2}}, // two claims
		{[]operation{saveU1R1}, []operation{claim2, rotate}},
		{[]operation{saveU1R1, claim1}, []operation{finish, rotateRead}},                 // a claim that was taken over
		{[]operation{saveU1R1}, []operation{rotateRead, saveU1R2}},                       // a rotation and a login
		{[]operation{saveU1R1}, []operation{rotateRead, saveU1A3}},                       // a program that saves without a swap
		{[]operation{saveU1R1}, []operation{rotateRead, saveU1D}},                        // another field
		{[]operation{saveU1R1}, []operation{claim2, saveU1R1}},                           // a save that changes nothing
		{[]operation{saveU1R1}, []operation{rotateRead, saveXR2}},                        // an insert with the same new key
		{[]operation{saveU1R1, saveR1}, []operation{rotateRead, saveU2R1}},               // an adoption by the old one
		{[]operation{saveU1R1}, []operation{rotateRead, deleteU1}},                       // a deletion
		{[]operation{saveU1R1, deleteU1}, []operation{claim1, saveU1R1}},                 // a deletion, and the same again
		{[]operation{saveU1R1}, []operation{rotateRead, findR1}},                         // a key that goes
		{[]operation{saveU1R1, claim1}, []operation{finish, reindex}},                    // a repair
		{[]operation{saveU1R1, claim1, saveU1D}, []operation{finish, claim2}},            // a save that keeps the note
		{[]operation{saveU1R1, claim1, deleteU1, saveU1R1}, []operation{finish, claim2}}, // a deletion that drops it
	}
}

// errGone is the error of a process's calls after it crashed. It is not an outcome: no
// caller sees it.
var errGone = errors.New("the process has died")

// startTime is when the starting state is created, and runTime when the operations run,
// after any grace period.
var (
	startTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	runTime   = startTime.Add(48 * time.Hour)
	endTime   = runTime.Add(48 * time.Hour)
)

// attempts limits how often an operation is retried. A third attempt does nothing that a
// first one does not do in another interleaving.
const attempts = 2

// open returns the deterministic engine of one process. again, if not nil, is called when
// the operation is retried.
func (e *explorer) open(secrets driver.Secrets, process string, now time.Time, again func()) (*secretstore.Store, error) {
	ids := 0
	return e.engine(secrets, append(e.own(process),
		secretstore.WithClock(func() time.Time { return now }),
		secretstore.WithSleep(func(ctx context.Context, _ time.Duration) error { return ctx.Err() }),
		secretstore.WithRandom(func() float64 { return 0.5 }),
		secretstore.WithRandomID(func() (string, error) { ids++; return fmt.Sprintf("%s%s%d", randomMark, process, ids), nil }),
		secretstore.WithLogger(slog.New(restarts{slog.DiscardHandler, again})),
		secretstore.WithScanLimit(0), secretstore.WithParallelism(1), secretstore.WithAttempts(attempts), secretstore.WithGrace(24*time.Hour),
	)...)
}

// restarts detects in the engine's log that an operation is retried.
type restarts struct {
	slog.Handler
	again func()
}

func (r restarts) Enabled(context.Context, slog.Level) bool { return r.again != nil }

func (r restarts) Handle(_ context.Context, record slog.Record) error {
	if strings.HasSuffix(record.Message, "starting again") {
		r.again()
	}
	return nil
}
