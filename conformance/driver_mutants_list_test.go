package conformance_test

import (
	"context"
	"iter"
	"slices"
	"strings"

	"example.com/tokenstore/driver/memory"
)

func listMutants() []wrongDriver {
	return []wrongDriver{
		{"prefix by segment", "list-prefix", listing(func(_ context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
			folder := strings.TrimSuffix(prefix, "/")
			return yieldAll(slices.DeleteFunc(namesOf(m, folder), func(name string) bool {
				return name != folder && !strings.HasPrefix(name, folder+"/")
			}))
		})},
		{"lists one level only", "list-prefix", listing(func(_ context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
			return yieldAll(slices.DeleteFunc(namesOf(m, prefix), func(name string) bool {
				return strings.Contains(name[len(prefix):], "/")
			}))
		})},
		{"the prefix folds case", "list-prefix", listing(func(_ context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
			return yieldAll(slices.DeleteFunc(namesOf(m, ""), func(name string) bool {
				return !strings.HasPrefix(strings.ToLower(name), strings.ToLower(prefix))
			}))
		})},
		{"the empty prefix lists nothing", "list-all", listing(func(ctx context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
			if prefix == "" {
				return yieldAll(nil)
			}
			return m.List(ctx, prefix)
		})},
		{"omits names after the first 100", "list-paging", listing(func(_ context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
			names := namesOf(m, prefix)
			return yieldAll(names[:min(len(names), 100)])
		})},
		{"repeats the last name of a page", "list-paging", listing(func(_ context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
			names := namesOf(m, prefix)
			if len(names) > 100 {
				names = slices.Insert(names, 100, names[99])
			}
			return yieldAll(names)
		})},
		{"lists deleted names", "list-deleted", remembering},
		{"goes on after a break", "list-break", listing(func(_ context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for _, name := range namesOf(m, prefix) {
					yield(name, nil)
				}
			}
		})},
		{"goes on after its error", "cancelled", listing(func(ctx context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for _, name := range namesOf(m, prefix) {
					if err := ctx.Err(); err != nil && !yield("", err) {
						return
					}
					if !yield(name, nil) {
						return
					}
				}
			}
		})},
		{"a list stops silently when it is cancelled", "cancelled-list", listing(func(ctx context.Context, m *memory.Secrets, prefix string) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for name, err := range m.List(ctx, prefix) {
					if err != nil || !yield(name, nil) {
						return
					}
				}
			}
		})},
	}
}

func nameMutants() []wrongDriver {
	return []wrongDriver{
		{"folds case", "names-letters", renaming(strings.ToLower)},
		{"escapes without escaping the escape", "names-escapes", renaming(strings.NewReplacer(" ", "_", "%", "_", "=", "_").Replace)},
		{"decodes names", "names-escapes", renaming(strings.NewReplacer("%20", " ", "%2F", "-").Replace)},
		{"cuts off spaces", "names-ends", renaming(strings.TrimSpace)},
		{"mistakes a hyphen and six characters for the service's suffix", "names-suffixes", renaming(func(name string) string {
			if n := len(name); n > 7 && name[n-7] == '-' && !strings.Contains(name[n-6:], "/") {
				return name[:n-7]
			}
			return name
		})},
		{"flattens the segments", "names-depth", renaming(func(name string) string { return strings.ReplaceAll(name, "/", "-") })},
		{"drops characters that are not ASCII", "names-unicode", renaming(func(name string) string {
			return strings.Map(func(r rune) rune {
				if r > 127 {
					return '_'
				}
				return r
			}, name)
		})},
		{"cuts off long names", "names-long", renaming(func(name string) string { return name[:min(len(name), 255)] })},
		{"keeps the end of long names", "names-long", renaming(func(name string) string { return name[max(0, len(name)-255):] })},
		{"makes invalid UTF-8 valid", "names-bytes", renaming(func(name string) string { return strings.ToValidUTF8(name, "\ufffd") })},
		{"walks up", "names-refused", renaming(func(name string) string { return strings.ReplaceAll(name, "..", "up") })},
	}
}
