// The evidence that refresh tokens rotate, and that this uses up the writes of the index. A
// hint says when its key was claimed: of a token whose refresh token was replaced since it was
// inserted, that of the refresh token is younger than that of the user.

package secretstore

import (
	"fmt"
	"strings"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

// sameTime is how far apart the claims of one save can be, with its retries.
const sameTime = 5 * time.Minute

// rotations is what a repair has seen of tokens with a user.
type rotations struct {
	since  time.Time // a day ago
	tokens map[string]*rotation
	young  int // tokens that were inserted since
}

// rotation is one token: the hashes of its keys, and when they were claimed.
type rotation struct {
	user, refresh               string
	userClaimed, refreshClaimed time.Time
}

func newRotations(s *Store) rotations {
	return rotations{since: s.now().Add(-24 * time.Hour), tokens: map[string]*rotation{}}
}

// see notes the keys of a live row.
func (n *rotations) see(s *Store, r *row) {
	if _, seen := n.tokens[r.id]; seen || r.token.UserName == "" || r.token.RefreshToken == "" {
		return
	}
	if time.UnixMicro(r.created).After(n.since) {
		n.young++
	}
	n.tokens[r.id] = &rotation{
		user:    s.hash(tokenstore.Key{Kind: tokenstore.UserKey, Value: r.token.UserName}),
		refresh: s.hash(tokenstore.Key{Kind: tokenstore.RefreshKey, Value: r.token.RefreshToken}),
	}
}

// hint notes when a key was claimed. The index may have shortened the hash.
func (n *rotations) hint(hash string, h index.Hint) {
	t := n.tokens[h.ID]
	switch {
	case t == nil:
	case strings.HasPrefix(t.user, hash):
		t.userClaimed = h.Claimed
	case strings.HasPrefix(t.refresh, hash):
		t.refreshClaimed = h.Claimed
	}
}

// insertWrites is how many secrets of the index an insert writes at most, for a token with a
// user, a refresh and a grant token.
const insertWrites = 3

// advice recommends that the index leave out refresh tokens: if tokens got another one within
// the day, and the index was written for something other than new tokens more often than a
// third of what the service allows for one secret. An index that has grown has more
// secrets for more writes, but each of them costs.
func (n *rotations) advice(stats []index.Stat) string {
	used, limit := 0, 0
	for _, s := range stats {
		used, limit = used+s.WritesToday, max(limit, s.MaxWrites)
	}
	rotated := 0
	for _, t := range n.tokens {
		if !t.userClaimed.IsZero() && t.refreshClaimed.After(n.since) && t.refreshClaimed.Sub(t.userClaimed) > sameTime {
			rotated++
		}
	}
	if limit == 0 || rotated == 0 || used-insertWrites*n.young <= limit/3 {
		return ""
	}
	return fmt.Sprintf("the index was written %d times in 24 hours, of %d that the service allows for one secret, and %d of %d tokens of users got another refresh token: "+
		"if the provider replaces refresh tokens at every refresh, run reindex --rotating, after which that does not write the index", used, limit, rotated, len(n.tokens))
}
