// What becomes of each row, decided before anything is written.

package importer

import (
	"fmt"
	"time"

	"example.com/tokenstore"
)

// look decides what becomes of each row, and writes nothing.
func (b *batch) look(rows []numbered, there []tokenstore.OAuthToken) {
	known := newRows(there)
	source := b.tokens
	f := fold(source)
	b.tokens = f.tokens
	for i := range source {
		if rows[i].changed {
			b.rows[i].Outcome, b.rows[i].Reason = NotWritten, "the source changed while it was read"
			continue
		}
		if f.into[i] == i {
			b.decide(i, known)
			continue
		}
		row := &b.rows[i]
		if f.other[i] != "" {
			row.Outcome, row.Reason = Undecided, b.toDecide(f.into[i], f.other[i])
			continue // It may be there: see below.
		}
		row.Outcome, row.Reason, b.same[i] = Folded, "into "+b.row(f.into[i]), f.into[i]
		if another(source[i].GrantToken, f.tokens[f.into[i]].GrantToken) {
			row.Reason += ", which has another grant token"
		}
	}
	for i := range source {
		if f.other[i] != "" && !rows[i].changed {
			b.present(i, known)
		}
	}
	b.settle()
}

// present says of a row that was left to decide that it is there, if it is.
func (b *batch) present(i int, known *rows) {
	t := b.tokens[i]
	if t.AccessToken == "" {
		t.Expiry = time.Time{}
	}
	there := known.same(t)
	if there == nil || tokenstore.Update(there.token, t) != there.token {
		return
	}
	row := &b.rows[i]
	row.Outcome, row.Reason, row.ID = Present, "", there.token.ID
	if there.row >= 0 {
		b.same[i], row.Reason = there.row, "as "+b.row(there.row)
		return
	}
	b.stored[i], there.row = there.token, i
}

// toDecide says why a row is not folded into another, and what helps.
func (b *batch) toDecide(into int, other string) string {
	if other == anotherClient {
		return fmt.Sprintf("the same token as %s, but with %s; import this client's rows alone, with --client ID, "+
			"into a store with another prefix or file", b.row(into), other)
	}
	return fmt.Sprintf("the same token as %s, but with %s; delete the row that is out of date, "+
		"or import this one from a file of its own into a store with another prefix or file", b.row(into), other)
}

// decide compares a row with what the destination has, or will have when the
// rows before it are written. A token is the target of one row only.
func (b *batch) decide(i int, known *rows) {
	row, t := &b.rows[i], b.tokens[i]
	if err := tokenstore.CheckInsert(t); err != nil {
		row.Outcome, row.Reason = Refused, err.Error()
		return
	}
	there := known.same(t)
	if other := known.byID[t.ID]; b.options.KeepIDs && other != nil && other != there {
		row.Outcome, row.Reason = Refused, "another token in the destination has this ID; pass --keep-ids=false to give this one a new ID"
		if other.row >= 0 {
			row.Reason = b.row(other.row) + " has this ID in the destination; pass --keep-ids=false to give this one a new ID"
		}
		return
	}
	if !b.options.KeepIDs {
		t.ID = ""
	}
	if there == nil {
		row.Outcome, b.saves[i] = Created, t
		known.set(&held{}, t, i)
		return
	}
	row.ID = there.token.ID
	if t.AccessToken == "" {
		t.Expiry = time.Time{} // It is that of an access token which is not here.
	}
	if there.row >= 0 {
		b.again(i, there, t)
		return
	}
	b.stored[i] = there.token
	save := b.compare(row, there.token, t)
	switch row.Outcome {
	case Present, Folded:
		there.row = i
	case Updated:
		save.ID = there.token.ID
		b.saves[i] = save
		known.set(there, tokenstore.Update(there.token, save), i)
	}
}

// again decides on a row that is the token of an earlier row.
func (b *batch) again(i int, there *held, t tokenstore.OAuthToken) {
	row := &b.rows[i]
	if tokenstore.Update(there.token, t) == there.token {
		b.same[i] = there.row
		row.Outcome, row.Reason = Present, "as "+b.row(there.row)
		return
	}
	row.Outcome = Undecided
	row.Reason = fmt.Sprintf("the same token as %s, but with other values; delete the row that is out of date, "+
		"or import this one from a file of its own into a store with another prefix or file", b.row(there.row))
}

// compare decides on a row whose token the destination has, and returns what is to be
// saved.
func (b *batch) compare(row *Row, there, t tokenstore.OAuthToken) (save tokenstore.OAuthToken) {
	other, merged := givenUp(there, t), fill(there, t)
	differs := tokenstore.Update(merged, t) != merged
	later := expiresLater(t, there, other)
	switch {
	case tokenstore.Update(there, t) == there:
		row.Outcome = Present
	case b.options.Overwrite, b.options.Update && later && other != anotherClient:
		if row.Outcome = Updated; other != "" {
			row.Reason = "the store had " + other
		}
		return t
	case !b.options.Update:
		row.Outcome, row.Reason = Undecided, "the store has it with other values; --update takes the source's where its access token expires later, --overwrite always"
	case other == anotherClient:
		row.Outcome, row.Reason = Undecided, "the store has it with another client; import it into a store with another prefix or file, or use --overwrite"
	case other != "":
		row.Outcome, row.Reason = Undecided, "the store has it with "+other+", and the source's access token does not expire later; --overwrite takes the source's values"
	case differs && !there.Expiry.After(t.Expiry):
		row.Outcome, row.Reason = Undecided, "the store has it with other values, and neither access token expires later; --overwrite takes the source's values"
	case merged != there:
		row.Outcome, row.Reason = Updated, "with what the store lacked"
		return additions(there, merged)
	default:
		row.Outcome, row.Reason = Folded, "into the store's own, whose access token expires later"
	}
	return tokenstore.OAuthToken{}
}

// expiresLater reports whether the source's token is the newer one by its access token.
// Where the store's is of unknown expiry it is not, nor where the store has none beside
// another refresh token: that is how a person leaves a token whose refresh token was
// rotated by hand.
func expiresLater(t, there tokenstore.OAuthToken, other string) bool {
	switch {
	case t.AccessToken == "" || t.Expiry.IsZero():
		return false
	case there.AccessToken == "":
		return other == ""
	}
	return !there.Expiry.IsZero() && t.Expiry.After(there.Expiry)
}

// additions returns what a token has and another one lacks.
func additions(lacks, has tokenstore.OAuthToken) tokenstore.OAuthToken {
	add := has
	for _, f := range []struct{ value, had *string }{
		{&add.UserName, &lacks.UserName}, {&add.ClientID, &lacks.ClientID}, {&add.ClientSecret, &lacks.ClientSecret},
		{&add.RefreshToken, &lacks.RefreshToken}, {&add.AccessToken, &lacks.AccessToken}, {&add.GrantToken, &lacks.GrantToken},
		{&add.RedirectURL, &lacks.RedirectURL}, {&add.APIDomain, &lacks.APIDomain},
	} {
		if *f.had != "" {
			*f.value = ""
		}
	}
	if add.AccessToken == "" && add.Expiry.Equal(lacks.Expiry) {
		add.Expiry = time.Time{}
	}
	return add
}

// settle gives each row that is the same token as another the ID of that row and, if
// that one was not moved, its outcome.
func (b *batch) settle() {
	for i, other := range b.same {
		if other < 0 {
			continue
		}
		row, same := &b.rows[i], b.rows[other]
		row.ID = same.ID
		switch same.Outcome {
		case Refused, Undecided, NotWritten:
			row.Outcome, row.Reason = same.Outcome, "as "+b.row(other)+", which is the same token"
		}
	}
}
