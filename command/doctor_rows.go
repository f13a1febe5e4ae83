// What doctor finds by reading every token, and the repair of white space around credentials.

package command

import (
	"context"
	"errors"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// The codes of what is found by reading every token, whatever the store.
const (
	codeRowUnreadable = "row-unreadable"
	codeReadFailed    = "read-failed"
	codeStoreWarning  = "store-warning"
)

// slips returns what reading every token of a store shows. A store that diagnoses itself has
// reported already what concerns it as a whole.
func slips(ctx context.Context, store tokenstore.Store, diagnoses bool) ([]tokenstore.Finding, error) {
	var all []tokenstore.Finding
	failed := func(err error) []tokenstore.Finding {
		return append(all, tokenstore.Finding{Code: codeReadFailed, Severity: tokenstore.SeverityError, What: err.Error(), Repair: "do what the error says, then run {name} doctor {store} again", Err: err})
	}
	warnings := map[string][]string{}
	if warner, ok := tokenstore.As[tokenstore.Warner](store); ok {
		var err error
		if warnings, err = warner.Warnings(ctx); err != nil {
			return failed(err), ctx.Err()
		}
	}
	if !diagnoses {
		for _, w := range warnings[""] {
			all = append(all, tokenstore.Finding{Code: codeStoreWarning, Severity: tokenstore.SeverityWarning, What: w, Repair: "do what the warning says"})
		}
	}
	users := map[string]string{} // the ID of the first token of each
	for t, err := range allTokens(ctx, store, false) {
		switch {
		case errors.Is(err, tokenstore.ErrUnreadable):
			for _, row := range rowstore.SplitErrors(err) {
				all = append(all, tokenstore.Finding{Code: codeRowUnreadable, Severity: tokenstore.SeverityWarning, What: row.Error(), Repair: "correct the row, or remove it", Err: row})
			}
			continue
		case err != nil:
			return failed(err), ctx.Err()
		}
		for _, w := range warnings[t.ID] {
			all = append(all, tokenstore.SlipFinding(t.ID, w))
		}
		first, twice := users[t.UserName]
		switch {
		case t.UserName == "":
		case !twice:
			users[t.UserName] = t.ID
		default:
			all = append(all, tokenstore.UserTwiceFinding(t.ID, first))
		}
	}
	return all, ctx.Err()
}

// trimCredentials takes the white space off the credentials of the tokens that the findings are
// about, each by one swap. It returns why a token was left, by its ID.
func trimCredentials(ctx context.Context, store tokenstore.Store, found []tokenstore.Finding) (map[string]string, error) {
	swapper, ok := tokenstore.As[tokenstore.Swapper](store)
	reasons := map[string]string{}
	wanted := false
	for _, f := range found {
		wanted = wanted || f.Code == tokenstore.CodeWhiteSpace
	}
	if !ok || !wanted {
		return reasons, nil
	}
	var ids []string // Collected first: a store may not be changed while it is read.
	for t, err := range allTokens(ctx, store, false) {
		switch {
		case err == nil && needsTrim(t):
			ids = append(ids, t.ID)
		case err != nil && !errors.Is(err, tokenstore.ErrUnreadable):
			return reasons, err
		}
	}
	for _, id := range ids {
		reason, err := trimOne(ctx, store, swapper, id)
		if err != nil {
			return reasons, err
		}
		reasons[id] = reason
	}
	return reasons, nil
}

func needsTrim(t tokenstore.OAuthToken) bool { return trimmed(t) != t }

// trimmed returns a token without the white space around its credentials. One that is nothing
// else stays.
func trimmed(t tokenstore.OAuthToken) tokenstore.OAuthToken {
	for _, text := range []*string{&t.ClientID, &t.ClientSecret, &t.RefreshToken, &t.AccessToken, &t.GrantToken} {
		if short := strings.TrimSpace(*text); short != "" {
			*text = short
		}
	}
	return t
}

// trimOne trims one token, and returns why not.
func trimOne(ctx context.Context, store tokenstore.Store, swapper tokenstore.Swapper, id string) (reason string, err error) {
	row, err := swapper.FindNoted(ctx, tokenstore.OAuthToken{ID: id})
	if errors.Is(err, tokenstore.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	next := trimmed(row.OAuthToken)
	for _, k := range tokenstore.KeysOf(next) {
		if tokenstore.Holds(row.OAuthToken, k) {
			continue
		}
		switch other, err := store.FindToken(ctx, tokenstore.QueryFor(k)); {
		case err == nil && other.ID != id:
			return "token " + other.ID + " holds the trimmed credential: compare the two, and delete one", nil
		case err != nil && !errors.Is(err, tokenstore.ErrNotFound):
			return "", err
		}
	}
	_, swapped, err := swapper.SwapToken(ctx, row, next, row.Note)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return "", nil
	case err == nil && !swapped:
		return outcomeChanged, nil
	}
	return "", err
}
