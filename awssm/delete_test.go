package awssm

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/driver"
)

const (
	liveData = `{"refresh_token":"1000.fake"}`
	tombData = `{"generation":"7","deleted":"1"}`
)

func TestRetireLeavesWhatIsNotItsOwnFreshTombstone(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", tombData, "")
	other := b.another(b.service)
	if err := other.Retire(t.Context(), "a/x", r); err != nil {
		t.Fatal(err)
	}
	b.wantScheduled("a/x", false)
	b.clock.Advance(retireWithin)
	b.retire("a/x", r)
	b.wantScheduled("a/x", false)

	r = b.put("a/x", tombData, r)
	if err := b.service.Edit("a/x", `{"n":"by hand"}`); err != nil {
		t.Fatal(err)
	}
	b.retire("a/x", r)
	b.wantData("a/x", `{"n":"by hand"}`)
}

// DeleteSecret is never retried: the retry might hit a secret that was restored in the
// meantime.
func TestRetireNeverRepeatsDeleteSecret(t *testing.T) {
	config := awssmtest.Real()
	config.LoseReplies = 1
	b := newBench(t, config)
	b.secrets = b.another(b.service.Client())
	r := b.put("a/x", tombData, "")
	other := b.another(b.service)
	b.service.Before(func(op, _ string) {
		if _, scheduled := b.service.Scheduled("a/x"); scheduled {
			if _, err := other.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(liveData)}); err != nil {
				t.Error(err)
			}
		}
	})
	_ = b.secrets.Retire(t.Context(), "a/x", r)
	b.service.Before(nil)
	b.wantData("a/x", liveData)
	if n := b.service.Calls()["DeleteSecret"]; n != 1 {
		t.Fatalf("%d calls of DeleteSecret", n)
	}
}

func TestDelete(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", liveData, "")
	r2 := b.put("a/x", `{"n":"2"}`, r)
	if err := b.secrets.Delete(t.Context(), "a/x", r); !errors.Is(err, driver.ErrConflict) {
		t.Fatal(err)
	}
	b.wantData("a/x", `{"n":"2"}`)
	for range 2 {
		if err := b.secrets.Delete(t.Context(), "a/x", r2); err != nil {
			t.Fatal(err)
		}
		b.wantAbsent("a/x")
		b.wantScheduled("a/x", true)
	}
	if err := b.secrets.Delete(t.Context(), "a/none", r2); err != nil {
		t.Fatal(err)
	}
	b.put("a/x", `{"n":"3"}`, "")
	b.wantData("a/x", `{"n":"3"}`)
}

// A creator interferes at any point of a deletion: it gets a conflict, or its data are
// stored at the end.
func TestDeleteNeverDestroysALaterWrite(t *testing.T) {
	for at := 1; at <= 3; at++ {
		for _, force := range []bool{false, true} {
			config := awssmtest.Real()
			config.ForceDelete = 8 * time.Second
			var options []Option
			if force {
				options = append(options, WithForceDelete())
			}
			b := newBench(t, config, options...)
			r := b.put("a/x", tombData, "")
			// The creator does not wait for a DeleteSecret in progress.
			began := b.clock.Now()
			other := b.another(b.service, WithClock(b.clock.Now, func(ctx context.Context, d time.Duration) error {
				if b.clock.Now().Sub(began) > deleteTimeout {
					return context.DeadlineExceeded
				}
				return b.clock.Sleep(ctx, d)
			}))
			calls := 0
			type outcome struct {
				revision string
				err      error
			}
			wrote := outcome{err: errors.New("it never came")}
			b.service.Before(func(string, string) {
				if calls++; calls == at {
					base := r
					if _, err := other.Get(t.Context(), "a/x"); err != nil {
						base = ""
					}
					wrote.revision, wrote.err = other.Put(t.Context(), driver.Secret{Name: "a/x", Data: []byte(liveData), Revision: base})
				}
			})
			err := b.secrets.Delete(t.Context(), "a/x", r)
			b.service.Before(nil)
			switch {
			case wrote.err == nil:
				b.wantData("a/x", liveData)
			case !errors.Is(wrote.err, driver.ErrConflict) && !errors.Is(wrote.err, context.DeadlineExceeded):
				t.Errorf("the creator before call %d: %v", at, wrote.err)
			case err != nil:
				t.Errorf("both failed before call %d: %v", at, err)
			}
		}
	}
}

// A deletion of a replaced version is refused while reads still show that version: the
// secret is not deleted.
func TestRefusedDeletionOfWhatIsStillThereIsNoSuccess(t *testing.T) {
	b := newBench(t, awssmtest.Real())
	r := b.put("a/x", liveData, "")
	api := b.outdated("a/x")
	b.put("a/x", `{"n":"2"}`, r)
	s := b.another(api)
	api.reads = looks
	if err := s.Delete(t.Context(), "a/x", r); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("deleted: %v", err)
	}
	b.wantData("a/x", `{"n":"2"}`)
}

// A mark of an earlier release has no nonce. What a person adds a field to is no mark.
func TestMarksWithAndWithoutANonce(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond)
	ms := strconv.FormatInt(now.UnixMilli(), 10)
	for data, want := range map[string]bool{
		string(newMark(now)):                                 true,
		`{"driver_deleted":"` + ms + `"}`:                    true,
		`{"driver_deleted":"` + ms + `","id":"x"}`:           false,
		`{"driver_nonce":"x"}`:                               false,
		`{"driver_deleted":"soon"}`:                          false,
		`{"driver_deleted":"` + ms + `","driver_nonce":"y"}`: true,
	} {
		v := version{data: []byte(data)}
		if v.marked() != want || want && !v.markedAt().Equal(now) {
			t.Errorf("%s: %v, at %v", data, v.marked(), v.markedAt())
		}
	}
	if bytes.Equal(newMark(now), newMark(now)) {
		t.Error("two marks of one moment are one write")
	}
}
