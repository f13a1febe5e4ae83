package awssm_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
	"example.com/tokenstore/internal/adaptertest"
	"example.com/tokenstore/secretstore"
)

// TestUndelete: a deleted token is found again by every key, at once and by every process; it
// can be deleted and undeleted again; and nothing that is stored is changed.
func TestUndelete(t *testing.T) {
	ctx, w := t.Context(), newWorld(awssmtest.Real())
	running, err := w.store()
	if err != nil {
		t.Fatal(err)
	}
	saved, err := running.SaveToken(ctx, adaptertest.Token("ada"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := running.UndeleteToken(ctx, saved.ID); !errors.Is(err, tokenstore.ErrConflict) {
		t.Errorf("of a stored token: %v", err)
	}
	for range 2 {
		if err := running.DeleteToken(ctx, saved.ID); err != nil {
			t.Fatal(err)
		}
		after, err := w.store()
		if err != nil {
			t.Fatal(err)
		}
		back, err := after.UndeleteToken(ctx, saved.ID)
		if err != nil || back != saved {
			t.Fatalf("%v is not what it was: %v", back, err)
		}
		for _, s := range []*secretstore.Store{running, after} {
			if !adaptertest.Present(t, s, saved) {
				t.Error("the token is not as it was")
			}
		}
		if report, err := after.Check(ctx); err != nil || report.KeysAdded > 0 || report.Tokens != 1 {
			t.Errorf("%+v, %v", report, err)
		}
	}
	// The user has logged in again, under another ID.
	if err := running.DeleteToken(ctx, saved.ID); err != nil {
		t.Fatal(err)
	}
	login := saved
	login.ID, login.RefreshToken, login.GrantToken, login.AccessToken = "another", "fake-refresh-of-a-new-login", "", ""
	if _, err := running.SaveToken(ctx, login); err != nil {
		t.Fatal(err)
	}
	if _, err := running.UndeleteToken(ctx, saved.ID); !errors.Is(err, tokenstore.ErrConflict) {
		t.Errorf("although the user has another token: %v", err)
	}
	if found, err := running.FindToken(ctx, tokenstore.OAuthToken{UserName: saved.UserName}); err != nil || found.ID != "another" || found.RefreshToken != login.RefreshToken {
		t.Errorf("%v, %v", found, err)
	}
	if err := running.DeleteToken(ctx, "another"); err != nil {
		t.Fatal(err)
	}
	if back, err := running.UndeleteToken(ctx, saved.ID); err != nil || back != saved {
		t.Errorf("after the other one is gone: %v, %v", back, err)
	}
}

// TestUndeleteSaysWhyNot: the token was never there, or deleted for good.
func TestUndeleteSaysWhyNot(t *testing.T) {
	ctx, w := t.Context(), newWorld(awssmtest.Real())
	s, err := awssm.New(w.client(), append(w.options(), awssm.WithForceDelete())...)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := s.SaveToken(ctx, adaptertest.Token("ada"))
	if err == nil {
		err = s.DeleteToken(ctx, saved.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{saved.ID, "never"} {
		if _, err := s.UndeleteToken(ctx, id); !errors.Is(err, tokenstore.ErrNotFound) && !errors.Is(err, tokenstore.ErrUnavailable) {
			t.Errorf("%s: %v", id, err)
		} else if !strings.Contains(err.Error(), "backup") {
			t.Errorf("%s: %v does not say what helps", id, err)
		}
	}
	if _, err := s.UndeleteToken(ctx, ""); !errors.Is(err, tokenstore.ErrInvalidArgument) {
		t.Error(err)
	}
}

// TestUndeleteAfterTheConsole: a person has scheduled the secret of a token for deletion, so
// that it has no tombstone, and what it holds is the token: that comes back, and not an
// older version, with all keys, also after a repair has removed them.
func TestUndeleteAfterTheConsole(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, w *world, s *secretstore.Store, saved *tokenstore.OAuthToken, secret string){
		"one version": func(*testing.T, *world, *secretstore.Store, *tokenstore.OAuthToken, string) {},
		"two versions": func(t *testing.T, _ *world, s *secretstore.Store, saved *tokenstore.OAuthToken, _ string) {
			saved.RefreshToken = "fake-refresh-of-the-second-version"
			if _, err := s.SaveToken(t.Context(), *saved); err != nil {
				t.Fatal(err)
			}
		},
		"nonsense before": func(t *testing.T, w *world, _ *secretstore.Store, _ *tokenstore.OAuthToken, secret string) {
			value, _ := w.service.Value(secret)
			if err := errors.Join(w.service.Edit(secret, "nonsense"), w.service.Edit(secret, value)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for _, repaired := range []bool{false, true} {
			ctx, w := t.Context(), newWorld(awssmtest.Real())
			s, err := w.store()
			if err != nil {
				t.Fatal(err)
			}
			saved, err := s.SaveToken(ctx, adaptertest.Token("ada"))
			if err != nil {
				t.Fatal(err)
			}
			secret, err := awssm.SecretName("tokenstore/tokens/" + saved.ID)
			if err != nil {
				t.Fatal(err)
			}
			prepare(t, w, s, &saved, secret)
			if err := w.service.Remove(secret); err != nil {
				t.Fatal(err)
			}
			if repaired {
				err := w.clock.Sleep(ctx, 48*time.Hour)
				if err == nil {
					_, err = s.Reindex(ctx, secretstore.ReindexOptions{})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			after, err := w.store()
			if err != nil {
				t.Fatal(err)
			}
			if back, err := after.UndeleteToken(ctx, saved.ID); err != nil || back != saved {
				t.Errorf("%s, repaired %t: %v, %v", name, repaired, back, err)
			}
			if !adaptertest.Present(t, s, saved) || !adaptertest.Present(t, after, saved) {
				t.Errorf("%s, repaired %t: the token is not as it was", name, repaired)
			}
			if report, err := after.Check(ctx); err != nil || report.KeysAdded > 0 || report.Tokens != 1 {
				t.Errorf("%s, repaired %t: %+v, %v", name, repaired, report, err)
			}
		}
	}
}

// TestUndeleteAfterTheConsoleAndALogin: the user has another token by now, so the one that a
// person has scheduled for deletion stays deleted, and can be undeleted once that is gone.
func TestUndeleteAfterTheConsoleAndALogin(t *testing.T) {
	for _, repaired := range []bool{false, true} {
		ctx, w := t.Context(), newWorld(awssmtest.Real())
		s, err := w.store()
		if err != nil {
			t.Fatal(err)
		}
		saved, err := s.SaveToken(ctx, adaptertest.Token("ada"))
		if err != nil {
			t.Fatal(err)
		}
		secret, err := awssm.SecretName("tokenstore/tokens/" + saved.ID)
		if err == nil {
			err = w.service.Remove(secret)
		}
		if err != nil {
			t.Fatal(err)
		}
		if repaired {
			err := w.clock.Sleep(ctx, 48*time.Hour)
			if err == nil {
				_, err = s.Reindex(ctx, secretstore.ReindexOptions{})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		login := saved
		login.ID, login.RefreshToken, login.GrantToken, login.AccessToken = "another", "fake-refresh-of-a-new-login", "fake-grant-of-a-new-login", "fake-access-of-a-new-login"
		if login, err = s.SaveToken(ctx, login); err != nil {
			t.Fatal(err)
		}
		after, err := w.store()
		if err != nil {
			t.Fatal(err)
		}
		for again := range 2 {
			if _, err := after.UndeleteToken(ctx, saved.ID); !errors.Is(err, tokenstore.ErrConflict) || !strings.Contains(err.Error(), "delete that one first") {
				t.Errorf("repaired %t: although the user has another token: %v", repaired, err)
			}
			if _, ok := w.service.Scheduled(secret); repaired && !ok && again == 0 { // Else the login has found its name in the index, and left a tombstone.
				t.Error("the secret is not scheduled for deletion any more")
			}
		}
		for _, s := range []*secretstore.Store{s, after} {
			if _, err := s.FindTokenByID(ctx, saved.ID); !errors.Is(err, tokenstore.ErrNotFound) {
				t.Errorf("repaired %t: by its ID: %v", repaired, err)
			}
			if !adaptertest.Present(t, s, login) {
				t.Errorf("repaired %t: the other token is not as it was", repaired)
			}
		}
		if err := after.DeleteToken(ctx, login.ID); err != nil {
			t.Fatal(err)
		}
		if back, err := after.UndeleteToken(ctx, saved.ID); err != nil || back != saved || !adaptertest.Present(t, s, saved) {
			t.Errorf("repaired %t: after the other one is gone: %v, %v", repaired, back, err)
		}
	}
}

// TestDiagnoseTellsOfTheConsole: a token that a person has scheduled for deletion is named with its
// repair, and one that the store has deleted is not.
func TestDiagnoseTellsOfTheConsole(t *testing.T) {
	ctx, w := t.Context(), newWorld(awssmtest.Real())
	s, err := w.store()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, user := range []string{"ada", "ben", "cleo", "dora"} {
		saved, err := s.SaveToken(ctx, adaptertest.Token(user))
		if err != nil {
			t.Fatal(err)
		}
		ids[user] = saved.ID
	}
	for _, user := range []string{"ada", "ben"} {
		secret, err := awssm.SecretName("tokenstore/tokens/" + ids[user])
		if err == nil {
			err = w.service.Remove(secret)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteToken(ctx, ids["cleo"]); err != nil {
		t.Fatal(err)
	}
	after, err := w.store()
	if err != nil {
		t.Fatal(err)
	}
	var found []tokenstore.Finding
	for _, role := range tokenstore.Roles() {
		if found, err = after.Diagnose(ctx, role); err != nil {
			t.Fatal(err)
		}
		told := map[string]string{}
		for _, f := range found {
			if f.Code == secretstore.CodeTokenScheduled {
				told[f.Where] = f.Repair
			}
		}
		if len(told) != 2 || !strings.Contains(told[ids["ada"]], "{name} undelete {store} "+ids["ada"]) || told[ids["ben"]] == "" {
			t.Errorf("as a %s: %+v", role, found)
		}
	}
	if _, err := after.UndeleteToken(ctx, ids["ada"]); err != nil {
		t.Fatal(err)
	}
	if report, err := after.Check(ctx); err != nil || len(report.Findings) != 1 || report.Findings[0].Where != ids["ben"] || report.Tokens != 2 {
		t.Errorf("after one is back: %+v, %v", report, err)
	}
}

// TestDiagnoseLeavesOutWhatTheStoreDeleted: a list may name a secret for minutes after the store
// has deleted it.
func TestDiagnoseLeavesOutWhatTheStoreDeleted(t *testing.T) {
	for seed := range uint64(20) {
		config := awssmtest.Real()
		config.ListLate, config.Seed = 5*time.Minute, seed
		w := newWorld(config)
		s, err := w.store()
		if err != nil {
			t.Fatal(err)
		}
		saved, err := s.SaveToken(t.Context(), adaptertest.Token("ada"))
		if err == nil {
			w.clock.Advance(time.Hour)
			err = s.DeleteToken(t.Context(), saved.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		found, err := s.Diagnose(t.Context(), tokenstore.RoleOperator)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if f.Code == secretstore.CodeTokenScheduled {
				t.Errorf("seed %d: %+v", seed, f)
			}
		}
	}
}
