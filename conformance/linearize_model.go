// The contract as a sequential program, for the checker of histories.

package conformance

import (
	"fmt"

	"github.com/anishathalye/porcupine"

	"example.com/tokenstore"
)

// oneUser is the contract for the only token of one user, as a sequential program. The
// state is the token; an empty one means that there is none.
var oneUser = porcupine.Model{
	Partition: byUser,
	Init:      func() any { return tokenstore.OAuthToken{} },
	Step: func(state, input, output any) (bool, any) {
		return input.(action).step(state.(tokenstore.OAuthToken), output.(tokenstore.OAuthToken))
	},
	DescribeOperation: func(input, output any) string {
		in := input.(action)
		return fmt.Sprintf("%s %s %s gives %s", in.kind, in.id, described(in.token), described(output.(tokenstore.OAuthToken)))
	},
}

func byUser(operations []porcupine.Operation) [][]porcupine.Operation {
	users := map[string][]porcupine.Operation{}
	for _, op := range operations {
		user := op.Input.(action).user
		users[user] = append(users[user], op)
	}
	var parts [][]porcupine.Operation
	for _, part := range users {
		parts = append(parts, part)
	}
	return parts
}

// step reports whether the answer is possible if the stored token is now, and returns the
// token stored after it.
func (a action) step(now, out tokenstore.OAuthToken) (bool, tokenstore.OAuthToken) {
	switch a.kind {
	case "find":
		if a.finds(now) {
			return out == now, now
		}
		return out.ID == "", now
	case "delete":
		if now.ID == a.id {
			now = tokenstore.OAuthToken{}
		}
		return true, now
	}
	want := a.token.Normal()
	if want.ID = out.ID; now.ID != "" {
		want = tokenstore.Update(now, a.token)
	}
	return out == want && out.ID != "", want
}

// finds reports whether a find of a.token finds the token that is stored.
func (a action) finds(now tokenstore.OAuthToken) bool {
	for _, k := range tokenstore.FindKeys(a.token) {
		if tokenstore.Holds(now, k) {
			return true
		}
	}
	return false
}

// described shows a token with its values, which are fakes.
func described(t tokenstore.OAuthToken) string {
	return fmt.Sprintf("%s: user %q refresh %q access %q grant %q client %q", t.ID, t.UserName, t.RefreshToken, t.AccessToken, t.GrantToken, t.ClientID)
}
