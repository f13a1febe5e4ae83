// A diagnosis tries out what a role may do, and a repair writes. Neither may cost a token.

package conformance

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"example.com/tokenstore"
)

const (
	ruleDiagnose  = "Diagnose returns what is wrong, with a repair for each finding, and no credential; a fault is a finding too, and an error is returned only if the context ended"
	ruleDiagnosed = "Diagnose changes no token, and leaves nothing of what it tried"
	ruleMend      = "Mend repairs those of the findings that say that it does, and nothing else"
	ruleMendLate  = "Mend overwrites nothing that has changed since it was read"
)

// diagnoseCases test Diagnose and Mend.
func diagnoseCases() []Case {
	return []Case{
		{Name: "diagnose", Rule: ruleDiagnose, run: diagnose},
		{Name: "diagnose-traces", Rule: ruleDiagnosed, run: diagnoseTraces},
		{Name: "mend", Rule: ruleMend, run: mend},
		{Name: "mend-changed", Rule: ruleMendLate, run: mendChanged},
	}
}

// diagnoser returns the store's Diagnose and Mend, or ends the case.
func (t *trial) diagnoser() tokenstore.Diagnoser {
	d, ok := tokenstore.As[tokenstore.Diagnoser](t.store.store)
	if !ok {
		t.lacks("the store has no Diagnose")
	}
	return d
}

var kebab = regexp.MustCompile("^[a-z][a-z0-9]*(-[a-z0-9]+)*$")

var severities = []tokenstore.Severity{tokenstore.SeverityNote, tokenstore.SeverityWarning, tokenstore.SeverityError}

// diagnoses returns the findings for a role, each checked, or ends the case.
func (t *trial) diagnoses(role tokenstore.Role) []tokenstore.Finding {
	findings, err := t.diagnoser().Diagnose(t.ctx, role)
	t.store.checkErr(t.ctx, "diagnose", err)
	if err != nil {
		t.breaks(ruleDiagnose, "diagnose for a %s: %s", role, safe(err))
		giveUp()
	}
	for _, f := range findings {
		if strings.Contains(f.Code+f.Where+f.What+f.Repair, mark) || leaks(f.Err) {
			t.add(Finding{Rule: ruleNoCredential, Detail: "a finding holds a credential", hard: true})
			continue
		}
		switch {
		case !kebab.MatchString(f.Code):
			t.breaks(ruleDiagnose, "the code %s is not in kebab case", show(f.Code, false))
		case !slices.Contains(severities, f.Severity):
			t.breaks(ruleDiagnose, "the finding %s has the severity %s", f.Code, show(string(f.Severity), false))
		case f.What == "":
			t.breaks(ruleDiagnose, "the finding %s does not say what is wrong", f.Code)
		case f.Repair == "" || strings.Contains(f.Repair, "\n"):
			t.breaks(ruleDiagnose, "the repair of the finding %s is not one command line or one step", f.Code)
		}
	}
	return findings
}

// mends repairs, or ends the case.
func (t *trial) mends(findings []tokenstore.Finding) {
	err := repeated(func() error { return t.diagnoser().Mend(t.ctx, findings) }, throttled)
	t.store.checkErr(t.ctx, "mend", err)
	t.must("mend", err)
}

// untidy are tokens with which a diagnosis may find something wrong, and one in order.
type untidy struct {
	right  token
	spaced []token // with white space around their credentials, if the store takes such
	edited []token // whose refresh token a person has written, if one can
}

func (u untidy) all() []token { return slices.Concat([]token{u.right}, u.spaced, u.edited) }

// untidies stores such tokens.
func (t *trial) untidies() untidy {
	u := untidy{right: t.save(withoutID(r2))}
	u.spaced, _ = t.slipped() // There may be none.
	return u
}

// withEdits adds a token that a person has edited.
func (t *trial) withEdits(u untidy) untidy {
	if t.settings.read != nil && t.settings.write != nil {
		a := t.save(withoutID(r1))
		t.edits(a.ID, "refresh_token", rNew)
		u.edited = []token{edited(a, func(t *token) { t.RefreshToken = rNew })}
	}
	return u
}

// stays checks that the store holds these tokens and no others. By a key that a person has
// written, a token need not be found yet.
func (t *trial) stays(rows []token) {
	if got := t.list(); !sameRows(byID(got), byID(rows)) {
		t.fails("the store now holds %s", rowsDifference(byID(got), byID(rows)))
	}
}

func byID(rows []token) []token {
	return slices.SortedFunc(slices.Values(rows), func(a, b token) int { return strings.Compare(a.ID, b.ID) })
}

// strangers plants foreign data, if it can, and returns a check of it.
func (t *trial) strangers() (check func()) {
	if t.settings.foreign == nil {
		return func() {}
	}
	look, err := t.settings.foreign(t.ctx, t.store.store)
	t.must("plant foreign data", err)
	return func() {
		if err := look(t.ctx); err != nil {
			t.breaks(ruleForeign, "%s", safe(err))
		}
	}
}

func diagnose(t *trial) {
	t.diagnoser()
	u := t.untidies()
	ended, cancel := context.WithCancel(t.ctx)
	cancel()
	for _, role := range tokenstore.Roles() {
		t.diagnoses(role)
		_, err := t.diagnoser().Diagnose(ended, role)
		t.matchesKind("diagnose with an ended context", err, context.Canceled)
	}
	t.stays(u.all())
}

// diagnoseTraces looks for what a diagnosis leaves, in a new store and beside tokens.
func diagnoseTraces(t *trial) {
	t.diagnoser()
	exists := func() bool {
		e, ok := tokenstore.As[tokenstore.Exister](t.store.store)
		if !ok {
			return false
		}
		there, err := e.Exists(t.ctx)
		t.must("look for a store", err)
		return there
	}
	for _, role := range tokenstore.Roles() {
		before := exists()
		t.diagnoses(role)
		t.holds()
		if !before && exists() {
			t.fails("there was nothing of a store, and is after a diagnosis for a %s", role)
		}
	}
	t.seed(r1, r2)
	check := t.strangers()
	for _, role := range tokenstore.Roles() {
		t.diagnoses(role)
		t.holds(r1, r2)
		check()
	}
}

// mends reports whether a finding says that Mend repairs it.
func mends(f tokenstore.Finding) bool { return f.Mends }

func mend(t *trial) {
	t.diagnoser()
	u := t.withEdits(t.untidies())
	check := t.strangers()
	findings := t.diagnoses(tokenstore.RoleOperator)
	t.mends(nil)
	t.mends(slices.DeleteFunc(slices.Clone(findings), mends))
	t.stays(u.all())
	if slices.ContainsFunc(findings, mends) {
		ended, cancel := context.WithCancel(t.ctx)
		cancel()
		t.matchesKind("mend with an ended context", t.diagnoser().Mend(ended, findings), context.Canceled)
		t.stays(u.all())
	}
	t.mends(findings)
	check()
	rows := t.list()
	for i, tok := range u.spaced { // Mend may have put them right.
		if slices.Contains(rows, tidy(tok)) {
			u.spaced[i] = tidy(tok)
		}
	}
	t.stays(u.all())
	for _, tok := range append(u.spaced, u.right) {
		t.foundByAll(t.store, tok, []token{tok})
	}
	t.mended(findings)
}

// mended checks that the findings that were mended are not found again. A service may show an
// older state for a while.
func (t *trial) mended(findings []tokenstore.Finding) {
	var left []tokenstore.Finding
	for range 20 {
		left = slices.DeleteFunc(t.diagnoses(tokenstore.RoleOperator), func(f tokenstore.Finding) bool {
			return !f.Mends || !slices.ContainsFunc(findings, func(m tokenstore.Finding) bool { return m.Code == f.Code && m.Where == f.Where })
		})
		if len(left) == 0 {
			return
		}
		t.settings.tick()
	}
	t.fails("the finding %s was to be mended, and is found again", left[0].Code)
}

// mendChanged changes every token between the diagnosis and the repair.
func mendChanged(t *trial) {
	t.diagnoser()
	u := t.withEdits(t.untidies())
	findings := t.diagnoses(tokenstore.RoleOperator)
	var now []token
	for i, tok := range u.all() {
		if len(u.spaced) > 0 && tok == u.spaced[0] {
			t.must("delete", t.store.DeleteToken(t.ctx, tok.ID))
			continue
		}
		tok = tidy(tok)
		tok.RefreshToken, tok.AccessToken, tok.Expiry = secret("later-refresh-"+digit(i)), secret("later-access-"+digit(i)), at(i)
		t.found("save", tok)(t.save(tok), nil)
		now = append(now, tok)
	}
	t.seed(r3)
	t.mends(findings)
	t.has(append(now, r3)...)
}
