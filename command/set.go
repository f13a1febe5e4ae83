// The verb that sets one field: of one token, or of all tokens of a client.

package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/importer"
	"example.com/tokenstore/internal/parallel"
	"github.com/spf13/cobra"
)

func setCommand() *cobra.Command {
	var client string
	var within dataCenters
	var ask consent
	verb := &cobra.Command{
		Use:   "set STORE [ID] FIELD",
		Short: "Set a field of a token, or of all tokens of a client",
		Long: `Set replaces one field of the token with an ID. The value is the only line of standard input,
or typed at a prompt without echo; it is never an argument. A field cannot be emptied, and the
user not changed: that is another token. The fields are

  ` + strings.Join(fieldNames(settable), " ") + `

With --client, set replaces a field of all tokens of that client, as when its secret was
rotated. It shows how many there are and asks first; where standard input is not a terminal, it
wants --yes. It can be run again, also after an interruption: tokens that have the value are
left as they are. A client of Zoho can have another secret in each data centre: if it has tokens
in several, --data-center says in which, or all. The fields are then

  ` + strings.Join(fieldNames(ofClient), " ") + `

A token in which somebody else has changed that very field meanwhile is left alone and
reported as changed. A new access token drops the expiry of the old one: set expiry_time after
it. The exit code is 1 if a token could not be written, 4 if one was changed meanwhile, and 3 if
there is no such token.`,
		Example: `  {name} set {local} 17 refresh_token
  {name} set {local} 17 refresh_token < refresh-token.txt
  {name} set {service} --client 1000.CLIENT client_secret --dry-run < secret.txt
  {name} set {service} --client 1000.CLIENT client_secret --yes < secret.txt`,
		Args: func(verb *cobra.Command, args []string) error {
			switch {
			case client == "" && len(args) != 3:
				return &usageError{fmt.Errorf("want 3 arguments, STORE ID FIELD, not %d; the value comes from standard input", len(args))}
			case client != "" && len(args) != 2:
				return &usageError{fmt.Errorf("want 2 arguments with --client, STORE FIELD, not %d; the value comes from standard input", len(args))}
			}
			return within.check(verb, client)
		},

		ValidArgsFunction: func(verb *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			switch {
			case client == "" && len(args) == 2:
				return fieldNames(settable), cobra.ShellCompDirectiveNoFileComp
			case client != "" && len(args) == 1:
				return fieldNames(ofClient), cobra.ShellCompDirectiveNoFileComp
			}
			return completeStore(verb, args, typed)
		},
		RunE: func(verb *cobra.Command, args []string) error {
			known := settable
			if client != "" {
				known = ofClient
			}
			f, err := fieldNamed(args[len(args)-1], known)
			if err != nil {
				return err
			}
			if client != "" {
				if err := ask.canAsk(verb); err != nil {
					return err
				}
			}
			s := &setting{field: f, within: within, report: changes{DryRun: ask.dryRun}}
			if err := s.readValue(verb); err != nil {
				return err
			}
			return withExisting(verb.Context(), args[0], ask.dryRun, func(store tokenstore.OpenStore) error {
				s.store = store
				if client != "" {
					err = s.ofClient(verb, args[0], client, &ask)
				} else {
					s.report.add(change{ID: args[1], Outcome: outcomeNotTried})
					s.one(verb.Context(), 0)
					err = verb.Context().Err()
				}
				return s.end(verb, args[0], err)
			})
		},
	}
	verb.Flags().StringVar(&client, "client", "", "set the field of all tokens of the client with this `ID`")
	within.flags(verb)
	ask.flags(verb)
	return verb
}

// The outcomes of a setting.
const (
	outcomeSet      = "set"
	outcomeWouldSet = "would be set"
	outcomeHas      = "has it already"
)

// setting sets a field to a value.
type setting struct {
	store  tokenstore.Store
	field  field
	value  string // as it is stored
	within dataCenters
	next   tokenstore.OAuthToken
	report changes
}

// readValue reads the value and checks it.
func (s *setting) readValue(verb *cobra.Command) error {
	value, err := readCredential(verb.Context(), s.field.name, verb.InOrStdin(), verb.ErrOrStderr())
	if err != nil {
		return err
	}
	if err := slip(value); err != nil {
		return &usageError{fmt.Errorf("the %s %w", s.field.name, err)}
	}
	if err := s.field.set(&s.next, value); err != nil {
		return &usageError{fmt.Errorf("the %s is not valid: %w", s.field.name, err)}
	}
	if err := s.next.Validate(); err != nil {
		return &usageError{err}
	}
	s.value = s.field.get(s.next)
	return nil
}

// fewAttempts is how often a token is read again after somebody has changed another field
// of it, or the service was busy.
const fewAttempts = 8

// one sets the field of the token of a row, and says in the row what became of it.
func (s *setting) one(ctx context.Context, i int) {
	row := &s.report.Tokens[i]
	row.Outcome, row.Reason = outcomeFailed, ""
	pause := 100 * time.Millisecond
	for attempt := 0; ; attempt++ {
		outcome, user, err := s.try(ctx, row.ID)
		if user != "" {
			row.User = user
		}
		switch {
		case err == nil:
			if row.Outcome = outcome; outcome == outcomeHas && attempt > 0 {
				row.Outcome = outcomeSet // The reply to an earlier attempt was lost.
			}
			return
		case errors.Is(err, tokenstore.ErrNotFound):
			row.Outcome = outcomeMissing
			return
		case ctx.Err() != nil:
			after, cancel := afterwards(ctx)
			defer cancel()
			row.Outcome, row.Reason = s.setOrNot(after, row.ID)
			return
		case !tokenstore.Retryable(err) || attempt == fewAttempts:
			row.Reason = err.Error()
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// try reads the token and sets the field, unless somebody else has set it since.
func (s *setting) try(ctx context.Context, id string) (outcome, user string, err error) {
	old, err := lookNoted(ctx, s.store, tokenstore.OAuthToken{ID: id})
	if err != nil {
		return "", "", err
	}
	user = old.UserName
	before := s.field.get(old.OAuthToken)
	switch {
	case before == s.value:
		return outcomeHas, user, nil
	case s.report.DryRun:
		return outcomeWouldSet, user, nil
	}
	swapper, ok := tokenstore.As[tokenstore.Swapper](s.store)
	if !ok {
		next := s.next
		next.ID = id
		_, err := s.store.SaveToken(ctx, next)
		return outcomeSet, user, err
	}
	for range fewAttempts {
		now, swapped, err := swapper.SwapToken(ctx, old, s.next, old.Note)
		switch {
		case err != nil:
			return "", user, err
		case swapped:
			return outcomeSet, user, nil
		case s.field.get(now.OAuthToken) != before:
			return outcomeChanged, user, nil
		}
		old = now // Another field: a program has refreshed the token.
	}
	return "", user, tokenstore.ErrConflict
}

// atOnce is how many tokens of a client are written at a time.
const atOnce = 8

// ofClient sets the field of all tokens of a client.
func (s *setting) ofClient(verb *cobra.Command, url, client string, ask *consent) error {
	ctx := verb.Context()
	m := newMeter(verb, "tokens")
	defer m.clear()
	read := 0
	var unread []error
	for token, err := range allTokens(ctx, s.store, false) {
		switch {
		case errors.Is(err, tokenstore.ErrUnreadable):
			unread = append(unread, err) // Nobody knows whose client it is.
			continue
		case err != nil:
			return err
		}
		read++
		m.progressOf("reading the tokens", read)
		if token.ClientID != client || !s.within.has(token) {
			continue
		}
		c := change{ID: token.ID, User: token.UserName, Outcome: outcomeNotTried}
		if s.field.get(token) == s.value {
			c.Outcome = outcomeHas
		} else if s.report.DryRun {
			c.Outcome = outcomeWouldSet
		}
		s.report.add(c)
	}
	m.clear()
	var open []int
	for i, c := range s.report.Tokens {
		if c.Outcome == outcomeNotTried {
			open = append(open, i)
		}
	}
	if err := s.within.tell(s.field); err != nil {
		s.report.Tokens = nil
		return err
	}
	switch {
	case len(s.report.Tokens) == 0 && len(unread) == 0:
		if nothing := ifNothing(ctx, s.store, url); nothing != nil {
			return nothing
		}
		return fmt.Errorf("no token of the store has this client ID%s; check it, and that it is whole: %w", s.within.and(), tokenstore.ErrNotFound)
	case len(open) > 0:
		question := fmt.Sprintf("Set the %s of %s of this client?", s.field.name, count(len(open), "token"))
		if err := ask.ask(verb, question); err != nil {
			s.report.Tokens = nil
			return err
		}
		if err := s.many(ctx, m, open); err != nil {
			return err
		}
	}
	return errors.Join(unread...)
}

// many sets the field of the tokens of some rows, several at a time.
func (s *setting) many(ctx context.Context, m *meter, rows []int) error {
	var mu sync.Mutex
	done := 0
	m.progress(importer.Stage("setting"), 0, len(rows))
	return parallel.Each(ctx, len(rows), atOnce, func(ctx context.Context, i int) error {
		s.one(ctx, rows[i])
		mu.Lock()
		defer mu.Unlock()
		done++
		m.progress(importer.Stage("setting"), done, len(rows))
		return nil
	})
}

// end prints the report, and returns the error of the verb.
func (s *setting) end(verb *cobra.Command, url string, err error) error {
	if len(s.report.Tokens) == 1 && s.report.Tokens[0].Outcome == outcomeMissing && err == nil {
		if nothing := ifNothing(verb.Context(), s.store, url); nothing != nil {
			return nothing
		}
	}
	if len(s.report.Tokens) == 0 {
		return err
	}
	return s.report.finish(verb, err)
}
