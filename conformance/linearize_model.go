// The contract as a sequential program, for the checker of histories.

package conformance

import (
	"fmt"

	"github.com/anishathalye/porcupine"

	"example.com/tokenstore"
)

// oneUser is the contract for the only token of one user, as a sequential program. The
// state is the token with its note; an empty one means that there is none.
var oneUser = porcupine.Model{
	Partition: byUser,
	Init:      func() any { return noted{} },
	Step: func(state, input, output any) (bool, any) {
		return input.(action).step(state.(noted), output.(answer))
	},
	DescribeOperation: func(input, output any) string {
		in, out := input.(action), output.(answer)
		text := fmt.Sprintf("%s %s %s gives %s", in.kind, in.id, described(in.token), described(out.OAuthToken))
		if in.kind == "swap" {
			text += fmt.Sprintf(" note %q, swapped: %v, from %s note %q to note %q", out.Note, out.swapped, described(in.old.OAuthToken), in.old.Note, in.note)
		}
		return text
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
func (a action) step(now noted, out answer) (bool, noted) {
	switch a.kind {
	case "find", "find noted":
		if a.finds(now.OAuthToken) {
			return out.OAuthToken == now.OAuthToken && (out.Note == now.Note || a.kind == "find"), now
		}
		return out.ID == "", now
	case "delete":
		if now.ID == a.id {
			now = noted{}
		}
		return true, now
	case "swap":
		if now.ID != a.old.ID {
			return out.ID == "", now
		}
		want, swapped := tokenstore.Swap(now, a.old, a.token, a.note)
		return out.noted == want && out.swapped == swapped, want
	}
	want := noted{OAuthToken: a.token.Normal()}
	if want.ID = out.ID; now.ID != "" {
		want = noted{OAuthToken: tokenstore.Update(now.OAuthToken, a.token), Note: now.Note}
	}
	return out.OAuthToken == want.OAuthToken && out.ID != "", want
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
