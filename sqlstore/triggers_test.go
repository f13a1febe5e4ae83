package sqlstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"modernc.org/sqlite"

	"example.com/tokenstore"
	"example.com/tokenstore/sqlstore"
)

// TestADeleteThatATriggerUndoesIsTold deletes from tables that keep their rows, each
// in another way: none of them makes the database report an error by itself.
func TestADeleteThatATriggerUndoesIsTold(t *testing.T) {
	for name, trigger := range map[string]string{
		"ignored":   "create trigger keep before delete on oauthtoken begin select raise(ignore); end",
		"put back":  "create trigger keep after delete on oauthtoken begin insert into oauthtoken (id, refresh_token) values (old.id, old.refresh_token); end",
		"refused":   "create trigger keep before delete on oauthtoken begin select raise(abort, 'fake-secret'); end",
		"one of it": "create trigger keep before delete on oauthtoken when old.id = '1' begin select raise(ignore); end",
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			s := open(t, path)
			save(t, s, full("u1", "1"))
			save(t, s, full("u2", "2"))
			run(t, raw(t, path), trigger)
			for what, err := range map[string]error{"one": s.DeleteToken(t.Context(), "1"), "all": s.DeleteTokens(t.Context())} {
				if !errors.Is(err, tokenstore.ErrDenied) || tokenstore.Retryable(err) {
					t.Errorf("%s: %v, want ErrDenied", what, err)
				}
			}
			if n := len(all(t, s)); n != 2 {
				t.Errorf("%d rows, want both, as a delete that fails removes none", n)
			}
			run(t, raw(t, path), "drop trigger keep")
			if err := s.DeleteTokens(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAWriteThatATriggerUndoesIsTold saves into tables that drop or change rows.
func TestAWriteThatATriggerUndoesIsTold(t *testing.T) {
	for name, trigger := range map[string]string{
		"insert ignored": "create trigger spoil before insert on oauthtoken begin select raise(ignore); end",
		"insert changed": "create trigger spoil after insert on oauthtoken begin update oauthtoken set refresh_token = 'other' where id = new.id; end",
		"insert removed": "create trigger spoil after insert on oauthtoken begin delete from oauthtoken where id = new.id; end",
		"update ignored": "create trigger spoil before update on oauthtoken begin select raise(ignore); end",
		"update changed": "create trigger spoil after update of access_token on oauthtoken begin update oauthtoken set client_id = 'other' where id = new.id; end",
		"update removed": "create trigger spoil after update on oauthtoken begin delete from oauthtoken where id = new.id; end",
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			s := open(t, path)
			save(t, s, full("u1", "1"))
			before := all(t, s)
			run(t, raw(t, path), trigger)
			token := full("u1", "2")
			if strings.HasPrefix(name, "insert") {
				token = full("u2", "2")
			}
			if _, err := s.SaveToken(t.Context(), token); !errors.Is(err, tokenstore.ErrInvalidToken) {
				t.Errorf("%v, want ErrInvalidToken", err)
			}
			if _, err := s.SaveTokens(t.Context(), []tokenstore.OAuthToken{token}); !errors.Is(err, tokenstore.ErrInvalidToken) {
				t.Errorf("of many: %v, want ErrInvalidToken", err)
			}
			if after := all(t, s); len(after) != 1 || after[0] != before[0] {
				t.Errorf("stored are %v, want %v", after, before)
			}
		})
	}
}

// TestNoErrorHoldsWhatTheDatabaseSays gives the database every chance to put a
// credential into a message: a trigger's own text, and a failed conversion.
func TestNoErrorHoldsWhatTheDatabaseSays(t *testing.T) {
	const credential = "refresh-2"
	for name, statement := range map[string]string{
		"insert":   "create trigger leak before insert on oauthtoken begin select raise(abort, 'no: ' || new.refresh_token); end",
		"fail":     "create trigger leak before insert on oauthtoken begin select raise(fail, new.refresh_token); end",
		"rollback": "create trigger leak before insert on oauthtoken begin select raise(rollback, new.refresh_token); end",
		"update":   "create trigger leak before update on oauthtoken begin select raise(abort, new.refresh_token); end",
		"delete":   "create trigger leak before delete on oauthtoken begin select raise(abort, 'refresh-2'); end",
		"counter":  "update tokenstore_ids set highest = 'refresh-2'",
		"function": "create trigger leak before insert on oauthtoken begin select json_extract(new.refresh_token, '$'); end",
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			s := open(t, path)
			save(t, s, full("u1", "1"))
			run(t, raw(t, path), statement)
			_, err := s.SaveToken(t.Context(), full("u2", "2"))
			_, errs := s.SaveTokens(t.Context(), []tokenstore.OAuthToken{full("u2", "2"), full("u3", "3")})
			_, update := s.SaveToken(t.Context(), full("u1", "2"))
			faults := 0
			for _, err := range []error{err, errs, update, s.DeleteToken(t.Context(), "1"), s.DeleteTokens(t.Context())} {
				if err == nil {
					continue
				}
				faults++
				for how, text := range printed(err) {
					if strings.Contains(text, credential) {
						t.Errorf("%s shows the credential: %s", how, text)
					}
				}
				if e := (*sqlite.Error)(nil); name != "counter" && !errors.As(err, &e) {
					t.Errorf("the driver's error is not reachable: %v", err)
				}
			}
			if faults == 0 {
				t.Error("nothing failed")
			}
		})
	}
}

// printed returns what becomes of a value in the ways that a program prints it.
func printed(v any) map[string]string {
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("it", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("it", "v", v)
	all := map[string]string{"slog": log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		all[verb] = fmt.Sprintf(verb, v)
	}
	return all
}

// TestPrintingAStoreShowsNoCredential prints a store that has read tokens.
func TestPrintingAStoreShowsNoCredential(t *testing.T) {
	s := open(t, newPath(t))
	save(t, s, full("u1", "1"))
	for _, v := range []any{s, struct{ S *sqlstore.Store }{s}, sqlstore.SQLite()} {
		for how, text := range printed(v) {
			if strings.Contains(text, "refresh-1") || strings.Contains(text, fmt.Sprintf("%x", "refresh-1")) {
				t.Errorf("%s shows a credential: %s", how, text)
			}
		}
	}
}

// Rows that are saved together are read back together, and what a trigger makes of one of them
// is noticed and told as when they are saved one by one: also if the next save of the token would
// hide it.
func TestTriggersAreNoticedInABatch(t *testing.T) {
	tokens := []tokenstore.OAuthToken{full("u1", "1"), full("u2", "2"), {UserName: "u1", AccessToken: "access-new"}, full("u3", "3")}
	for name, c := range map[string]struct {
		trigger string
		faults  []int // the tokens that cannot be saved, from 1
	}{
		"insert":       {"after insert on oauthtoken when new.user_name = 'u2' begin update oauthtoken set api_domain = 'other' where id = new.id; end", []int{2}},
		"saved again":  {"after insert on oauthtoken when new.user_name = 'u1' begin update oauthtoken set api_domain = null where id = new.id; end", []int{1, 3}},
		"update":       {"after update of access_token on oauthtoken begin update oauthtoken set grant_token = 'other' where id = new.id; end", []int{3}},
		"an earlier":   {"after insert on oauthtoken when new.user_name = 'u3' begin update oauthtoken set redirect_url = 'other' where user_name = 'u3'; end", []int{4}},
		"drops a row":  {"after insert on oauthtoken when new.user_name = 'u3' begin delete from oauthtoken where id = new.id; end", []int{4}},
		"nothing much": {"after insert on oauthtoken begin select 1; end", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, newPath(t))
			run(t, s.DB(), "create trigger spoil "+c.trigger)
			batch := slices.Clone(tokens)
			for i := range 60 { // So many are read back together.
				batch = append(batch, full(fmt.Sprint("more-", i), fmt.Sprint("more-", i)))
			}
			_, err := s.SaveTokens(t.Context(), batch)
			if c.faults == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			joined, ok := err.(interface{ Unwrap() []error })
			if !ok || len(joined.Unwrap()) == 0 || !errors.Is(err, tokenstore.ErrInvalidToken) {
				t.Fatalf("%v, want the faults of tokens %d", err, c.faults)
			}
			if first := joined.Unwrap()[0].Error(); !strings.Contains(first, fmt.Sprintf("save token %d of 64", c.faults[0])) {
				t.Errorf("the first fault is %q, want token %d", first, c.faults[0])
			}
			if n := len(all(t, s)); n != 0 {
				t.Errorf("%d tokens are stored", n)
			}
		})
	}
}
