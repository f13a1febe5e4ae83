// Each kind of provider, with the source that says so at the constant.

package accountstest_test

import (
	"testing"
	"time"

	"example.com/tokenstore/accountstest"
)

// TestKinds redeems a refresh token twice, within and after Reuse.
func TestKinds(t *testing.T) {
	const reuse = 30 * time.Second
	for _, c := range []struct {
		kind          accountstest.Kind
		after         time.Duration
		second        accountstest.Outcome
		rotates, same bool // the replies' refresh tokens
		firstAlive    bool // what the first redemption gave still works
		secondAlive   bool
		families      int
	}{
		{kind: accountstest.Keep, after: time.Minute, second: accountstest.Redeemed, firstAlive: true, secondAlive: true},
		{kind: accountstest.Overlap, after: reuse, second: accountstest.Redeemed, rotates: true, firstAlive: true, secondAlive: true},
		{kind: accountstest.Overlap, after: reuse + 1, second: accountstest.FamilyRevoked, rotates: true, families: 1},
		{kind: accountstest.SameAnswer, after: reuse, second: accountstest.SameAgain, rotates: true, same: true, firstAlive: true, secondAlive: true},
		{kind: accountstest.SameAnswer, after: reuse + 1, second: accountstest.FamilyRevoked, rotates: true, families: 1},
		{kind: accountstest.Refuse, after: 0, second: accountstest.Refused, rotates: true, firstAlive: true},
		{kind: accountstest.RevokeFamily, after: 0, second: accountstest.FamilyRevoked, rotates: true, families: 1},
		{kind: accountstest.KillFirst, after: reuse, second: accountstest.Redeemed, rotates: true, secondAlive: true},
		{kind: accountstest.KillFirst, after: reuse + 1, second: accountstest.FamilyRevoked, rotates: true, families: 1},
	} {
		t.Run(c.kind.String()+"/"+c.after.String(), func(t *testing.T) {
			s, clock := start(t, accountstest.Config{Kind: c.kind, Reuse: reuse})
			token := s.Login(accountstest.User{})
			first := s.refresh(t, token.RefreshToken)
			if got := first.refresh != ""; got != c.rotates {
				t.Errorf("the reply has a refresh token: %v, want %v", got, c.rotates)
			}
			if !s.Alive(token.AccessToken) {
				t.Error("a redemption has ended the access token before it")
			}
			clock.Advance(c.after)
			if got, want := s.Redeemable(token.RefreshToken), c.second == accountstest.Redeemed || c.second == accountstest.SameAgain; got && !want {
				t.Errorf("Redeemable: %v before a second use that is %s", got, c.second)
			}
			second := s.refresh(t, token.RefreshToken)
			requests := s.Requests()
			if got := requests[1].Outcome; got != c.second || !requests[1].Second {
				t.Fatalf("the second use is %s, want %s: %+v", got, c.second, requests)
			}
			if c.same && (second.access != first.access || second.refresh != first.refresh || second.expires >= first.expires) {
				t.Error("the second answer differs from the first")
			}
			if !c.same && second.access != "" && (second.access == first.access || c.rotates && second.refresh == first.refresh) {
				t.Error("the second answer is the first")
			}
			if got := s.Alive(first.access); got != c.firstAlive {
				t.Errorf("the first access token is alive: %v, want %v", got, c.firstAlive)
			}
			if got := s.Alive(second.access); got != c.secondAlive {
				t.Errorf("the second access token is alive: %v, want %v", got, c.secondAlive)
			}
			if c.rotates {
				if got := s.Redeemable(first.refresh); got != c.firstAlive {
					t.Errorf("the first refresh token is good: %v, want %v", got, c.firstAlive)
				}
				if got := s.refresh(t, first.refresh).access != ""; got != c.firstAlive {
					t.Errorf("the first refresh token was redeemed: %v, want %v", got, c.firstAlive)
				}
			}
			if got := s.Counts().FamiliesRevoked; got != c.families {
				t.Errorf("%d families revoked, want %d", got, c.families)
			}
		})
	}
}

// TestOnlyPrevious: with Auth0's rule an older generation is a breach, although its reuse
// interval has not ended.
func TestOnlyPrevious(t *testing.T) {
	for _, only := range []bool{false, true} {
		s, _ := start(t, accountstest.Config{Kind: accountstest.Overlap, Reuse: time.Hour, OnlyPrevious: only})
		token := s.Login(accountstest.User{})
		first := s.refresh(t, token.RefreshToken)
		if again := s.refresh(t, token.RefreshToken); again.access == "" {
			t.Fatal("the previous refresh token is refused")
		}
		s.refresh(t, first.refresh)
		again := s.refresh(t, token.RefreshToken)
		if got := again.access == ""; got != only {
			t.Errorf("OnlyPrevious %v: an older generation is refused: %v", only, got)
		}
		if got := s.Counts().FamiliesRevoked == 1; got != only {
			t.Errorf("OnlyPrevious %v: the family is revoked: %v", only, got)
		}
	}
}

// TestUntilUsed: with Airlock's rule the first call with the new access token ends the grace.
func TestUntilUsed(t *testing.T) {
	for _, use := range []string{"nothing", "access", "refresh"} {
		s, _ := start(t, accountstest.Config{Kind: accountstest.SameAnswer, Reuse: time.Hour, UntilUsed: true})
		token := s.Login(accountstest.User{})
		first := s.refresh(t, token.RefreshToken)
		switch use {
		case "access":
			if status := s.call(t, "Bearer "+first.access); status != 200 {
				t.Fatalf("the call ends with %d", status)
			}
		case "refresh":
			s.refresh(t, first.refresh)
		}
		if got, want := s.refresh(t, token.RefreshToken).access != "", use == "nothing"; got != want {
			t.Errorf("after the use of %s the refresh token is taken: %v, want %v", use, got, want)
		}
		if s.Counts().FamiliesRevoked != 0 {
			t.Error("the family is revoked")
		}
	}
}

// TestEndsAccess: with GitHub's rule a refresh ends the access token before it.
func TestEndsAccess(t *testing.T) {
	s, _ := start(t, accountstest.Config{Kind: accountstest.Refuse, EndsAccess: true})
	token := s.Login(accountstest.User{})
	first := s.refresh(t, token.RefreshToken)
	if s.Alive(token.AccessToken) || !s.Alive(first.access) {
		t.Error("want the new access token alive, and the old one ended")
	}
	if got := s.Counts().EndedAccess; got != 1 {
		t.Errorf("%d access tokens ended, want 1", got)
	}
}

// TestUses: a test can ask whether a redemption was the only one.
func TestUses(t *testing.T) {
	s, _ := start(t, accountstest.Config{Kind: accountstest.Refuse})
	token := s.Login(accountstest.User{})
	if got := s.Uses(token.RefreshToken); got != (accountstest.Uses{}) {
		t.Errorf("a fresh refresh token has uses: %+v", got)
	}
	next := s.refresh(t, token.RefreshToken)
	if got, want := s.Uses(token.RefreshToken), (accountstest.Uses{Requests: 1, Redemptions: 1}); got != want {
		t.Errorf("uses are %+v, want %+v", got, want)
	}
	s.refresh(t, token.RefreshToken)
	if got, want := s.Uses(token.RefreshToken), (accountstest.Uses{Requests: 2, Redemptions: 1, Second: 1}); got != want {
		t.Errorf("uses are %+v, want %+v", got, want)
	}
	if got := s.Uses(next.refresh); got != (accountstest.Uses{}) {
		t.Errorf("the next refresh token has uses: %+v", got)
	}
	requests := s.Requests()
	if len(requests) != 2 || requests[0].Generation != 1 || requests[0].Second || requests[0].Family != 1 {
		t.Errorf("requests are %+v", requests)
	}
	if got, want := s.Counts(), (accountstest.Counts{Requests: 2, Redemptions: 1, SecondUses: 1, Refused: 1}); got != want {
		t.Errorf("counts are %+v, want %+v", got, want)
	}
}

// TestZohoLimits: each figure of Zoho's pages, and the first that is too much.
func TestZohoLimits(t *testing.T) {
	t.Run("10 refreshes in 10 minutes", func(t *testing.T) {
		s, clock := start(t, accountstest.Zoho())
		token := s.Login(accountstest.User{})
		other := s.Login(accountstest.User{})
		for i := range 10 {
			if s.refresh(t, token.RefreshToken).access == "" {
				t.Fatalf("refresh %d is refused", i+1)
			}
			clock.Advance(30 * time.Second)
		}
		reply := s.refresh(t, token.RefreshToken)
		if reply.status != 200 || reply.err != "Access Denied" {
			t.Errorf("the 11th is answered %d %q, want 200 Access Denied", reply.status, reply.err)
		}
		if s.refresh(t, other.RefreshToken).access == "" {
			t.Error("another refresh token is throttled too")
		}
		clock.Advance(5*time.Minute - 1)
		if s.refresh(t, token.RefreshToken).access != "" {
			t.Error("the window has ended early")
		}
		clock.Advance(1)
		if s.refresh(t, token.RefreshToken).access == "" {
			t.Error("still throttled when the 10 minutes are over")
		}
		if got := s.Counts().Throttled; got != 2 {
			t.Errorf("%d throttled, want 2", got)
		}
	})
	t.Run("15 live access tokens", func(t *testing.T) {
		s, clock := start(t, accountstest.Zoho())
		token := s.Login(accountstest.User{}) // It has the first.
		var given []string
		for range 14 {
			clock.Advance(2 * time.Minute)
			given = append(given, s.refresh(t, token.RefreshToken).access)
		}
		if n := s.LiveAccess(token.RefreshToken); n != 15 || !s.Alive(token.AccessToken) {
			t.Fatalf("%d access tokens are alive, want 15", n)
		}
		given = append(given, s.refresh(t, token.RefreshToken).access)
		if n := s.LiveAccess(token.RefreshToken); n != 15 || s.Alive(token.AccessToken) {
			t.Errorf("%d access tokens are alive, the eldest: %v; want 15 without it", n, s.Alive(token.AccessToken))
		}
		for i, a := range given {
			if !s.Alive(a) {
				t.Errorf("access token %d of 16 is dead", i+2)
			}
		}
		clock.Advance(time.Hour) // Those that expire make room.
		s.refresh(t, token.RefreshToken)
		if n := s.LiveAccess(token.RefreshToken); n != 1 {
			t.Errorf("%d access tokens are alive after an hour, want 1", n)
		}
		if got := s.Counts().EndedAccess; got != 1 {
			t.Errorf("%d ended early, want 1", got)
		}
	})
	t.Run("20 refresh tokens", func(t *testing.T) {
		s, _ := start(t, accountstest.Zoho())
		first := s.Login(accountstest.User{})
		second := s.Login(accountstest.User{})
		stranger := s.Login(accountstest.User{Email: "other@example.com", Org: "7"})
		for range 18 {
			s.Login(accountstest.User{})
		}
		if !s.Redeemable(first.RefreshToken) {
			t.Fatal("the first refresh token is gone with 20")
		}
		s.Login(accountstest.User{})
		if s.Redeemable(first.RefreshToken) || s.Alive(first.AccessToken) {
			t.Error("the 21st has not removed the first and its access token")
		}
		if !s.Redeemable(second.RefreshToken) || !s.Redeemable(stranger.RefreshToken) {
			t.Error("the 21st has removed another than the first")
		}
	})
	t.Run("10 new refresh tokens in 10 minutes", func(t *testing.T) {
		config := accountstest.Zoho()
		config.Limits.Grants = 0
		s, clock := start(t, config)
		for i := range 10 {
			if reply := s.exchange(t, s.Grant(accountstest.User{})); reply.refresh == "" {
				t.Fatalf("exchange %d is refused: %+v", i+1, reply)
			}
		}
		if reply := s.exchange(t, s.Grant(accountstest.User{})); reply.err != "Access Denied" {
			t.Errorf("the 11th is answered %+v", reply)
		}
		clock.Advance(10 * time.Minute)
		if reply := s.exchange(t, s.Grant(accountstest.User{})); reply.refresh == "" {
			t.Errorf("after 10 minutes the answer is %+v", reply)
		}
	})
}
