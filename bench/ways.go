// What is compared: the ways to keep tokens, this library's and what people do instead, and the operations on them.

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver/drivertest"
	"example.com/tokenstore/internal/costs"
	"example.com/tokenstore/secretstore"
)

// operation is what is done with a token.
type operation string

const (
	findUser    operation = "find by user"
	findRefresh operation = "find by refresh token"
	save        operation = "save after a refresh"
	list        operation = "list all"
	fromMemory  operation = "a good access token from memory"
)

var operations = []operation{findUser, findRefresh, save, list, fromMemory}

// way is a way to keep tokens: one row of the tables.
type way struct {
	service, name string
	note          string // what it lacks
	ours          bool
	alike         bool // only for a ratio: the plots have its like
	most          int  // tokens that it can hold; 0: any number
	shown         int  // tokens up to which it is in the plots; 0: any number
	open          func(context.Context, world) (*keeper, error)
}

// String returns the way's name with its service, which -run matches.
func (w way) String() string { return w.service + "/" + w.name }

// label names the way in a plot.
func (w way) label() string { return w.service + ": " + w.name }

// world is where a way is tried.
type world struct {
	simulate bool          // in a bubble of testing/synctest, for the time; else for the rest
	latency  time.Duration // of each call to a service
	folder   string        // for files
}

// clock returns the clock of services and stores: the bubble's, or one that moves when it is told to.
func (w world) clock() *drivertest.Clock {
	if w.simulate {
		return drivertest.NewWallClock()
	}
	return drivertest.NewClock()
}

// action is an operation on a token that is stored.
type action func(context.Context, tokenstore.OAuthToken) error

// keeper holds tokens in one of the ways.
type keeper struct {
	fill   func(context.Context, []tokenstore.OAuthToken) error // stores new tokens
	do     map[operation]action                                 // what it can do
	clock  *drivertest.Clock                                    // nil: it has none
	calls  func() map[string]int                                // made so far, by name; nil: it makes none
	bill   *bill                                                // nil: nobody charges for it
	store  *secretstore.Store                                   // this library's, on a service
	source bool                                                 // it is behind a token source
	close  func() error                                         // may be nil
}

// bill is what a service charges for.
type bill struct {
	prices  costs.Prices
	charged func(call string) bool
	// stored returns how long the things that are charged for were stored, summed.
	stored func() time.Duration
}

// made returns the number of calls so far.
func (k *keeper) made(counts func(call string) bool) int {
	if k.calls == nil {
		return 0
	}
	sum := 0
	for name, n := range k.calls() {
		if counts(name) {
			sum += n
		}
	}
	return sum
}

func everyCall(string) bool { return true }

// end closes the keeper, and adds its error to err.
func (k *keeper) end(err error) error {
	if k.close == nil {
		return err
	}
	return errors.Join(err, k.close())
}

// ways returns everything that is compared in this process.
func ways() []way {
	var all []way
	for _, some := range [][]way{awsWays(), gcpWays(), vaultWays(), localWays()} {
		all = append(all, some...)
	}
	return all
}

// storeActions are the operations of a store of this library.
func storeActions(s tokenstore.Store, stored func() int) map[operation]action {
	return map[operation]action{
		findUser: func(ctx context.Context, t tokenstore.OAuthToken) error {
			return right(t)(s.FindToken(ctx, tokenstore.OAuthToken{UserName: t.UserName}))
		},
		findRefresh: func(ctx context.Context, t tokenstore.OAuthToken) error {
			return right(t)(s.FindToken(ctx, tokenstore.OAuthToken{
				ClientID: t.ClientID, ClientSecret: t.ClientSecret, RefreshToken: t.RefreshToken,
			}))
		},
		save: func(ctx context.Context, t tokenstore.OAuthToken) error {
			return right(t)(s.SaveToken(ctx, tokenstore.OAuthToken{UserName: t.UserName, AccessToken: t.AccessToken, Expiry: t.Expiry}))
		},
		list: func(ctx context.Context, _ tokenstore.OAuthToken) error {
			all, err := s.GetTokens(ctx)
			if err == nil && len(all) != stored() {
				err = fmt.Errorf("%d tokens, want %d", len(all), stored())
			}
			return err
		},
	}
}

// right returns a check of what an operation on a token has returned.
func right(want tokenstore.OAuthToken) func(tokenstore.OAuthToken, error) error {
	return func(got tokenstore.OAuthToken, err error) error {
		if err == nil && got.RefreshToken != want.RefreshToken {
			err = errors.New("another token was found")
		}
		return err
	}
}
