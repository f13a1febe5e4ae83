// The verb that compares two stores. Of one it keeps a digest of each field in memory, and
// the other passes by.

package command

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"slices"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
	"github.com/spf13/cobra"
)

func (c Command) compareCommand() *cobra.Command {
	var ignore []string
	verb := &cobra.Command{
		Use:   "compare STORE OTHER",
		Short: "Compare the tokens of two stores, field by field",
		Long: `Compare says which tokens two stores have in common and which not, and names the fields
in which a token differs, never their values. It changes nothing.

Two tokens are the same one if they have the same user; or the same refresh, grant or access
token, if one of them has no user. The IDs may differ. --ignore leaves fields out, such as
access_token and expiry_time, which change hourly while a program is running.

The exit code is 0 if all tokens are the same, and 4 if any differs, is in one store only, or
cannot be read.`,
		Example: `  {name} compare {local} {service}
  {name} compare {local} {service} --ignore access_token --ignore expiry_time --json`,
		Args: exactArgs("STORE", "OTHER"),

		ValidArgsFunction: func(verb *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 1 {
				args = nil
			}
			return completeStore(verb, args, typed)
		},
		RunE: func(verb *cobra.Command, args []string) error {
			compared := fields
			for _, name := range ignore {
				f, err := fieldNamed(name, anyField)
				if err != nil {
					return err
				}
				compared = slices.DeleteFunc(slices.Clone(compared), func(g field) bool { return g.name == f.name })
			}
			return withBoth(verb.Context(), args[0], args[1], func(here, there tokenstore.Store) error {
				return compare(verb, here, there, compared)
			})
		},
	}
	verb.Flags().StringArrayVar(&ignore, "ignore", nil, "leave out this `FIELD`; may be repeated")
	_ = verb.RegisterFlagCompletionFunc("ignore", completeField) // The flag exists.
	return verb
}

// withBoth opens two stores for reading. Each must be there.
func withBoth(ctx context.Context, here, there string, do func(here, there tokenstore.Store) error) error {
	return withStore(ctx, readOnly(here), func(a tokenstore.OpenStore) error {
		return withStore(ctx, readOnly(there), func(b tokenstore.OpenStore) error {
			if err := ifNothing(ctx, a, here); err != nil {
				return err
			}
			if err := ifNothing(ctx, b, there); err != nil {
				return err
			}
			return do(a, b)
		})
	})
}

// The outcomes of a comparison.
const (
	outcomeDiffers    = "differs"
	outcomeOnlyHere   = "only in STORE"
	outcomeOnlyThere  = "only in OTHER"
	outcomeUnreadable = "unreadable"
)

// difference is a token that is not the same in both stores.
type difference struct {
	User    string   `json:"user_name,omitempty"`
	ID      string   `json:"id,omitempty"`
	OtherID string   `json:"other_id,omitempty"`
	Outcome string   `json:"outcome"`
	Fields  []string `json:"fields,omitempty"`
	Reason  string   `json:"reason,omitempty"`
}

// digested is a token of which only digests are kept: its user and ID are no credentials.
type digested struct {
	id, user string
	keys     []keyDigest
	fields   []uint64
	matched  bool
}

type keyDigest struct {
	kind   tokenstore.KeyKind
	digest uint64
}

// comparison compares the tokens of a store with those of another, which it has digested.
// Tokens that are equal are only counted; those that are not wait until all have been read,
// since several may share a key.
type comparison struct {
	fields  []field
	seed    maphash.Seed // another one in every run, so that a digest says nothing
	there   []*digested
	byKey   map[keyDigest][]*digested
	waiting []*digested // of STORE
	same    int
	broken  []difference
}

func compare(verb *cobra.Command, here, there tokenstore.Store, compared []field) error {
	c := &comparison{fields: compared, seed: maphash.MakeSeed(), byKey: map[keyDigest][]*digested{}}
	m := newMeter(verb, "tokens")
	defer m.clear()
	// A comparison that does not end says nothing of what is missing.
	if err := c.read(verb.Context(), there, m, "reading OTHER", c.keep); err != nil {
		return fmt.Errorf("read OTHER: %w", err)
	}
	if err := c.read(verb.Context(), here, m, "comparing", c.compare); err != nil {
		return fmt.Errorf("read STORE: %w", err)
	}
	m.clear()
	p := &comparisonPrinter{w: verb.OutOrStdout(), asJSON: wantsJSON(verb), counts: map[string]int{outcomeSame: c.same}}
	for d := range c.differences() {
		if err := p.add(d); err != nil {
			return err
		}
	}
	return p.end()
}

// read passes the tokens of a store, and keeps what cannot be read for the report.
func (c *comparison) read(ctx context.Context, store tokenstore.Store, m *meter, stage string, do func(*digested)) error {
	n := 0
	for token, err := range allTokens(ctx, store, false) {
		switch {
		case errors.Is(err, tokenstore.ErrUnreadable):
			for _, e := range rowstore.SplitErrors(err) {
				c.broken = append(c.broken, difference{Outcome: outcomeUnreadable, Reason: e.Error()})
			}
			continue
		case err != nil:
			return err
		}
		do(c.digest(token))
		n++
		m.progressOf(stage, n)
	}
	return nil
}

func (c *comparison) digest(token tokenstore.OAuthToken) *digested {
	d := &digested{id: token.ID, user: token.UserName}
	for _, f := range c.fields {
		d.fields = append(d.fields, maphash.String(c.seed, f.get(token)))
	}
	for _, key := range tokenstore.KeysOf(token) {
		d.keys = append(d.keys, keyDigest{key.Kind, maphash.String(c.seed, key.Value)})
	}
	return d
}

// keep keeps a token of OTHER.
func (c *comparison) keep(d *digested) {
	for _, key := range d.keys {
		c.byKey[key] = append(c.byKey[key], d)
	}
	c.there = append(c.there, d)
}

// compare counts a token of STORE that OTHER has too.
func (c *comparison) compare(d *digested) {
	if match, differs := c.match(d); match != nil && len(differs) == 0 {
		match.matched = true
		c.same++
		return
	}
	c.waiting = append(c.waiting, d)
}

// match returns the token of OTHER that is the same one as a token of STORE, and the fields
// in which the two differ. Of several, it is the one that differs least.
func (c *comparison) match(d *digested) (best *digested, differs []string) {
	for _, key := range d.keys {
		for _, other := range c.byKey[key] {
			if other.matched || key.kind != tokenstore.UserKey && other.user != "" && d.user != "" {
				continue
			}
			if names := c.differing(d, other); best == nil || len(names) < len(differs) {
				best, differs = other, names
			}
		}
		if best != nil {
			break
		}
	}
	return best, differs
}

func (c *comparison) differing(a, b *digested) (names []string) {
	for i, f := range c.fields {
		if a.fields[i] != b.fields[i] {
			names = append(names, f.name)
		}
	}
	return names
}

// differences yields what is not the same, when all tokens have been read.
func (c *comparison) differences() iter.Seq[difference] {
	return func(yield func(difference) bool) {
		for _, d := range c.waiting {
			found := difference{User: d.user, ID: d.id, Outcome: outcomeOnlyHere}
			if match, differs := c.match(d); match != nil {
				match.matched = true
				found.OtherID, found.Outcome, found.Fields = match.id, outcomeDiffers, differs
			}
			if !yield(found) {
				return
			}
		}
		for _, d := range c.there {
			if !d.matched && !yield(difference{User: d.user, OtherID: d.id, Outcome: outcomeOnlyThere}) {
				return
			}
		}
		for _, d := range c.broken {
			if !yield(d) {
				return
			}
		}
	}
}

// outcomeSame is only counted.
const outcomeSame = "same"

// comparisonPrinter prints differences one by one, and their counts in the end.
type comparisonPrinter struct {
	w      io.Writer
	asJSON bool
	table  *table
	list   *jsonList
	counts map[string]int
}

func (p *comparisonPrinter) begin() error {
	switch {
	case p.asJSON && p.list == nil:
		p.list = &jsonList{w: p.w, indent: "  "}
		_, err := io.WriteString(p.w, "{\n  \"differences\": ")
		return err
	case !p.asJSON && p.table == nil:
		p.table = newTable(p.w, "USER", "ID", "OTHER ID", "OUTCOME", "FIELDS")
	}
	return nil
}

func (p *comparisonPrinter) add(d difference) error {
	p.counts[d.Outcome]++
	if err := p.begin(); err != nil {
		return err
	}
	if p.asJSON {
		return p.list.add(d)
	}
	p.table.row(d.User, d.ID, d.OtherID, d.Outcome, strings.TrimSpace(strings.Join(d.Fields, " ")+" "+d.Reason))
	return nil
}

func (p *comparisonPrinter) end() error {
	different := 0
	for outcome, n := range p.counts {
		if outcome != outcomeSame {
			different += n
		}
	}
	if err := p.summary(); err != nil {
		return err
	}
	if different > 0 {
		return &incompleteError{}
	}
	return nil
}

func (p *comparisonPrinter) summary() error {
	n := p.counts
	if p.asJSON {
		if err := p.begin(); err != nil {
			return err
		}
		if err := p.list.end(); err != nil {
			return err
		}
		rest, err := indented(struct {
			Same       int `json:"same"`
			Differs    int `json:"differs"`
			OnlyHere   int `json:"only_in_store"`
			OnlyThere  int `json:"only_in_other"`
			Unreadable int `json:"unreadable"`
		}{n[outcomeSame], n[outcomeDiffers], n[outcomeOnlyHere], n[outcomeOnlyThere], n[outcomeUnreadable]}, "")
		if err != nil {
			return err
		}
		_, err = io.WriteString(p.w, ","+strings.TrimPrefix(rest, "{")+"\n")
		return err
	}
	if p.table != nil {
		if err := p.table.flush(); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(p.w) // The next line reports the error again.
	}
	text := fmt.Sprintf("%d same", n[outcomeSame])
	for _, outcome := range []string{outcomeDiffers, outcomeOnlyHere, outcomeOnlyThere, outcomeUnreadable} {
		if n[outcome] > 0 {
			text += fmt.Sprintf(", %d %s", n[outcome], outcome)
		}
	}
	_, err := fmt.Fprintln(p.w, text)
	return err
}
