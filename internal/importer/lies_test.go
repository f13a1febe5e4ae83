package importer_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
	"example.com/tokenstore/internal/importer"
	"example.com/tokenstore/sqlstore"
)

// lying is a store whose finds of one query answer something else.
type lying struct {
	tokenstore.Store
	lie func(query, found tokenstore.OAuthToken) tokenstore.OAuthToken
}

func (l *lying) FindToken(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	found, err := l.Store.FindToken(ctx, query)
	if err != nil {
		return found, err
	}
	if found = l.lie(query, found); found.ID == "" {
		return found, tokenstore.ErrNotFound
	}
	return found, nil
}

func (l *lying) FindTokenByID(ctx context.Context, id string) (tokenstore.OAuthToken, error) {
	return l.FindToken(ctx, tokenstore.OAuthToken{ID: id})
}

// lyingTogether is one that finds many together.
type lyingTogether struct{ *lying }

func (l lyingTogether) FindTokens(ctx context.Context, queries []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	found := make([]tokenstore.OAuthToken, len(queries))
	for i, query := range queries {
		found[i], _ = l.FindToken(ctx, query) // Not found is no error.
	}
	return found, nil
}

func (l lyingTogether) SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	saved := make([]tokenstore.OAuthToken, len(tokens))
	for i, token := range tokens {
		var err error
		if saved[i], err = l.SaveToken(ctx, token); err != nil {
			return nil, err
		}
	}
	return saved, nil
}

// An import notices each find that does not answer the token that was moved, as it was moved:
// by any of its keys, in any of its fields, and whether the finds are made together or not.
func TestAnImportNoticesEveryFindThatIsWrong(t *testing.T) {
	rows := []tokenstore.OAuthToken{
		{ID: "1", UserName: "u1", RefreshToken: "r1", GrantToken: "g1", AccessToken: "a1", ClientID: "c", ClientSecret: "s", RedirectURL: "https://zylker.example", APIDomain: "d", Expiry: start},
		{ID: "2", UserName: "u2", RefreshToken: "r2", GrantToken: "g2", AccessToken: "a2", ClientID: "c", ClientSecret: "s", RedirectURL: "https://zylker.example", APIDomain: "d", Expiry: start},
	}
	asked := map[string]func(query tokenstore.OAuthToken) bool{
		"id":      func(q tokenstore.OAuthToken) bool { return q.ID != "" },
		"user":    func(q tokenstore.OAuthToken) bool { return q.UserName == "u1" },
		"refresh": func(q tokenstore.OAuthToken) bool { return q.RefreshToken == "r1" },
		"grant":   func(q tokenstore.OAuthToken) bool { return q.GrantToken == "g1" },
		"access":  func(q tokenstore.OAuthToken) bool { return q.AccessToken == "a1" },
	}
	lies := map[string]func(*tokenstore.OAuthToken){
		"lost":          func(f *tokenstore.OAuthToken) { *f = tokenstore.OAuthToken{} },
		"user":          func(f *tokenstore.OAuthToken) { f.UserName += "x" },
		"client":        func(f *tokenstore.OAuthToken) { f.ClientID = "" },
		"client secret": func(f *tokenstore.OAuthToken) { f.ClientSecret += " " },
		"refresh":       func(f *tokenstore.OAuthToken) { f.RefreshToken = "r2" },
		"grant":         func(f *tokenstore.OAuthToken) { f.GrantToken = "" },
		"access":        func(f *tokenstore.OAuthToken) { f.AccessToken = strings.ToUpper(f.AccessToken) },
		"redirect":      func(f *tokenstore.OAuthToken) { f.RedirectURL = "" },
		"domain":        func(f *tokenstore.OAuthToken) { f.APIDomain = "other" },
		"expiry":        func(f *tokenstore.OAuthToken) { f.Expiry = f.Expiry.Add(-1e6) },
		"another's":     nil,
	}
	for key, of := range asked {
		for lie, tell := range lies {
			for _, together := range []bool{false, true} {
				var other tokenstore.OAuthToken
				l := &lying{Store: store(t)}
				l.lie = func(query, found tokenstore.OAuthToken) tokenstore.OAuthToken {
					if found.UserName == "u2" {
						other = found
					}
					switch {
					case found.UserName != "u1" || !of(query):
					case tell == nil && other.ID == "":
						other, _ = l.Store.FindToken(t.Context(), tokenstore.OAuthToken{UserName: "u2"})
						found = other
					case tell == nil:
						found = other
					default:
						tell(&found)
					}
					return found
				}
				destination := tokenstore.Store(l)
				if together {
					destination = lyingTogether{l}
				}
				report, err := importer.Import(t.Context(), listed{tokens: rows}, destination, importer.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if report.Complete() || len(report.Lost) != 1 || report.Lost[0].Number != 1 || report.Finds != 10 {
					t.Errorf("find by %s, %s, together %t: %d of %d finds lost: %v", key, lie, together, len(report.Lost), report.Finds, report.Lost)
				}
			}
		}
	}
}

// What another program changes in a destination of rows between the save and the finds is
// noticed too.
func TestAnImportNoticesRowsThatWereChanged(t *testing.T) {
	sqlite, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "tokens.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sqlite.Close() }()
	file, err := filestore.Open(filepath.Join(t.TempDir(), "tokens.txt"))
	if err != nil {
		t.Fatal(err)
	}
	tokens := many(60)
	for _, destination := range []rowsStore{sqlite, file} {
		report, err := importer.Import(t.Context(), listed{tokens: tokens}, changing{destination}, importer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		lost := map[int]int{}
		for _, l := range report.Lost {
			lost[l.Number]++
		}
		if report.Complete() || len(lost) != 2 || lost[3] == 0 || lost[50] == 0 {
			t.Errorf("%T: rows 3 and 50 were changed; lost: %v", destination, report.Lost)
		}
	}
}

// rowsStore is a store that saves and finds many.
type rowsStore interface {
	tokenstore.Store
	SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error)
	FindTokens(ctx context.Context, queries []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error)
}

// changing changes one row and deletes another after each save of many.
type changing struct{ rowsStore }

func (c changing) SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	saved, err := c.rowsStore.SaveTokens(ctx, tokens)
	if err != nil {
		return nil, err
	}
	if _, err := c.SaveToken(ctx, tokenstore.OAuthToken{ID: saved[2].ID, APIDomain: "other"}); err != nil {
		return nil, err
	}
	return saved, c.DeleteToken(ctx, saved[49].ID)
}
