// Saves that lose to one another. Where a crowd saves one token, each save would in turn
// write over the last one, and a service that limits the writes of a secret would refuse
// many. A save need not be written if a single write that came after its beginning has set
// all that it would set: the outcome is that of this save and then that write. A swap is no
// such write, since it would not have happened after this save; its generation tells.

package secretstore

import (
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/staleness"
)

// race is what a save remembers of its attempts that met a conflict.
type race struct {
	began time.Time
	lost  *plan // of the last one, if it counts
}

// failed notes the plan of an attempt that met a conflict. It counts only if the row that it
// would replace was the current one at some time since the save began: it was read so late
// that no service would still have shown one that had been replaced before. And it must be
// an update without keys to claim or release, found by nothing but its user or ID.
func (x *race) failed(a *attempt, p *plan) {
	x.lost = nil
	if p == nil || p.target == nil || p.target.state != live || p.mends || len(p.claims)+len(p.releases)+len(p.rests) > 0 {
		return
	}
	if a.started.Sub(x.began) >= staleness.Patience {
		x.lost = p
	}
}

// overwritten returns the row of the lost attempt if the next write of that row set all
// that it would have set. p is the plan of the next attempt.
func (x *race) overwritten(p *plan) *row {
	lost := x.lost
	if lost == nil || p.target == nil || p.target.state != live || p.mends || p.target.id != lost.target.id ||
		p.target.generation != lost.target.generation+1 {
		return nil
	}
	before, wanted, now := fieldsOf(lost.target.token), fieldsOf(lost.next.token), fieldsOf(p.target.token)
	for i := range wanted {
		if wanted[i] != before[i] && now[i] == before[i] {
			return nil
		}
	}
	return lost.next
}

// fieldsOf returns the fields of a token that a save can set.
func fieldsOf(t tokenstore.OAuthToken) [9]string {
	return [...]string{
		t.UserName, t.ClientID, t.ClientSecret, t.RefreshToken, t.AccessToken, t.GrantToken, t.RedirectURL, t.APIDomain,
		tokenstore.FormatExpiry(t.Expiry),
	}
}
