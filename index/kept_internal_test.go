// Documents that are kept decoded are the ones that the service has.

package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	inmemory "example.com/tokenstore/driver/memory"
)

func keptHash(n int) string {
	return Hash(tokenstore.Key{Kind: tokenstore.RefreshKey, Value: fmt.Sprint("fake", n)}, nil)
}

// holders returns the IDs of the hints of a key.
func holders(t *testing.T, x Index, n int) string {
	t.Helper()
	hints, err := x.View().Lookup(t.Context(), keptHash(n))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, h := range hints[0] {
		ids = append(ids, h.ID)
	}
	return strings.Join(ids, " ")
}

func mustClaim(t *testing.T, x Index, n int, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := x.View().Claim(t.Context(), Claim{Hash: keptHash(n), ID: id, Generation: 1}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKeptDocumentIsTheOneThatWasRead has two processes look the same key up after each
// write of the other, of a person, and after a document was put back.
func TestKeptDocumentIsTheOneThatWasRead(t *testing.T) {
	for _, fanout := range []int{1, 4} {
		secrets := inmemory.New()
		x, y := NewDocument(secrets, Config{Prefix: "i/"}, WithFanout(fanout)), NewDocument(secrets, Config{Prefix: "i/"}, WithFanout(fanout))
		want := ""
		for i := range 6 {
			id := fmt.Sprint("id", i)
			mustClaim(t, []Index{x, y}[i%2], 1, id)
			want = strings.TrimSpace(want + " " + id)
			for range 2 {
				if a, b := holders(t, x, 1), holders(t, y, 1); a != want || b != want {
					t.Fatalf("%d documents: the hints of one process are %q, of the other %q, want %q", fanout, a, b, want)
				}
			}
		}
		name := x.(*Document).namesOf(layoutOf(t, x), []string{keptHash(1)[:shortHash]})[0]
		stored, err := secrets.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		secrets.Edit(name, bytes.ReplaceAll(stored.Data, []byte("@id3"), []byte("@edited")))
		if got := holders(t, x, 1); strings.Contains(got, "id3") || !strings.Contains(got, "edited") {
			t.Errorf("%d documents: the hints are %q after an edit", fanout, got)
		}
		if secrets.Remove(name); holders(t, x, 1) != "" {
			t.Errorf("%d documents: hints of a document that is gone", fanout)
		}
	}
}

func layoutOf(t *testing.T, x Index) layout {
	t.Helper()
	v := x.(*Document).view()
	if _, err := v.readRoot(t.Context()); err != nil {
		t.Fatal(err)
	}
	return v.layout
}

// flagged says of all secrets, while that is set, that they were put back, and refuses writes.
type flagged struct {
	driver.Secrets
	restored, refuses bool
}

var errRefused = errors.New("refused")

func (f *flagged) Put(ctx context.Context, s driver.Secret) (string, error) {
	if f.refuses {
		return "", errRefused
	}
	return f.Secrets.Put(ctx, s)
}

func (f *flagged) Get(ctx context.Context, name string) (driver.Secret, error) {
	s, err := f.Secrets.Get(ctx, name)
	s.Restored = f.restored
	return s, err
}

// TestKeptDocumentThatWasPutBackIsLacking has the service say so late.
func TestKeptDocumentThatWasPutBackIsLacking(t *testing.T) {
	secrets := &flagged{Secrets: inmemory.New()}
	x := NewDocument(secrets, Config{Prefix: "i/"})
	mustClaim(t, x, 1, "a")
	for _, restored := range []bool{false, true, false} {
		secrets.restored = restored
		_, whole, err := x.(Lister).IDs(t.Context())
		if err != nil || whole == restored {
			t.Errorf("whole is %v, %v, and the document was put back: %v", whole, err, restored)
		}
	}
}

// TestKeptDocumentIsNotChangedByItsReaders lets writes fail, and lookups run beside others
// that succeed.
func TestKeptDocumentIsNotChangedByItsReaders(t *testing.T) {
	secrets := &flagged{Secrets: inmemory.New()}
	x := NewDocument(secrets, Config{Prefix: "i/"})
	mustClaim(t, x, 1, "a", "b")
	_ = holders(t, x, 1)
	secrets.refuses = true
	v := x.View()
	if _, err := v.Claim(t.Context(), Claim{Hash: keptHash(1), ID: "c", Generation: 1}, Claim{Hash: keptHash(1), ID: "a", Generation: 9}); !errors.Is(err, errRefused) {
		t.Fatal(err)
	}
	if err := v.Release(t.Context(), Claim{Hash: keptHash(1), ID: "a", Generation: 9}); !errors.Is(err, errRefused) {
		t.Fatal(err)
	}
	secrets.refuses = false
	if got := holders(t, x, 1); got != "a b" {
		t.Errorf("the hints are %q after writes that failed, want a b", got)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 50 {
				if hints, err := x.View().Lookup(t.Context(), keptHash(1)); err != nil || len(hints[0]) < 2 {
					t.Errorf("%v, %v", hints, err)
				}
				if i == 0 {
					if _, err := x.View().Claim(t.Context(), Claim{Hash: keptHash(1), ID: "d", Generation: 1}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestKeptDocumentsAreBounded keeps the documents that were used last.
func TestKeptDocumentsAreBounded(t *testing.T) {
	var k kept
	size := keptBytes / 10
	put := func(n int, revision string) {
		p := &page{object: absent(fmt.Sprint(n))}
		p.revision, p.size = revision, size-p.memory()
		k.put(p)
	}
	has := func(n int, revision string) bool {
		return k.get(driver.Secret{Name: fmt.Sprint(n), Revision: revision}) != nil
	}
	for n := range 10 {
		put(n, "1")
	}
	if !has(0, "1") { // It is used, so that it stays.
		t.Fatal("the first page is gone already")
	}
	for n := range 5 {
		put(10+n, "1")
	}
	var there []int
	for n := range 15 {
		if has(n, "1") {
			there = append(there, n)
		}
	}
	if want := []int{0, 6, 7, 8, 9, 10, 11, 12, 13, 14}; !slices.Equal(there, want) {
		t.Errorf("the pages %v are kept, want %v", there, want)
	}
	for i := range 100 {
		put(14, fmt.Sprint(i))
	}
	if !has(14, "99") || has(14, "98") || !has(0, "1") {
		t.Error("of one document, something else than the last revision is kept, or another document was dropped for it")
	}
	if k.bytes != 10*size || len(k.byName) != 10 || k.order.Len() != 10 {
		t.Errorf("%d bytes in %d pages", k.bytes, len(k.byName))
	}
	p := &page{object: absent("huge")}
	p.revision, p.size = "1", 2*keptBytes
	if k.put(p); k.bytes != 0 || len(k.byName) != 0 {
		t.Errorf("%d bytes in %d pages after one that is larger than all may be", k.bytes, len(k.byName))
	}
}

// TestKeptDocumentIsDecodedOnce looks keys up in a document that nobody writes.
func TestKeptDocumentIsDecodedOnce(t *testing.T) {
	secrets := inmemory.New()
	x := NewDocument(secrets, Config{Prefix: "i/"}).(*Document)
	mustClaim(t, x, 1, "a")
	var decoded *page
	for range 3 {
		_ = holders(t, x, 1)
		stored, err := secrets.Get(t.Context(), x.root())
		if err != nil {
			t.Fatal(err)
		}
		p := x.kept.get(stored)
		if p == nil || decoded != nil && p != decoded {
			t.Fatal("it was decoded again")
		}
		decoded = p
	}
}
