// Optional abilities that tell an operator something: what looks like a slip in a token, and as
// whom the store acts.

package conformance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"example.com/tokenstore"
)

const (
	ruleWarnings = "Warnings names, by the ID of the token and as \"field: what is wrong\", white space before or after a credential and an expiry that cannot be understood, and nothing else of a token; it quotes no value, and only reads"
	ruleIdentity = "Identity returns the name under which the service, the database or the operating system knows this program, or nothing; it does not depend on what is stored, and is no credential"
)

// tellCases test Warnings and Identity.
func tellCases() []Case {
	return []Case{
		{Name: "warnings", Rule: ruleWarnings, run: warnings},
		{Name: "warnings-expiry", Rule: ruleWarnings, run: warningsOfExpiry},
		{Name: "identity", Rule: ruleIdentity, run: identity},
	}
}

// slips are the fields that must be named, by the ID of their token.
type slips map[string][]string

// warner returns the Warnings of a handle's store, or ends the case.
func (t *trial) warner(h *handle) tokenstore.Warner {
	w, ok := tokenstore.As[tokenstore.Warner](h.store)
	if !ok {
		t.lacks("the store has no Warnings")
	}
	return w
}

// warns checks what Warnings says of the tokens.
func (t *trial) warns(h *handle, want slips) {
	var got map[string][]string
	err := repeated(func() (err error) {
		got, err = t.warner(h).Warnings(t.ctx)
		return err
	}, throttled)
	t.store.checkErr(t.ctx, "warn", err)
	t.must("warn", err)
	named := slips{}
	for id, warnings := range got {
		for _, w := range warnings {
			if strings.Contains(w, mark) {
				t.add(Finding{Rule: ruleNoCredential, Detail: "a warning holds a credential", hard: true})
				continue
			}
			field, what, ok := strings.Cut(w, ": ")
			if !ok || what == "" {
				t.fails("the warning %s is not of the form \"field: what is wrong\"", show(w, false))
			}
			if id != "" { // Else it concerns the store as a whole.
				named[id] = append(named[id], field)
			}
		}
	}
	for id, fields := range named {
		for _, f := range fields {
			if !slices.Contains(want[id], f) {
				t.fails("of the token %s it says that the field %s is odd, which it is not", show(id, false), show(f, false))
			}
		}
	}
	for id, fields := range want {
		for _, f := range fields {
			if !slices.Contains(named[id], f) {
				t.fails("of the token %s it does not say that the field %s is odd", show(id, false), f)
			}
		}
	}
}

// credentials are the names of the fields that are credentials.
func credentials() []string {
	var names []string
	for _, f := range texts {
		if f.credential {
			names = append(names, f.name)
		}
	}
	return names
}

// eachCredential returns tok with each credential changed, and tidy tok without white space
// around them.
func eachCredential(tok token, change func(string) string) token {
	for _, f := range texts {
		if f.credential {
			*f.of(&tok) = change(*f.of(&tok))
		}
	}
	return tok
}

func tidy(tok token) token { return eachCredential(tok, strings.TrimSpace) }

// slipped saves two tokens, one with white space before each credential and one with white
// space after each; ok is false if the store takes no such tokens.
func (t *trial) slipped() (tokens []token, ok bool) {
	for _, tok := range []token{
		eachCredential(row("4", "u4", c1, s1), func(text string) string { return " " + text }),
		eachCredential(row("5", "u5", c1, s1), func(text string) string { return text + "\n" }),
	} {
		t.settings.tick()
		saved, err := t.store.SaveToken(t.ctx, tok)
		if errors.Is(err, tokenstore.ErrInvalidToken) {
			continue
		}
		t.found("save", tok)(saved, err)
		tokens = append(tokens, tok)
	}
	return tokens, len(tokens) == 2
}

func warnings(t *trial) {
	t.warns(t.store, nil)
	unknown := edited(r3, func(t *token) { t.Expiry = time.Time{} })
	spaced := edited(r2, func(t *token) { t.APIDomain = " " + t.APIDomain + " " }) // It is no credential.
	t.seed(r1, spaced, unknown)
	odd, ok := t.slipped()
	if !ok {
		t.lacks("the store takes no credential with white space around it")
	}
	before, after := odd[0], odd[1]
	want := slips{before.ID: credentials(), after.ID: credentials()}
	for _, h := range t.handles() {
		t.warns(h, want)
	}
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	_, err := t.warner(t.store).Warnings(ctx)
	t.matchesKind("warn with an ended context", err, context.Canceled)
	t.holds(r1, spaced, unknown, before, after)

	before = tidy(before)
	t.found("save", before)(t.save(before), nil)
	t.must("delete", t.store.DeleteToken(t.ctx, after.ID))
	for _, h := range t.handles() {
		t.warns(h, nil)
	}
	t.holds(r1, spaced, unknown, before)
}

// warningsOfExpiry has a person write an expiry that cannot be understood.
func warningsOfExpiry(t *trial) {
	t.warner(t.store)
	a, b := t.two()
	t.edits(a.ID, "expiry_time", "next week, fakecred")
	t.warns(t.store, slips{a.ID: {"expiry_time"}})
	t.has(edited(a, func(t *token) { t.Expiry = time.Time{} }), b)
	a.AccessToken, a.Expiry = aNew, at(9)
	t.found("save", a)(t.save(withoutID(a)), nil)
	t.warns(t.store, nil)
	t.has(a, b)
}

func identity(t *trial) {
	who, ok := tokenstore.As[tokenstore.Identifier](t.store.store)
	if !ok {
		t.lacks("the store has no Identity")
	}
	ask := func(ctx context.Context) (name string, err error) {
		err = repeated(func() (err error) {
			name, err = who.Identity(ctx)
			return err
		}, throttled)
		t.store.checkErr(ctx, "ask for the identity", err)
		return name, err
	}
	name, err := ask(t.ctx)
	if errors.Is(err, tokenstore.ErrDenied) {
		t.lacks("this role may not ask for its identity")
	}
	t.must("ask for the identity", err)
	t.seed(r1, r2)
	t.finds(token{UserName: "u1"}, r1)
	again, err := ask(t.ctx)
	t.must("ask for the identity", err)
	t.isName(name, again)
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	_, err = ask(ctx)
	t.matchesKind("ask for the identity with an ended context", err, context.Canceled)
	t.holds(r1, r2)
}

// isName checks the name that was told before anything was stored, and after.
func (r *record) isName(name, again string) {
	switch {
	case strings.Contains(name+again, mark):
		r.add(Finding{Rule: r.rule, Detail: "the name holds a credential", hard: true})
	case again != name:
		r.fails("the name was %s, and is %s now that something is stored", show(name, false), show(again, false))
	case strings.TrimSpace(name) != name, strings.ContainsAny(name, "\r\n"):
		r.fails("the name is %s: it has white space around it, or more than one line", show(name, false))
	}
}
