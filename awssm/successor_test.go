// The rules by which losers leave no version: who stores one, who waits, and who tries
// again under a random ID.

package awssm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
)

// together puts data over one revision from n processes at once, and returns which
// succeeded. data makes the data of each.
func (b *bench) together(n int, revision string, driverOf func() *secrets, data func(int) string) (won []int) {
	b.Helper()
	results := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		s := driverOf()
		wg.Go(func() {
			<-start
			_, results[i] = s.Put(b.Context(), driver.Secret{Name: "a/x", Data: []byte(data(i)), Revision: revision})
		})
	}
	close(start)
	wg.Wait()
	for i, err := range results {
		switch {
		case err == nil:
			won = append(won, i)
		case !errors.Is(err, driver.ErrConflict):
			b.Errorf("process %d: %v", i, err)
		}
	}
	return won
}

// counted is data that differs between processes, and same is data that does not.
func counted(i int) string { return fmt.Sprintf(`{"n":"by %d"}`, i) }
func same(int) string      { return `{"n":"the same"}` }

// Of many processes that replace one revision at once, one stores a version.
func TestLosersLeaveNoVersions(t *testing.T) {
	for name, data := range map[string]func(int) string{"different data": counted, "the same data": same} {
		t.Run(name, func(t *testing.T) {
			config := awssmtest.Real()
			config.Rates = false // They are more in a second than the service allows.
			inTime(t, config, func(b *bench) {
				r := b.put("a/x", `{"n":"0"}`, "")
				won := b.together(128, r, func() *secrets { return b.another(b.service) }, data)
				if len(won) != 1 {
					b.Fatalf("%d processes have won", len(won))
				}
				if n := b.service.Versions("a/x"); n != 2 {
					b.Errorf("%d versions, want the replaced one and one other", n)
				}
				b.wantData("a/x", data(won[0]))
			})
		})
	}
}

// A secret without a version, as a template makes it: one process fills it. If it is
// deleted and made again, its first version has another ID.
func TestFirstVersions(t *testing.T) {
	inTime(t, awssmtest.Real(), firstVersions, WithForceDelete())
}

func firstVersions(b *bench) {
	var revisions []string
	for range 2 {
		if _, err := b.service.CreateSecret(b.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("a/x")}); err != nil {
			b.Fatal(err)
		}
		won := b.together(8, "", func() *secrets { return b.another(b.service) }, counted)
		if len(won) != 1 {
			b.Fatalf("%d processes have won", len(won))
		}
		b.wantData("a/x", counted(won[0]))
		revisions = append(revisions, b.get("a/x").Revision)
		if err := b.secrets.Delete(b.Context(), "a/x", revisions[len(revisions)-1]); err != nil {
			b.Fatal(err)
		}
		b.clock.Advance(time.Hour)
	}
	if revisions[0] == revisions[1] {
		b.Error("two writes have one revision")
	}
}

// stopped is a process that ends before it moves a label.
type stopped struct{ API }

func (stopped) UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput, ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	return nil, &smithy.GenericAPIError{Code: "AccessDeniedException", Fault: smithy.FaultClient}
}

// abandon leaves the version that a process stores before it dies, before the move.
func (b *bench) abandon(revision string) {
	b.Helper()
	before := b.service.Versions("a/x")
	_, err := b.another(stopped{b.service}).Put(b.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"abandoned"}`), Revision: revision})
	if !errors.Is(err, driver.ErrDenied) || b.service.Versions("a/x") != before+1 {
		b.Fatalf("%d versions, %v", b.service.Versions("a/x"), err)
	}
}

// A process dies between its two calls: the next writer waits for a moment, and then
// succeeds. What the dead one stored never becomes current.
func TestWriterDiesBeforeTheMove(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", `{"n":"0"}`, "")
	b.abandon(r)
	b.wantData("a/x", `{"n":"0"}`)
	next, began := b.another(b.service), b.clock.Now()
	next2, err := next.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"1"}`), Revision: r})
	if err != nil {
		t.Fatal(err)
	}
	if waited := b.clock.Now().Sub(began); waited < time.Second/2 || waited > 5*time.Second {
		t.Errorf("it took %v", waited)
	}
	b.wantData("a/x", `{"n":"1"}`)
	// The writers after it go on as always.
	began = b.clock.Now()
	if _, err := next.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"2"}`), Revision: next2}); err != nil {
		t.Fatal(err)
	}
	if waited := b.clock.Now().Sub(began); waited > time.Second/2 {
		t.Errorf("the next write took %v", waited)
	}
	if n := b.service.Versions("a/x"); n != 4 {
		t.Errorf("%d versions", n)
	}
}

// Many writers meet the version of a dead one: one of them wins, and nothing is lost.
func TestManyWritersAfterADeadOne(t *testing.T) {
	inTime(t, awssmtest.Real(), func(b *bench) {
		r := b.put("a/x", `{"n":"0"}`, "")
		b.abandon(r)
		won := b.together(16, r, func() *secrets { return b.another(b.service) }, counted)
		if len(won) != 1 {
			b.Fatalf("%d processes have won", len(won))
		}
		b.wantData("a/x", counted(won[0]))
	})
}

// A person moves AWSCURRENT back to a version that has been replaced, so its successor
// exists for good. Writes go on from there, each time.
func TestWritesAfterARollback(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	old := b.put("a/x", `{"n":"0"}`, "")
	for i := range 3 {
		now := old
		for n := range 1 + i {
			now = b.put("a/x", fmt.Sprintf(`{"n":"%d-%d"}`, i, n), now)
		}
		if _, err := b.service.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
			SecretId: aws.String("a/x"), VersionStage: aws.String(current), MoveToVersionId: &old, RemoveFromVersionId: &now,
		}); err != nil {
			t.Fatal(err)
		}
		b.clock.Advance(time.Minute)
		b.wantData("a/x", `{"n":"0"}`)
	}
	last := b.put("a/x", `{"n":"last"}`, old)
	b.wantData("a/x", `{"n":"last"}`)
	if b.get("a/x").Revision != last {
		t.Error("another version is current")
	}
}

// A base that was replaced long ago is refused at once, without a new version.
func TestReplacedRevisionIsRefusedAtOnce(t *testing.T) {
	for replaced := 1; replaced <= 5; replaced++ {
		b := newBench(t, awssmtest.Real())
		first := b.put("a/x", `{"n":"0"}`, "")
		now := first
		for range replaced {
			now = b.put("a/x", `{"n":"1"}`, now)
		}
		versions, began := b.service.Versions("a/x"), b.clock.Now()
		_, err := b.another(b.service).Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"late"}`), Revision: first})
		if !errors.Is(err, driver.ErrConflict) || b.service.Versions("a/x") != versions {
			t.Errorf("replaced %d times: %v, %d versions", replaced, err, b.service.Versions("a/x")-versions)
		}
		if waited := b.clock.Now().Sub(began); waited > time.Second/2 {
			t.Errorf("replaced %d times: it took %v", replaced, waited)
		}
	}
}

// A writer stores its version, and its move takes a while. Another one waits for it
// instead of storing a version of its own.
func TestSlowMoveIsWaitedFor(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", `{"n":"0"}`, "")
	other, came := b.another(b.service), false
	var theirs error
	b.service.Before(func(op, _ string) {
		if op == "UpdateSecretVersionStage" && !came {
			came = true
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			waits := 0
			other.set.sleep = func(context.Context, time.Duration) error {
				if waits++; waits == 2 {
					cancel() // It would see the move now, which has to come first.
				}
				return ctx.Err()
			}
			_, theirs = other.Put(ctx, driver.Secret{Name: "a/x", Data: []byte(`{"n":"other"}`), Revision: r})
		}
	})
	b.put("a/x", `{"n":"slow"}`, r)
	b.service.Before(nil)
	if !errors.Is(theirs, context.Canceled) || b.service.Versions("a/x") != 2 {
		t.Errorf("the other: %v, %d versions", theirs, b.service.Versions("a/x"))
	}
	b.wantData("a/x", `{"n":"slow"}`)
}

// The reply to PutSecretValue is lost, whatever the SDK's retries get: the version is the
// writer's own, and the write succeeds without a second one.
func TestLostCandidateIsOurs(t *testing.T) {
	for _, answers := range [][]string{{"lost"}, {"lost", "lost", "lost"}, {"lost", "ThrottlingException", "ThrottlingException"}, {"lost", "ResourceExistsException"}} {
		b := newBench(t, awssmtest.Real())
		r := b.put("a/x", `{"n":"0"}`, "")
		s := b.script("PutSecretValue", answers...)
		next, err := s.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"1"}`), Revision: r})
		if err != nil || b.get("a/x").Revision != next || b.service.Versions("a/x") != 2 {
			t.Errorf("%v: %v, %d versions", answers, err, b.service.Versions("a/x"))
		}
		b.wantData("a/x", `{"n":"1"}`)
	}
}

// Replies of one operation are lost, as many as the SDK repeats or fewer: the write
// succeeds, also over the version of a dead writer, and stores one version.
func TestRepliesLostAtEachCall(t *testing.T) {
	for _, op := range []string{"PutSecretValue", "UpdateSecretVersionStage", "DescribeSecret", "GetSecretValue"} {
		for lost := 1; lost <= 3; lost++ {
			for _, dead := range []bool{false, true} {
				b := newBench(t, awssmtest.Real())
				r := b.put("a/x", `{"n":"0"}`, "")
				if dead {
					b.abandon(r)
				}
				versions := b.service.Versions("a/x")
				s := b.script(op, slices.Repeat([]string{"lost"}, lost)...)
				next, err := s.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"1"}`), Revision: r})
				if dead && lost == 3 && op == "DescribeSecret" {
					// Nothing is known of the base then, and nothing is stored.
					if !errors.Is(err, driver.ErrUnavailable) || b.service.Versions("a/x") != versions {
						t.Errorf("%s lost %d times over a dead writer's version: %v", op, lost, err)
					}
					continue
				}
				if err != nil || b.get("a/x").Revision != next || b.service.Versions("a/x") != versions+1 {
					t.Errorf("%s lost %d times, a dead writer %v: %v, %d versions", op, lost, dead, err, b.service.Versions("a/x")-versions)
				}
				b.wantData("a/x", `{"n":"1"}`)
			}
		}
	}
}

// A writer's request is lost, and another one has stored the successor meanwhile: that
// version is not taken for the writer's own, even if the data are the same.
func TestLostCandidateOfAnotherIsNotOurs(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", `{"n":"0"}`, "")
	other, came := b.another(b.service), false
	b.service.Before(func(op, _ string) {
		if op == "PutSecretValue" && !came {
			came = true
			if _, err := other.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"1"}`), Revision: r}); err != nil {
				t.Error(err)
			}
		}
	})
	s := b.script("PutSecretValue", "lost", "ThrottlingException", "ThrottlingException")
	_, err := s.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(`{"n":"1"}`), Revision: r})
	if !errors.Is(err, driver.ErrConflict) || b.service.Versions("a/x") != 2 {
		t.Errorf("%v, %d versions", err, b.service.Versions("a/x"))
	}
}

// careless is a service that tells simultaneous puts of one version that they succeeded,
// against its documentation: the first, or the last, is what it stores.
type careless struct {
	API
	writers *sync.WaitGroup // those whose put has not arrived yet
	last    bool

	mu     *sync.Mutex
	stored *[]*secretsmanager.PutSecretValueInput
	done   *sync.Once
}

func (c *careless) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	c.mu.Lock()
	*c.stored = append(*c.stored, in)
	c.mu.Unlock()
	c.writers.Done()
	c.writers.Wait()
	var err error
	c.done.Do(func() {
		kept := (*c.stored)[0]
		if c.last {
			kept = (*c.stored)[len(*c.stored)-1]
		}
		_, err = c.API.PutSecretValue(ctx, kept, options...)
	})
	return &secretsmanager.PutSecretValueOutput{VersionId: in.ClientRequestToken, VersionStages: in.VersionStages}, err
}

// Should the service let simultaneous puts of one version all succeed, one writer is told
// that it won: the one whose data are stored.
func TestServiceThatAcceptsSimultaneousPuts(t *testing.T) {
	for _, last := range []bool{false, true} {
		for range 20 {
			b := newBench(t, awssmtest.Real())
			r := b.put("a/x", `{"n":"0"}`, "")
			const writers = 4
			shared := &careless{API: b.service, last: last, writers: &sync.WaitGroup{}, mu: &sync.Mutex{}, stored: &[]*secretsmanager.PutSecretValueInput{}, done: &sync.Once{}}
			shared.writers.Add(writers)
			won := b.together(writers, r, func() *secrets { return b.another(shared) }, counted)
			if len(won) != 1 {
				t.Fatalf("%d processes have won", len(won))
			}
			b.wantData("a/x", counted(won[0]))
		}
	}
}

// The IDs of successors are valid, differ, and depend on nothing but the revision.
func TestSuccessors(t *testing.T) {
	seen := map[string]bool{}
	for _, base := range []string{"x", "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE", "terraform-20250101000000000000000001", strings.Repeat("v", 64)} {
		for range 20 {
			next := successor(base)
			if next != successor(base) || next == base || len(next) != 36 || seen[next] {
				t.Fatalf("%q after %q", next, base)
			}
			seen[next], base = true, next
		}
	}
	if got, want := successor("EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE"), "0c212464-16e9-8702-ac0b-cf665ad71e0c"; got != want {
		t.Errorf("the successor is %s, and earlier releases derive %s", got, want)
	}
}

// The stored data hold a nonce, a new one each time, and readers never see it. What was
// stored without one is read as it is.
func TestNonce(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	nonces := []string{}
	revision := ""
	for range 3 {
		revision = b.put("a/x", `{"z":"1","a":{"b":[1,2]},"n":12345678901234567890}`, revision)
		b.wantData("a/x", `{"a":{"b":[1,2]},"n":12345678901234567890,"z":"1"}`)
		stored, _ := b.service.Value("a/x")
		object, err := driver.DecodeObject([]byte(stored))
		if err != nil {
			t.Fatal(err)
		}
		nonce, err := object.Text(nonceField)
		if err != nil || len(nonce) < 20 || slices.Contains(nonces, nonce) {
			t.Errorf("nonce %q, %v", nonce, err)
		}
		nonces = append(nonces, nonce)
	}
	for _, value := range []string{`{"n": "by hand"}`, `no object`, `{"driver_":`, `{"n":"driver_nonce"}`, `["driver_nonce"]`} {
		if err := b.service.Edit("a/x", value); err != nil {
			t.Fatal(err)
		}
		b.wantData("a/x", value)
	}
	// A person's edit in the console keeps the fields that it does not touch.
	if err := b.service.Edit("a/x", `{"driver_nonce":"kept","n":"edited"}`); err != nil {
		t.Fatal(err)
	}
	b.wantData("a/x", `{"n":"edited"}`)
	// No reserved field of the caller's is stored.
	b.put("a/x", `{"driver_other":"1","n":"2"}`, b.get("a/x").Revision)
	if stored, _ := b.service.Value("a/x"); strings.Contains(stored, "driver_other") {
		t.Error(stored)
	}
}

// isUsed tells the use of a version's ID from other conflicts.
func TestTakenIsOnlyAUsedID(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&types.ResourceExistsException{}, true}, {&types.InvalidRequestException{}, false}, {&types.PreconditionNotMetException{}, false},
	} {
		if f := newFault(t.Context(), "PutSecretValue", c.err, &attempts{}); f.isTaken() != c.want {
			t.Errorf("%T: %v", c.err, f.isTaken())
		}
	}
}
