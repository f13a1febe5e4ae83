// Detection of an index of the other form under the same prefix. A program that uses
// another form than the rest finds tokens only by their users, and inserts duplicates of
// those that it does not find. As with another pepper, the store can only warn of it.

package secretstore

import (
	"context"
	"strings"

	"example.com/tokenstore/index"
)

// indexFolder is the folder of the index, below the prefix.
const indexFolder = "index/"

const otherForm = "the prefix has an index of the other form: programs that use the wrong form find tokens only by their users, and insert duplicates; give all programs the same form, then delete the secrets of the other form"

// form returns the form of this store's index.
func (s *Store) form() string {
	if _, lists := s.index.(index.Lister); lists {
		return index.DocumentForm
	}
	return index.EntriesForm
}

// warnOfOtherForm checks once whether the prefix has an index of the other form, and logs a
// warning. It is called where all tokens are listed anyway.
func (s *Store) warnOfOtherForm(ctx context.Context) {
	if s.formChecked.Swap(true) {
		return
	}
	if other, err := s.hasOtherForm(ctx); err == nil && other {
		s.log.WarnContext(ctx, otherForm, "store", s.name, "form", s.form())
	}
}

// hasOtherForm reports whether the prefix has an index of the other form. An index of
// documents has a root.
func (s *Store) hasOtherForm(ctx context.Context) (bool, error) {
	if s.form() == index.EntriesForm {
		_, err := s.secrets.Get(ctx, s.prefix+indexFolder+index.RootName)
		return err == nil, nil
	}
	return s.hasForm(ctx, func(form string) bool { return form != s.form() })
}

// hasForm reports whether the service lists a secret of an index whose form is wanted.
func (s *Store) hasForm(ctx context.Context, wanted func(form string) bool) (bool, error) {
	folder := s.prefix + indexFolder
	for name, err := range s.secrets.List(ctx, folder) {
		if err != nil {
			return false, noAbsence(err)
		}
		if form := index.FormOf(strings.TrimPrefix(name, folder)); form != "" && wanted(form) {
			return true, nil
		}
	}
	return false, nil
}
