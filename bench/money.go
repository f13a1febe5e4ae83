// Dollars a month: what is stored and called while tokens are refreshed and found, at the services' list prices.

package main

import (
	"context"
	"time"

	"example.com/tokenstore"
)

const (
	hoursAMonth     = 30 * 24
	findsAnHour     = 10 // of each token, by user
	sampled         = 50 // tokens, whose calls stand for those of all
	hoursBeforehand = 1  // after which calls and versions are as in the long run
	hoursOfSample   = 2
)

// dollars is a month's bill.
type dollars struct{ stored, calls float64 }

func (d dollars) sum() float64 { return d.stored + d.calls }

// month refreshes some of n stored tokens each hour and finds them in between, and returns what a month costs in
// which all of them are refreshed hourly. Nobody charges for what has no bill.
func month(ctx context.Context, k *keeper, n int) (dollars, error) {
	if k.bill == nil || k.do[findUser] == nil || k.do[save] == nil {
		return dollars{}, nil
	}
	some := min(n, sampled)
	rest := k.storedNow() // before any token had a second version
	tokens := newTokens(some)
	var calls int
	var kept float64
	for hour := range hoursBeforehand + hoursOfSample {
		k.clock.Advance(max(0, tokens[0].Expiry.Add(-soon).Sub(k.clock.Now())))
		stored, began, made := k.bill.stored(), k.clock.Now(), k.made(k.bill.charged)
		for i := range tokens {
			tokens[i] = refreshed(newToken(i), hour+1)
			if err := k.do[save](ctx, tokens[i]); err != nil {
				return dollars{}, err
			}
		}
		if err := k.found(ctx, tokens); err != nil {
			return dollars{}, err
		}
		k.clock.Advance(max(0, began.Add(life).Sub(k.clock.Now())))
		if hour >= hoursBeforehand {
			calls += k.made(k.bill.charged) - made
			kept += float64(k.bill.stored()-stored) / float64(k.clock.Now().Sub(began)) / hoursOfSample
		}
	}
	all := float64(n) / float64(some)
	return dollars{
		stored: k.bill.prices.Stored * (rest + (kept-rest)*all),
		calls:  k.bill.prices.PerCall * float64(calls) / hoursOfSample * all * hoursAMonth,
	}, nil
}

// found finds tokens as often as in an hour.
func (k *keeper) found(ctx context.Context, tokens []tokenstore.OAuthToken) error {
	for range findsAnHour {
		for _, t := range tokens {
			if err := k.do[findUser](ctx, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// storedNow returns how many things that are charged for are stored at this moment.
func (k *keeper) storedNow() float64 {
	before := k.bill.stored()
	k.clock.Advance(time.Second)
	return float64(k.bill.stored()-before) / float64(time.Second)
}
