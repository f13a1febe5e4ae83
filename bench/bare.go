// What people do instead of this library, with nothing but the client of their service. None of these ways notices
// what another process has written in the meantime; that is part of what they cost.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"example.com/tokenstore"
)

// bare is what each service's own client offers: values under a name.
type bare interface {
	get(ctx context.Context, name string) ([]byte, error)
	create(ctx context.Context, name string, data []byte) error
	put(ctx context.Context, name string, data []byte) error // replaces it
	list(ctx context.Context) ([]string, error)
}

// plainToken is the form in which they store a token.
type plainToken struct {
	User         string `json:"user_name"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Refresh      string `json:"refresh_token"`
	Access       string `json:"access_token"`
	Expiry       string `json:"expiry_time"`
	Domain       string `json:"api_domain"`
}

func plain(t tokenstore.OAuthToken) plainToken {
	return plainToken{t.UserName, t.ClientID, t.ClientSecret, t.RefreshToken, t.AccessToken, tokenstore.FormatExpiry(t.Expiry), t.APIDomain}
}

func (p plainToken) check(want tokenstore.OAuthToken) error {
	_, err := tokenstore.ParseExpiry(p.Expiry)
	if err == nil && p.Refresh != want.RefreshToken {
		err = errors.New("another token was found")
	}
	return err
}

// nameOf returns the name of a secret for a key. A user's can be read; other keys must not be seen in a name.
func nameOf(kind, key string) string {
	if kind == "refresh" {
		return "token-refresh-" + digest(key)[:32]
	}
	return "token-" + kind + "-" + strings.NewReplacer("@", "-", ".", "-", ":", "-").Replace(key)
}

// read gets a secret and decodes its JSON.
func read(ctx context.Context, b bare, name string, into any) error {
	data, err := b.get(ctx, name)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// write encodes a value and stores it with create or put.
func write(ctx context.Context, store func(context.Context, string, []byte) error, name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return store(ctx, name, data)
}

// fillEach creates a secret for each token, under the name that its user gives it. fast is the service without the network.
func fillEach(fast bare) func(context.Context, []tokenstore.OAuthToken) error {
	return func(ctx context.Context, tokens []tokenstore.OAuthToken) error {
		for _, t := range tokens {
			if err := write(ctx, fast.create, nameOf("user", t.UserName), plain(t)); err != nil {
				return err
			}
		}
		return nil
	}
}

// saveEach replaces a token's secret. Whoever saves last wins.
func saveEach(b bare) action {
	return func(ctx context.Context, t tokenstore.OAuthToken) error {
		return write(ctx, b.put, nameOf("user", t.UserName), plain(t))
	}
}

// knownName is the client with a secret for each user, whose name the program knows. It cannot find anything by another key.
func knownName(k *keeper, client, fast bare) {
	k.fill = fillEach(fast)
	k.do = map[operation]action{
		findUser: func(ctx context.Context, t tokenstore.OAuthToken) error {
			var p plainToken
			if err := read(ctx, client, nameOf("user", t.UserName), &p); err != nil {
				return err
			}
			return p.check(t)
		},
		save: saveEach(client),
	}
}

// pointers keeps a secret for each key that says where the token is, as an index of one's own.
func pointers(k *keeper, client, fast bare) {
	type pointer struct {
		Name string `json:"name"`
	}
	id := func(t tokenstore.OAuthToken) string { return nameOf("id", t.UserName) }
	k.fill = func(ctx context.Context, tokens []tokenstore.OAuthToken) error {
		for _, t := range tokens {
			err := write(ctx, fast.create, id(t), plain(t))
			for kind, key := range map[string]string{"user": t.UserName, "refresh": t.RefreshToken} {
				if err == nil {
					err = write(ctx, fast.create, nameOf(kind, key), pointer{id(t)})
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	by := func(kind string, key func(tokenstore.OAuthToken) string) action {
		return func(ctx context.Context, t tokenstore.OAuthToken) error {
			var at pointer
			if err := read(ctx, client, nameOf(kind, key(t)), &at); err != nil {
				return err
			}
			var p plainToken
			if err := read(ctx, client, at.Name, &p); err != nil {
				return err
			}
			return p.check(t)
		}
	}
	k.do = map[operation]action{
		findUser:    by("user", func(t tokenstore.OAuthToken) string { return t.UserName }),
		findRefresh: by("refresh", func(t tokenstore.OAuthToken) string { return t.RefreshToken }),
		save: func(ctx context.Context, t tokenstore.OAuthToken) error {
			return write(ctx, client.put, id(t), plain(t))
		},
	}
}

// oneSecret keeps all tokens in one secret, which every save reads and replaces.
func oneSecret(k *keeper, client, fast bare) {
	const name = "token-all"
	stored := 0
	k.fill = func(ctx context.Context, tokens []tokenstore.OAuthToken) error {
		stored = len(tokens)
		all := make([]plainToken, 0, len(tokens))
		for _, t := range tokens {
			all = append(all, plain(t))
		}
		return write(ctx, fast.create, name, all)
	}
	every := func(ctx context.Context) ([]plainToken, error) {
		var all []plainToken
		err := read(ctx, client, name, &all)
		return all, err
	}
	find := func(is func(plainToken, tokenstore.OAuthToken) bool) action {
		return func(ctx context.Context, t tokenstore.OAuthToken) error {
			all, err := every(ctx)
			if err != nil {
				return err
			}
			for _, p := range all {
				if is(p, t) {
					return p.check(t)
				}
			}
			return tokenstore.ErrNotFound
		}
	}
	k.do = map[operation]action{
		findUser:    find(func(p plainToken, t tokenstore.OAuthToken) bool { return p.User == t.UserName }),
		findRefresh: find(func(p plainToken, t tokenstore.OAuthToken) bool { return p.Refresh == t.RefreshToken }),
		save: func(ctx context.Context, t tokenstore.OAuthToken) error {
			all, err := every(ctx)
			if err != nil {
				return err
			}
			for i := range all {
				if all[i].User == t.UserName {
					all[i] = plain(t)
				}
			}
			return write(ctx, client.put, name, all)
		},
		list: func(ctx context.Context, _ tokenstore.OAuthToken) error {
			all, err := every(ctx)
			if err == nil && len(all) != stored {
				err = errors.New("tokens are missing")
			}
			return err
		},
	}
}

// loop lists the secrets and reads one after the other, until it has found the token.
func loop(k *keeper, client, fast bare) {
	k.fill = fillEach(fast)
	until := func(found func(plainToken, tokenstore.OAuthToken) bool) action {
		return func(ctx context.Context, t tokenstore.OAuthToken) error {
			names, err := client.list(ctx)
			if err != nil {
				return err
			}
			for _, name := range names {
				var p plainToken
				if err := read(ctx, client, name, &p); err != nil {
					return err
				}
				if found(p, t) {
					return p.check(t)
				}
			}
			if found == nil {
				return nil
			}
			return tokenstore.ErrNotFound
		}
	}
	k.do = map[operation]action{
		findRefresh: until(func(p plainToken, t tokenstore.OAuthToken) bool { return p.Refresh == t.RefreshToken }),
		list: func(ctx context.Context, _ tokenstore.OAuthToken) error {
			err := until(func(plainToken, tokenstore.OAuthToken) bool { return false })(ctx, tokenstore.OAuthToken{})
			if errors.Is(err, tokenstore.ErrNotFound) { // It has read them all.
				err = nil
			}
			return err
		},
		save: saveEach(client),
	}
}

// caching is a client that remembers a secret's value for an hour, as AWS's caching clients do. Their module is
// not among those that this one requires; this is the same idea.
type caching struct {
	bare
	mu     sync.Mutex
	values map[string]cached
	now    func() time.Time
}

type cached struct {
	data  []byte
	until time.Time
}

func (c *caching) get(ctx context.Context, name string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if hit, ok := c.values[name]; ok && c.now().Before(hit.until) {
		return hit.data, nil
	}
	data, err := c.bare.get(ctx, name)
	if err == nil {
		c.values[name] = cached{data, c.now().Add(time.Hour)}
	}
	return data, err
}

func (c *caching) put(ctx context.Context, name string, data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.values, name)
	return c.bare.put(ctx, name, data)
}
