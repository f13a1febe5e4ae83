package mysql_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.com/tokenstore"
)

// TestPrompt: a person is asked for the password if neither a file nor the environment has
// it, and if the account needs one.
func TestPrompt(t *testing.T) {
	d := newDatabase(t)
	c := d.account(t, "ALL")
	at := "mysql://" + d.url.Host + "/" + d.name + "?user=" + c.User
	t.Setenv("MYSQL_PWD", "")
	asked := 0
	answering := func(answer string) context.Context {
		return tokenstore.WithPrompt(t.Context(), func(_ context.Context, what string) (string, error) {
			if asked++; !strings.Contains(what, "password of "+c.User+" at "+d.url.Host) {
				t.Errorf("it asks for %q", what)
			}
			return answer, nil
		})
	}
	s, err := tokenstore.Open(answering(c.Passwd), at)
	must(t, err)
	must(t, s.Close())
	for _, answer := range []string{"", "wrong-hush"} {
		if s, err := tokenstore.Open(answering(answer), at); !errors.Is(err, tokenstore.ErrDenied) || s != nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("answered %q: %v", answer, err)
		}
	}
	if _, err := tokenstore.Open(t.Context(), at); !errors.Is(err, tokenstore.ErrDenied) || asked != 3 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	t.Setenv("MYSQL_PWD", c.Passwd)
	s, err = tokenstore.Open(answering("wrong"), at)
	must(t, err)
	if must(t, s.Close()); asked != 3 {
		t.Error("it asks although the environment has a password")
	}
}
