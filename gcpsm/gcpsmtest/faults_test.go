package gcpsmtest_test

import (
	"fmt"
	"hash/crc32"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/tokenstore/gcpsm/gcpsmtest"
)

func TestQuotas(t *testing.T) {
	config := gcpsmtest.Config{Quotas: true}
	t.Run("two versions a second for one secret", func(t *testing.T) {
		w := newWorld(t, config)
		w.create("a")
		w.create("b")
		w.add("a", "1")
		w.add("a", "2")
		_, err := w.tryAdd("a", "3")
		w.fails(err, codes.ResourceExhausted)
		w.add("b", "1")
		w.clock.Advance(time.Second)
		w.add("a", "3")
	})
	t.Run("600 writes a minute", func(t *testing.T) {
		w := newWorld(t, config)
		for i := range 600 {
			w.create(fmt.Sprint("s", i))
		}
		_, err := w.tryAdd("s1", "1")
		w.fails(err, codes.ResourceExhausted)
		w.clock.Advance(time.Minute)
		w.add("s1", "1")
	})
	t.Run("600 reads of metadata a minute", func(t *testing.T) {
		w := newWorld(t, config)
		w.create("a")
		get := func() error {
			_, err := w.client.GetSecret(t.Context(), &secretmanagerpb.GetSecretRequest{Name: project + "/secrets/a"})
			return err
		}
		for range 600 {
			w.must(get())
		}
		w.fails(get(), codes.ResourceExhausted)
		w.add("a", "1")
		w.reads("a", "1", "1")
	})
	t.Run("one change of a version's state a second", func(t *testing.T) {
		w := newWorld(t, config)
		w.create("a")
		w.add("a", "1")
		w.add("a", "2")
		name := project + "/secrets/a/versions/1"
		_, err := w.client.DisableSecretVersion(t.Context(), &secretmanagerpb.DisableSecretVersionRequest{Name: name})
		w.must(err)
		_, err = w.client.DestroySecretVersion(t.Context(), &secretmanagerpb.DestroySecretVersionRequest{Name: name})
		w.fails(err, codes.ResourceExhausted)
		w.clock.Advance(time.Second)
		_, err = w.client.DestroySecretVersion(t.Context(), &secretmanagerpb.DestroySecretVersionRequest{Name: name})
		w.must(err)
	})
}

// TestTheClientRetriesAccessesOnTheClock exceeds the quota of accesses, after which
// Google's client pauses by itself.
func TestTheClientRetriesAccessesOnTheClock(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{LoseRequests: 0.5, Seed: 4})
	for {
		if _, err := w.service.Edit("a", "one"); err == nil {
			break
		}
	}
	began := w.clock.Now()
	for range 20 {
		for {
			got, err := w.access("a", "1")
			if status.Code(err) == codes.DeadlineExceeded {
				continue // Only UNAVAILABLE is retried by the client.
			}
			w.must(err)
			if got != "one" {
				t.Fatalf("read %q", got)
			}
			break
		}
	}
	if w.clock.Now().Equal(began) || w.service.Calls()["AccessSecretVersion"] < 30 {
		t.Errorf("no retries: %v, %v", w.clock.Now().Sub(began), w.service.Calls())
	}
}

func TestOnlyAccessByNumberIsNeverStale(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{Stale: time.Minute})
	w.create("a")
	stale := map[string]bool{}
	for i := 1; i <= 200; i++ {
		value := fmt.Sprint("v", i)
		w.add("a", value)
		w.reads("a", fmt.Sprint(i), value)
		if got, err := w.access("a", "latest"); got != value {
			stale["latest"] = true
			w.fails(err, map[bool]codes.Code{true: codes.NotFound, false: codes.OK}[got == ""])
		}
		if _, err := w.client.GetSecretVersion(t.Context(), &secretmanagerpb.GetSecretVersionRequest{Name: fmt.Sprintf("%s/secrets/a/versions/%d", project, i)}); err != nil {
			stale["metadata"] = true
			w.fails(err, codes.NotFound)
		}
		w.create(fmt.Sprint("s", i))
		if len(w.listed("", 0)) != i+1 {
			stale["list"] = true
		}
		w.clock.Advance(time.Second)
	}
	if !stale["latest"] || !stale["metadata"] || !stale["list"] {
		t.Errorf("stale: %v", stale)
	}
	w.clock.Advance(2 * time.Minute)
	w.reads("a", "latest", "v200")
	if got := len(w.listed("", 0)); got != 201 {
		t.Errorf("%d listed", got)
	}
}

func TestStatesTakeEffectLate(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{StatesLate: time.Minute})
	readable := 0
	for i := range 100 {
		id := fmt.Sprint("s", i)
		w.create(id)
		w.add(id, "one")
		w.clock.Advance(2 * time.Minute)
		if i%2 == 0 {
			w.must(w.service.Destroy(id, 1))
		} else {
			w.must(w.service.Remove(id))
		}
		if got, err := w.access(id, "1"); err == nil && got == "one" {
			readable++
		}
		w.clock.Advance(2 * time.Minute)
		if got, err := w.access(id, "1"); err == nil {
			t.Errorf("%s still reads %q", id, got)
		}
	}
	if readable == 0 || readable == 100 {
		t.Errorf("%d of 100 were readable", readable)
	}
}

func TestLostRepliesWereCarriedOut(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{LoseReplies: 0.5})
	for {
		_, err := w.client.CreateSecret(t.Context(), &secretmanagerpb.CreateSecretRequest{
			Parent: project, SecretId: "a", Secret: &secretmanagerpb.Secret{Replication: automatic()},
		})
		if err == nil || status.Code(err) == codes.AlreadyExists {
			break
		}
	}
	lost := map[codes.Code]int{}
	for range 100 {
		_, err := w.tryAdd("a", "x")
		lost[status.Code(err)]++
	}
	if got := w.service.Added("a"); got != 100 {
		t.Errorf("%d of 100 versions were added", got)
	}
	if lost[codes.Unavailable] == 0 || lost[codes.DeadlineExceeded] == 0 || lost[codes.OK] == 0 || len(lost) != 3 {
		t.Errorf("replies: %v", lost)
	}
}

func TestDamagedDataDoNotFitTheirChecksum(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{Damage: 1})
	w.create("a")
	w.add("a", "one")
	out, err := w.client.AccessSecretVersion(t.Context(), &secretmanagerpb.AccessSecretVersionRequest{Name: project + "/secrets/a/versions/1"})
	w.must(err)
	data := out.GetPayload().GetData()
	if int64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))) == out.GetPayload().GetDataCrc32C() {
		t.Errorf("%q fits", data)
	}
}

func TestBeforeAndCalls(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{})
	w.create("a")
	w.service.Before(func(method, id string) {
		if method == "AddSecretVersion" && id == "a" {
			if _, err := w.service.Edit("a", "first"); err != nil {
				t.Error(err)
			}
		}
	})
	w.add("a", "second")
	w.service.Before(nil)
	w.reads("a", "1", "first")
	w.reads("a", "2", "second")
	if calls := w.service.Calls(); calls["AddSecretVersion"] != 1 || calls["AccessSecretVersion"] != 2 || calls["CreateSecret"] != 1 {
		t.Errorf("calls: %v", calls)
	}
}

func TestWhatIsPaidFor(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{})
	w.create("a")
	w.add("a", "one")
	w.clock.Advance(time.Hour)
	w.add("a", "two")
	w.clock.Advance(time.Hour)
	w.must(w.service.Disable("a", 1)) // It is still billed.
	w.clock.Advance(time.Hour)
	w.must(w.service.Destroy("a", 1))
	w.clock.Advance(time.Hour)
	w.add("a", "three")
	if got, want := w.service.VersionTime(), 6*time.Hour; got != want {
		t.Errorf("%v instead of %v", got, want)
	}
	if now, most := w.service.Versions("a"), w.service.MostVersions("a"); now != 2 || most != 2 {
		t.Errorf("%d now, %d at once", now, most)
	}
	w.must(w.service.Remove("a"))
	w.clock.Advance(time.Hour)
	w.create("a")
	w.clock.Advance(time.Hour)
	if got, want := w.service.VersionTime(), 6*time.Hour; got != want {
		t.Errorf("%v instead of %v after its removal", got, want)
	}
}

func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, gcpsmtest.Config{})
	w.create("a")
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			v, err := w.tryAdd("a", fmt.Sprint(i))
			if err != nil {
				t.Error(err)
				return
			}
			out, err := w.client.AccessSecretVersion(t.Context(), &secretmanagerpb.AccessSecretVersionRequest{Name: v.GetName()})
			if err != nil || string(out.GetPayload().GetData()) != fmt.Sprint(i) {
				t.Errorf("%s: %q, %v", v.GetName(), out.GetPayload().GetData(), err)
			}
		})
	}
	all.Wait()
	if got := w.service.Added("a"); got != 20 {
		t.Errorf("%d versions", got)
	}
}
