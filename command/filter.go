// Which tokens a list shows.

package command

import (
	"errors"
	"iter"
	"strings"
	"time"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

// filter selects tokens. The zero value selects all.
type filter struct {
	user          string
	client        string
	expiresBefore string
	expired       bool
}

func (f *filter) flags(verb *cobra.Command) {
	flags := verb.Flags()
	flags.StringVar(&f.user, "user", "", "only users that match this `PATTERN`, in which * stands for any characters and ? for one")
	flags.StringVar(&f.client, "client", "", "only tokens of the client with this `ID`")
	flags.StringVar(&f.expiresBefore, "expires-before", "", "only tokens whose access token expires before this `TIME`: from now, such as 1h, or a date and time such as 2026-11-28T21:00:00Z")
	flags.BoolVar(&f.expired, "expired", false, "only tokens whose access token has expired")
}

// compile returns the function that selects, at this time.
func (f *filter) compile(now time.Time) (func(tokenstore.OAuthToken) bool, error) {
	var before time.Time
	if f.expiresBefore != "" {
		if f.expired {
			return nil, &usageError{errors.New("give one of --expired and --expires-before")}
		}
		var err error
		if before, err = timeFlag(f.expiresBefore, now); err != nil {
			return nil, &usageError{errors.New("--expires-before takes a duration such as 1h, or a date and time such as 2026-11-28T21:00:00Z")}
		}
	}
	if f.expired {
		before = now
	}
	return func(t tokenstore.OAuthToken) bool {
		return (f.user == "" || like(f.user, t.UserName)) &&
			(f.client == "" || f.client == t.ClientID) &&
			(before.IsZero() || !t.Expiry.IsZero() && t.Expiry.Before(before))
	}, nil
}

// timeFlag reads a time: a duration from now, or RFC 3339.
func timeFlag(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d), nil
	}
	return time.Parse(time.RFC3339, text)
}

// like reports whether a text matches a pattern with * and ?, byte for byte otherwise.
func like(pattern, text string) bool {
	star, from := -1, 0
	p, s := []rune(pattern), []rune(text)
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, from = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == s[j]):
			i++
			j++
		case star >= 0: // The last star takes one more.
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(string(p[i:]), "*") == ""
}

// selected yields the tokens that are wanted, and all errors. It counts what it has seen.
func selected(tokens iter.Seq2[tokenstore.OAuthToken, error], want func(tokenstore.OAuthToken) bool, seen *int) iter.Seq2[tokenstore.OAuthToken, error] {
	return func(yield func(tokenstore.OAuthToken, error) bool) {
		for token, err := range tokens {
			if err == nil {
				*seen++
			}
			if (err != nil || want(token)) && !yield(token, err) {
				return
			}
		}
	}
}
