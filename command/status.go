// The verb that says whether a store is there and how it is.

package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
	"example.com/tokenstore/secretstore"
	"example.com/tokenstore/tokensource"
	"github.com/spf13/cobra"
)

func (c Command) statusCommand() *cobra.Command {
	var within time.Duration
	var quiet, deep bool
	verb := &cobra.Command{
		Use:   "status STORE",
		Short: "Say whether a store is there, what it holds, and which tokens end soon",
		Long: `Status says whether something of a store is at that place and answers, and counts its
tokens: those whose access token has expired or will within a time, those that cannot be
refreshed because they have neither refresh nor grant token, and those that cannot be read.

With --deep, it also says as whom it acts, where the service tells (AWS and GCP do not without
another service); it reads the note of each token, one by one, and counts those whose refresh
token the provider refuses, whose users have to consent again; and it reads the index, and
says how much of the service's limits is used.

With --quiet, it prints nothing and reads hardly anything: it is the health check of a
container.

The exit code is 1 if the store does not answer, 3 if nothing of a store is at that place,
and 4 if a token cannot be read or is refused, or if three quarters of a limit are used.
That access tokens have expired is normal, and does not change the exit code.`,
		Example: `  {name} status {local}
  {name} status {service} --within 24h --deep --json
  {name} status {service} --quiet`,
		Args: exactArgs("STORE"),

		ValidArgsFunction: completeStore,
		RunE: func(verb *cobra.Command, args []string) error {
			if within < 0 {
				return &usageError{errors.New("--within counts from now on: give a positive duration such as 1h")}
			}
			return withStore(verb.Context(), readOnly(args[0]), func(store tokenstore.OpenStore) error {
				if err := answers(verb.Context(), store, args[0]); err != nil || quiet {
					return err
				}
				s := status{now: c.Now(), within: within}
				s.report.Within = within.String()
				if err := s.read(verb, store, deep); err != nil {
					return err
				}
				if err := s.print(verb); err != nil {
					return err
				}
				return s.end()
			})
		},
	}
	flags := verb.Flags()
	flags.DurationVar(&within, "within", time.Hour, "count the access tokens that expire within this `DURATION`")
	flags.BoolVar(&quiet, "quiet", false, "print nothing but errors; only the exit code tells")
	flags.BoolVar(&deep, "deep", false, "also read the note of each token, and the index")
	return verb
}

// answers returns an error unless something of a store is there and can be read.
func answers(ctx context.Context, store tokenstore.Store, url string) error {
	pinger, ok := tokenstore.As[tokenstore.Pinger](store)
	if !ok {
		return ifNothing(ctx, store, url) // Reading the tokens meets any fault.
	}
	err := pinger.Ping(ctx)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return &nothingError{url}
	}
	return err
}

// checker is a store with an index, which has limits.
type checker interface {
	Check(ctx context.Context) (secretstore.Report, error)
}

// status is what is known of a store.
type status struct {
	now    time.Time
	within time.Duration
	faults []error // of tokens that cannot be read
	report statusReport
}

// statusReport is a status as it is printed.
type statusReport struct {
	Tokens     int            `json:"tokens"`
	Expired    int            `json:"expired"`
	Expiring   int            `json:"expiring"`
	Within     string         `json:"within"`
	Unknown    int            `json:"expiry_unknown"`
	Dead       int            `json:"not_refreshable"`
	Unreadable int            `json:"unreadable"`
	ActsAs     string         `json:"acts_as,omitempty"`
	Refused    []refusedToken `json:"refused,omitzero"` // nil if nobody looked
	Limits     *limits        `json:"limits,omitempty"`
}

// refusedToken is a token that the provider refuses.
type refusedToken struct {
	ID    string    `json:"id"`
	User  string    `json:"user_name,omitempty"`
	Since time.Time `json:"since"`
}

// limits say how much of a service's limits the fullest secret of the index has used, in
// percent; nil is no limit. WritesPerDay is how often one token may be written in a day.
type limits struct {
	Size         *int `json:"index_size_percent,omitempty"`
	Writes       *int `json:"index_writes_percent,omitempty"`
	WritesPerDay int  `json:"token_writes_per_day,omitempty"`
}

// near reports whether so much of a limit is used that a person should look.
func (l *limits) near() bool {
	full := func(percent *int) bool { return percent != nil && *percent >= nearLimit }
	return full(l.Size) || full(l.Writes)
}

// nearLimit is how much of a limit may be used, in percent.
const nearLimit = 75

func (s *status) read(verb *cobra.Command, store tokenstore.Store, deep bool) error {
	ctx := verb.Context()
	swapper, _ := tokenstore.As[tokenstore.Swapper](store)
	if deep && swapper != nil {
		s.report.Refused = []refusedToken{}
	}
	m := newMeter(verb, "tokens")
	defer m.clear()
	for token, err := range allTokens(ctx, store, false) {
		if errors.Is(err, tokenstore.ErrUnreadable) {
			s.report.Unreadable++
			s.faults = append(s.faults, err)
			continue
		}
		if err != nil {
			return err
		}
		s.count(token)
		m.progressOf("reading the tokens", s.report.Tokens)
		if deep && swapper != nil {
			if err := s.countRefused(ctx, swapper, token); err != nil {
				return err
			}
		}
	}
	if !deep {
		return nil
	}
	if identifier, ok := tokenstore.As[tokenstore.Identifier](store); ok {
		// It is an extra: a role that may not ask is no fault of the store.
		s.report.ActsAs, _ = identifier.Identity(ctx)
	}
	return s.readLimits(ctx, store)
}

func (s *status) count(token tokenstore.OAuthToken) {
	s.report.Tokens++
	switch {
	case token.Expiry.IsZero():
		s.report.Unknown++
	case !token.Expiry.After(s.now):
		s.report.Expired++
	case !token.Expiry.After(s.now.Add(s.within)):
		s.report.Expiring++
	}
	if token.RefreshToken == "" && token.GrantToken == "" {
		s.report.Dead++
	}
}

func (s *status) countRefused(ctx context.Context, swapper tokenstore.Swapper, token tokenstore.OAuthToken) error {
	row, err := swapper.FindNoted(ctx, tokenstore.OAuthToken{ID: token.ID})
	switch {
	case errors.Is(err, tokenstore.ErrNotFound), errors.Is(err, tokenstore.ErrUnreadable):
		return nil // Deleted or damaged since.
	case err != nil:
		return err
	}
	if since, refused := tokensource.Refused(row); refused {
		s.report.Refused = append(s.report.Refused, refusedToken{token.ID, token.UserName, since})
	}
	return nil
}

func (s *status) readLimits(ctx context.Context, store tokenstore.Store) error {
	c, ok := tokenstore.As[checker](store)
	if !ok {
		return nil
	}
	report, err := c.Check(ctx)
	switch {
	case errors.Is(err, tokenstore.ErrUnreadable):
		s.report.Unreadable++
		s.faults = append(s.faults, err)
	case err != nil:
		return err
	}
	s.report.Limits = headroom(report.Index)
	if swapper, ok := tokenstore.As[tokenstore.Swapper](store); ok {
		s.report.Limits.WritesPerDay = swapper.WritesPerDay()
	}
	return nil
}

// headroom returns how much of the limits the fullest secrets of an index have used.
func headroom(stats []index.Stat) *limits {
	fuller := func(before *int, used, most int) *int {
		if most == 0 {
			return before
		}
		percent := used * 100 / most
		if before != nil {
			percent = max(percent, *before)
		}
		return &percent
	}
	l := &limits{}
	for _, s := range stats {
		l.Size = fuller(l.Size, s.Size, s.MaxSize)
		l.Writes = fuller(l.Writes, s.WritesToday, s.MaxWrites)
	}
	return l
}

func (s *status) print(verb *cobra.Command) error {
	w, r := verb.OutOrStdout(), s.report
	if wantsJSON(verb) {
		return printJSON(w, r)
	}
	t := newTable(w, "WHAT", "COUNT", "REMARK")
	row := func(what string, n int, remark string) { t.row(what, fmt.Sprint(n), remark) }
	row("tokens", r.Tokens, "")
	row("expired", r.Expired, "refreshed when they are used")
	row("expiring within "+r.Within, r.Expiring, "")
	row("of unknown expiry", r.Unknown, "")
	row("not refreshable", r.Dead, "no refresh or grant token: the user has to consent again")
	row("unreadable", r.Unreadable, "check names them")
	if r.ActsAs != "" {
		t.row("acts as", r.ActsAs, "")
	}
	if r.Refused != nil {
		row("refused by the provider", len(r.Refused), "the user has to consent again")
	}
	if r.Limits != nil {
		if r.Limits.Size != nil {
			t.row("index, of its size", fmt.Sprint(*r.Limits.Size, "%"), "")
		}
		if r.Limits.Writes != nil {
			t.row("index, of its writes in a day", fmt.Sprint(*r.Limits.Writes, "%"), "")
		}
		if n := r.Limits.WritesPerDay; n > 0 {
			row("writes of a token in a day", n, "at most")
		}
	}
	if err := t.flush(); err != nil || len(r.Refused) == 0 {
		return err
	}
	_, _ = fmt.Fprintln(w)
	t = newTable(w, "REFUSED", "USER", "SINCE")
	for _, token := range r.Refused {
		t.row(token.ID, token.User, token.Since.UTC().Format(time.RFC3339))
	}
	return t.flush()
}

// end returns the error of a store in which something is for a person to decide.
func (s *status) end() error {
	if s.report.Tokens == 0 && len(s.faults) > 0 {
		return errors.Join(s.faults...)
	}
	if len(s.faults)+len(s.report.Refused) > 0 || s.report.Limits != nil && s.report.Limits.near() {
		return &incompleteError{}
	}
	return nil
}
