package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

const (
	ownTokens = 3 // of each client
	// livesApart keeps the versions of a process above those of its predecessor. It is
	// a multiple of seven, so that each life begins with a save.
	livesApart = 7_000_000
)

// client is one of the clients of a process.
type client struct {
	*worker
	number int
	store  *secretstore.Store
	raced  int // how many races it has taken part in
}

// client saves, finds and deletes until the work ends.
func (w *worker) client(number int) {
	c := &client{worker: w, number: number, store: w.stores[number], raced: w.race()}
	for i := 0; !w.stopped(); i++ {
		c.own(i%ownTokens, w.Life*livesApart+i/ownTokens+1)
		if number == 0 && w.Process < len(sharedFields) {
			c.field(w.Life*livesApart + i + 1)
		}
		switch i % 10 {
		case 3:
			c.unknown(i)
		case 6:
			c.invalid()
		}
		if race := w.race(); c.raced < race { // A slow client leaves races out.
			c.raced = race
			c.same(race)
		}
	}
}

// race returns the number of the last race that has begun.
func (w *worker) race() int { return int(time.Since(w.Races) / w.Period) }

// own brings a token that nobody else changes to its next version, and checks it.
func (c *client) own(token, version int) {
	name := fmt.Sprintf("own-%d-%d-%d", c.Process, c.number, token)
	want := versionOf(name, version)
	c.tell("try %s %d", name, version)
	if deletion(version) {
		if c.remove(name) {
			c.tell("ok %s %d", name, version)
			c.absent("a deleted token", tokenstore.OAuthToken{UserName: want.UserName})
		}
		return
	}
	if _, ok := c.save(want); ok {
		c.tell("ok %s %d", name, version)
		c.look("by user", tokenstore.OAuthToken{UserName: want.UserName}, want)
		c.look("by refresh token", byRefresh(want), want)
	}
}

// save saves a token and checks the result.
func (c *client) save(token tokenstore.OAuthToken) (saved tokenstore.OAuthToken, ok bool) {
	err := c.insist("save", func(ctx context.Context) (err error) {
		saved, err = c.store.SaveToken(ctx, token)
		return err
	})
	if err != nil {
		c.finds("save: %v", err)
	}
	return saved, err == nil
}

func (c *client) remove(name string) bool {
	var found tokenstore.OAuthToken
	err := c.insist("find", func(ctx context.Context) (err error) {
		found, err = c.store.FindToken(ctx, tokenstore.OAuthToken{UserName: userOf(name)})
		return err
	})
	if err != nil {
		c.finds("find of %s, which is stored: %v", name, err)
		return false
	}
	err = c.insist("delete", func(ctx context.Context) error { return c.store.DeleteToken(ctx, found.ID) })
	if err != nil {
		c.finds("delete: %v", err)
	}
	return err == nil
}

// look finds a stored token that nobody changes concurrently.
func (c *client) look(how string, query, want tokenstore.OAuthToken) {
	var got tokenstore.OAuthToken
	err := c.insist("find", func(ctx context.Context) (err error) {
		got, err = c.store.FindToken(ctx, query)
		return err
	})
	if err != nil {
		c.finds("find %s of %s, which is stored: %v", how, want.UserName, err)
		return
	}
	if withoutID(got) != want {
		c.finds("find %s of %s gives %s instead of %s", how, want.UserName, got.RedirectURL, want.RedirectURL)
	}
}

// absent looks for a missing token: that is neither a fault nor worth a retry.
func (c *client) absent(what string, query tokenstore.OAuthToken) {
	err := c.insist("find of nothing", func(ctx context.Context) error {
		_, err := c.store.FindToken(ctx, query)
		return err
	})
	if !errors.Is(err, tokenstore.ErrNotFound) {
		c.finds("a find of %s gives %v", what, err)
	}
}

func (c *client) unknown(i int) {
	c.absent("an unknown user", tokenstore.OAuthToken{UserName: userOf(fmt.Sprintf("unknown-%d-%d-%d", c.Process, c.number, i))})
}

// invalid saves an invalid token, whose error does not depend on the network.
func (c *client) invalid() {
	err := c.insist("save of nothing", func(ctx context.Context) error {
		_, err := c.store.SaveToken(ctx, tokenstore.OAuthToken{UserName: userOf("without-a-credential")})
		return err
	})
	if !errors.Is(err, tokenstore.ErrInvalidToken) {
		c.finds("a save of a token without a credential gives %v", err)
	}
}

// field saves this process's field of the shared token, while the other processes save
// the other fields.
func (c *client) field(version int) {
	name := fmt.Sprintf("field-%d", c.Process)
	token := tokenstore.OAuthToken{ID: sharedID}
	of := sharedFields[c.Process]
	*of(&token) = sharedValue(c.Process, version)
	c.tell("try %s %d", name, version)
	if _, ok := c.save(token); !ok {
		return
	}
	c.tell("ok %s %d", name, version)
	var got tokenstore.OAuthToken
	err := c.insist("find", func(ctx context.Context) (err error) {
		got, err = c.store.FindTokenByID(ctx, sharedID)
		return err
	})
	if err != nil {
		c.finds("find of the shared token: %v", err)
		return
	}
	if *of(&got) != *of(&token) {
		c.finds("the field that this process has just saved is lost")
	}
}

// same saves tokens that all others insert at the same time. Their number is limited,
// since a store that grows throughout a soak is another test; afterwards they are saved
// unchanged.
func (c *client) same(race int) {
	const most = 40
	name := fmt.Sprintf("same-%d", race%most)
	for _, token := range []tokenstore.OAuthToken{sameUser(name), sameOwnerless("free-" + name)} {
		key := name
		if token.UserName == "" {
			key = "free-" + name
		}
		c.tell("try %s 1", key)
		if saved, ok := c.save(token); ok {
			c.tell("ok %s 1", key)
			if withoutID(saved) != token {
				c.finds("a save of %s gives another token", key)
			}
			c.look("by refresh token", byRefresh(token), token)
		}
	}
}

// pause waits before the next try: a random time that grows with the tries.
func pause(try int) { time.Sleep(randomTime(time.Duration(min(try, 10)) * 50 * time.Millisecond)) }

func randomTime(most time.Duration) time.Duration { return rand.N(most) + time.Millisecond }

func chance(in, of int) bool { return rand.IntN(of) < in }
