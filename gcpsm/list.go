package gcpsm

import (
	"context"
	"errors"
	"iter"
	"strings"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/iterator"

	"example.com/tokenstore/driver"
)

// callOption is an option of one call of Google's clients.
type callOption = gax.CallOption

// pageSize is how many secrets one call of ListSecrets gives.
const pageSize = 1000

// List pages through ListSecrets, which may be minutes old.
func (s *secrets) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		seen := map[string]bool{}
		in := &secretmanagerpb.ListSecretsRequest{Parent: s.set.parent(), PageSize: pageSize}
		if filter := filterFor(prefix); filter != "" {
			in.Filter = "name:" + filter
		}
		for {
			page, f := call(ctx, s.set, "ListSecrets", ifUnanswered, s.page, in)
			if f != nil {
				yield("", f.give())
				return
			}
			for _, secret := range page.secrets {
				name, ok, err := s.listed(ctx, secret)
				if err != nil {
					yield("", err)
					return
				}
				if !ok || seen[name] || !strings.HasPrefix(name, prefix) {
					continue
				}
				seen[name] = true
				if err := ctx.Err(); err != nil {
					yield("", err)
					return
				}
				if !yield(name, nil) {
					return
				}
			}
			if page.next == "" {
				if err := ctx.Err(); err != nil {
					yield("", err)
				}
				return
			}
			in.PageToken = page.next
		}
	}
}

// page is one page of a list.
type page struct {
	secrets []*secretmanagerpb.Secret
	next    string
}

// page makes one call of ListSecrets.
func (s *secrets) page(ctx context.Context, in *secretmanagerpb.ListSecretsRequest, options ...callOption) (page, error) {
	var p page
	pager := iterator.NewPager(s.api.ListSecrets(ctx, in, options...), int(in.GetPageSize()), in.GetPageToken())
	var err error
	p.next, err = pager.NextPage(&p.secrets)
	return p, err
}

// listed returns the logical name of a secret, if it has one and is not deleted.
func (s *secrets) listed(ctx context.Context, secret *secretmanagerpb.Secret) (string, bool, error) {
	id := secret.GetName()[strings.LastIndexByte(secret.GetName(), '/')+1:]
	name, ok := decodeName(id, secret.GetAnnotations()[nameKey])
	if !ok || secret.GetLabels()[stateKey] != stateDeleted {
		return name, ok, nil
	}
	_, head, err := s.look(ctx, id)
	switch {
	case errors.Is(err, driver.ErrDenied):
		return "", false, nil
	case err == nil && !live(head):
		s.marks.add(id)
	}
	return name, live(head), err
}
