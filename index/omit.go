// Keys that the index leaves out. Where refresh tokens rotate, as some providers make them
// do with every refresh, each rotation would write the index twice; a service that limits
// the writes of a secret allows only a few of those a day. The root says what is left out,
// so that all processes agree.

package index

import (
	"context"
	"fmt"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
)

// Omitter is implemented by an index that can leave out keys of some kinds, for all programs
// that use it. The caller decides of which tokens it leaves them out, and has to find those
// tokens without the index. Its views implement [OmittingView].
type Omitter interface {
	// Omit makes the index one that may lack keys of that kind, while readers and writers
	// go on. Called again after a failure, it continues where it stopped. It cannot be
	// undone: a program that stalled would leave a key out of an index that must have it.
	Omit(ctx context.Context, kind tokenstore.KeyKind) error
}

// OmittingView is implemented by the views of an [Omitter].
type OmittingView interface {
	View
	// Omits reports whether the index may lack keys of that kind: the very index in which
	// the view has looked keys up, if it has. It reads the root only if neither the view
	// nor the process knows the answer, and once: a claim by this view needs no other read
	// of the root.
	Omits(ctx context.Context, kind tokenstore.KeyKind) (bool, error)
}

// WithoutRefreshTokens makes a new index leave out refresh tokens, as [Omitter.Omit] does to
// an existing one. An existing index stays as it is.
func WithoutRefreshTokens() DocumentOption {
	return func(x *Document) { x.initial.rotating = true }
}

// Omits implements [OmittingView]. Any index of documents may lack access tokens: some of its
// programs leave them out. Refresh tokens are left out if the root says so.
//
// The root says so from the moment when the layout changes, see [Document.Reshard]. A look-up
// with the layout before that meets a sealed document, or misses one, and reads the root.
func (v *documentView) Omits(ctx context.Context, kind tokenstore.KeyKind) (bool, error) {
	switch kind {
	case tokenstore.AccessKey:
		return true, nil
	case tokenstore.RefreshKey:
	default:
		return false, nil
	}
	if v.layout.fanout == 0 && v.pages[v.x.root()] == nil {
		// With a single document, a claim or look-up reads the root anyway.
		if l, ok := v.x.seenLately(); ok && (l.rotating || l.fanout > 1) {
			return l.rotating, nil
		}
		if _, err := v.readRoot(ctx); err != nil {
			return false, err
		}
	}
	return v.layout.rotating, nil
}

// Omit implements [Omitter].
func (x *Document) Omit(ctx context.Context, kind tokenstore.KeyKind) error {
	switch kind {
	case tokenstore.AccessKey:
		return nil
	case tokenstore.RefreshKey:
	default:
		return fmt.Errorf("%w: an index can leave out access and refresh tokens, but no key of kind %s", driver.ErrInvalid, kind)
	}
	return x.change(ctx, func(_ *page, l layout) (layout, error) {
		l.rotating = true
		return l, nil
	})
}

// omitsAll is what a root leaves out that leaves out refresh tokens too. A root without the
// field leaves out access tokens.
var omitsAll = strings.Join([]string{string(tokenstore.AccessKey), string(tokenstore.RefreshKey)}, " ")

// omits returns what the root leaves out; empty for the default.
func (l layout) omits() string {
	if l.rotating {
		return omitsAll
	}
	return ""
}

// parseOmits parses what omits returns.
func parseOmits(text string) (rotating, ok bool) {
	return text == omitsAll, text == "" || text == omitsAll
}

// takeOmits parses what the root leaves out.
func (p *page) takeOmits() (rotating bool, err error) {
	text, err := p.Text(omitsField)
	rotating, ok := parseOmits(text)
	if err != nil || !ok {
		return false, fmt.Errorf("%w: field %q", driver.ErrUnreadable, omitsField)
	}
	p.Set(omitsField, "")
	return rotating, nil
}
