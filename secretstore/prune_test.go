package secretstore_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
	"example.com/tokenstore/driver/memory"
	"example.com/tokenstore/secretstore"
)

// pruning notes of which secrets it is asked to destroy older versions.
type pruning struct {
	driver.Secrets
	mu    sync.Mutex
	names []string
}

func (p *pruning) Unwrap() driver.Secrets { return p.Secrets }

func (p *pruning) Prune(_ context.Context, name string) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names = append(p.names, name)
	return 2, nil
}

// TestRepairPrunesEverySecret has the repair, and no check, destroy the older
// versions of tokens and of the index, and tell the observer.
func TestRepairPrunesEverySecret(t *testing.T) {
	p := &pruning{Secrets: memory.New()}
	var mu sync.Mutex
	var seen []string
	s, err := secretstore.New(p, secretstore.WithDocument(1), secretstore.WithObserver(func(_ context.Context, c secretstore.Call) {
		mu.Lock()
		defer mu.Unlock()
		if c.Op == "prune" {
			seen = append(seen, c.Name)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1", "2"} {
		if _, err := s.SaveToken(t.Context(), tokenstore.OAuthToken{ID: id, UserName: "user" + id, RefreshToken: "fake" + id}); err != nil {
			t.Fatal(err)
		}
	}
	if report, err := s.Check(t.Context()); err != nil || report.VersionsPruned != 0 || len(p.names) != 0 {
		t.Errorf("a check prunes %q, %v", p.names, err)
	}
	report, err := s.Reindex(t.Context(), secretstore.ReindexOptions{})
	if err != nil || report.VersionsPruned != 2*len(p.names) {
		t.Errorf("%d versions pruned, %v; want %d", report.VersionsPruned, err, 2*len(p.names))
	}
	slices.Sort(p.names)
	slices.Sort(seen)
	want := "tokenstore/index/root tokenstore/tokens/1 tokenstore/tokens/2"
	if got := strings.Join(p.names, " "); got != want {
		t.Errorf("pruned: %s; want %s", got, want)
	}
	if !slices.Equal(seen, p.names) {
		t.Errorf("the observer saw %q", seen)
	}
}
