// The first pass: which rows of the source, and which tokens of the destination, have a
// key in common. What has none in common cannot affect each other, so that the second
// pass need not hold all of it. Only hashes of the keys are held, and they decide nothing
// else: two keys of one hash only keep more rows together.

package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"sort"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// heldRows is how many rows of the source, and tokens of the destination, are held, so
// that they need not be read again.
const heldRows = 5000

// survey is what the first pass has learned.
type survey struct {
	seed    maphash.Seed
	keepIDs bool
	parent  []int32          // of each row: another one of its group, or itself
	size    []int32          // of the group, at its root
	number  []int32          // of each row among those that can be read
	digest  []uint64         // of each row
	owner   map[uint64]int32 // by the hash of a key: a row that has it
	byID    map[uint64]int32 // by the hash of its ID: a row
	held    bool             // all rows are held,
	rows    []numbered       // here
	there   []there          // sorted by the group, after the pass
	tokens  bool             // there has the tokens
	unread  []Row            // what the source could not read
	gone    int              // rows that the second pass did not meet again
}

// numbered is a row and its place in the survey.
type numbered struct {
	rowstore.Row
	index int
	// changed says that the row has changed since the survey, so that it may belong to
	// another group.
	changed bool
}

// there is a token of the destination that has a key in common with a row.
type there struct {
	row   int32
	id    string
	token *tokenstore.OAuthToken // nil unless the tokens are held
}

// survey reads both stores.
func (im *importing) survey(ctx context.Context, source tokenstore.Store, reading rowstore.Reading) (*survey, error) {
	s := &survey{seed: maphash.MakeSeed(), keepIDs: im.options.KeepIDs, owner: map[uint64]int32{}, byID: map[uint64]int32{}, tokens: true}
	if err := im.surveySource(ctx, source, reading, s); err != nil {
		return nil, err
	}
	if err := im.surveyDestination(ctx, s); err != nil {
		return nil, fmt.Errorf("read the destination: %w", err)
	}
	s.size = make([]int32, len(s.parent))
	for i := range s.parent {
		s.size[s.root(i)]++
	}
	slices.SortStableFunc(s.there, func(a, b there) int { return cmp.Compare(s.root(int(a.row)), s.root(int(b.row))) })
	im.total = len(s.parent)
	return s, nil
}

// surveySource reads all rows, and says what is odd about the source as a whole.
func (im *importing) surveySource(ctx context.Context, source tokenstore.Store, reading rowstore.Reading, s *survey) error {
	most := cmp.Or(im.options.heldRows, heldRows)
	nulls, others, otherUsers, readable, ofClient, held := 0, 0, 0, 0, false, true
	for row, err := range checked(reading.Rows) {
		switch {
		case errors.Is(err, tokenstore.ErrUnreadable):
			s.unread = append(s.unread, Row{Outcome: Refused, Reason: err.Error()})
			continue
		case err != nil:
			return fmt.Errorf("read the source: %w", err)
		}
		readable++
		switch {
		case im.ofOtherClient(row.Token):
			others++
			continue
		case im.ofOtherUser(row.Token):
			otherUsers++
			continue
		}
		nulls += row.Nulls
		ofClient = ofClient || row.Token.ClientID == im.options.Client
		s.add(row.Token, readable)
		if held = held && len(s.parent) <= most; held {
			s.rows = append(s.rows, numbered{Row: row, index: len(s.parent) - 1})
		}
		if readable%100 == 0 {
			im.progress(ReadingSource, readable, 0)
		}
	}
	if !held {
		s.rows = nil
	}
	s.held = held
	if readable+len(s.unread) == 0 {
		if err := exists(ctx, source); err != nil {
			return fmt.Errorf("read the source: %w", err)
		}
	}
	if im.options.Client != "" && !ofClient {
		return errNoClient
	}
	if otherUsers > 0 && len(s.parent) == 0 {
		return errNoUser
	}
	if others > 0 {
		im.remark("%s of other clients not imported", count(others, "row"))
	}
	if otherUsers > 0 {
		im.remark("%s of other users not imported", count(otherUsers, "row"))
	}
	if nulls > 0 {
		im.remark("%s a word for nothing, such as NULL or None, and taken as absent", are(nulls, "value"))
	}
	for _, u := range reading.Unknown() {
		if !slices.ContainsFunc(im.options.Ignore, func(name string) bool { return strings.EqualFold(name, u.Name) }) {
			im.report.Unknown = append(im.report.Unknown, u)
		}
	}
	return nil
}

// ofOtherClient reports whether a row is of another client than the one whose rows are moved.
func (im *importing) ofOtherClient(t tokenstore.OAuthToken) bool {
	return im.options.Client != "" && t.ClientID != "" && t.ClientID != im.options.Client
}

// ofOtherUser reports whether a row is of a user whose rows are not moved.
func (im *importing) ofOtherUser(t tokenstore.OAuthToken) bool {
	return im.options.User != nil && !im.options.User(t.UserName)
}

// others reports whether a row is one that is not to be moved.
func (im *importing) others(t tokenstore.OAuthToken) bool {
	return im.ofOtherClient(t) || im.ofOtherUser(t)
}

// checked yields the rows with the expiries that an access token can have.
func checked(rows iter.Seq2[rowstore.Row, error]) iter.Seq2[rowstore.Row, error] {
	return func(yield func(rowstore.Row, error) bool) {
		for row, err := range rows {
			var odd string
			if row.Token.Expiry, odd = rowstore.CheckExpiry(row.Token.Expiry); odd != "" {
				row.Warnings = append(row.Warnings, odd)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// peppered is a store whose keys may be hashed with a secret value, the pepper.
type peppered interface {
	// OtherPepper reports whether it has read a token of another pepper.
	OtherPepper() bool
}

// surveyDestination reads all tokens of the destination, and keeps those that have a key
// in common with a row.
func (im *importing) surveyDestination(ctx context.Context, s *survey) error {
	tokens, _, err := tokensOf(ctx, im.destination)
	if err != nil {
		return err
	}
	n := 0
	var unread error
	for t, err := range tokens {
		switch {
		case errors.Is(err, tokenstore.ErrUnreadable):
			unread = cmp.Or(unread, err)
			continue
		case err != nil:
			return err
		}
		if n++; n == 1 {
			im.last = t.ID
		}
		if n%100 == 0 {
			im.progress(ReadingDestination, n, 0)
		}
		s.meet(t, cmp.Or(im.options.heldRows, heldRows))
	}
	if unread != nil && n == 0 {
		return unread
	}
	if p, ok := tokenstore.As[peppered](im.destination); ok && p.OtherPepper() {
		im.remark("the destination has tokens that were stored under another pepper, or without one: programs with that pepper do not find the new ones by most of their keys; import with their pepper, pepper_file=PATH in the URL")
	}
	if unread != nil {
		// The others can be compared. A row of an unreadable token is saved like a new
		// one: the store completes the token or refuses the row.
		im.remark("the destination has tokens that cannot be read and were not compared; tokenstore check names them")
	}
	return nil
}

// hash returns the hash of some strings.
func (s *survey) hash(parts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, p := range parts {
		_, _ = h.WriteString(p)
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

// hashes returns the hashes of all that one row or token can have in common with another.
func (s *survey) hashes(t tokenstore.OAuthToken) []uint64 {
	var all []uint64
	for _, k := range tokenstore.KeysOf(t) {
		all = append(all, s.hash(string(k.Kind), k.Value))
	}
	if s.keepIDs && t.ID != "" {
		all = append(all, s.hash("id", t.ID))
	}
	return all
}

// digestOf returns a hash of all that a row has.
func (s *survey) digestOf(t tokenstore.OAuthToken) uint64 {
	return s.hash(t.ID, t.UserName, t.ClientID, t.ClientSecret, t.RefreshToken, t.AccessToken, t.GrantToken, t.RedirectURL, t.APIDomain, fmt.Sprint(t.Expiry.UnixMilli()))
}

// add adds the next row.
func (s *survey) add(t tokenstore.OAuthToken, number int) {
	i := int32(len(s.parent)) // #nosec G115 -- no source has so many rows.
	s.parent = append(s.parent, i)
	s.number = append(s.number, int32(number)) // #nosec G115 -- likewise.
	s.digest = append(s.digest, s.digestOf(t))
	s.byID[s.hash(t.ID)] = i
	if t.Validate() != nil {
		return // It is refused, and must not spoil another.
	}
	for _, h := range s.hashes(t) {
		if first, ok := s.owner[h]; ok {
			s.join(i, first)
		} else {
			s.owner[h] = i
		}
	}
}

// meet joins the rows with which a token of the destination has a key in common, and keeps
// the token, or its ID if there are too many.
func (s *survey) meet(t tokenstore.OAuthToken, most int) {
	row := int32(-1)
	for _, h := range s.hashes(t) {
		first, ok := s.owner[h]
		switch {
		case !ok:
		case row < 0:
			row = first
		default:
			s.join(row, first)
		}
	}
	if row < 0 {
		return
	}
	if len(s.there) == most {
		s.tokens = false
		for i := range s.there {
			s.there[i].token = nil
		}
	}
	met := there{row: row, id: t.ID}
	if s.tokens {
		met.token = &t
	}
	s.there = append(s.there, met)
}

func (s *survey) join(a, b int32) {
	if x, y := s.root(int(a)), s.root(int(b)); x != y {
		s.parent[max(x, y)] = int32(min(x, y)) // #nosec G115 -- it is the index of a row.
	}
}

// root returns the row that stands for a row's group.
func (s *survey) root(i int) int {
	for int(s.parent[i]) != i {
		s.parent[i] = s.parent[s.parent[i]]
		i = int(s.parent[i])
	}
	return i
}

// thereOf returns the tokens of the destination of a group.
func (s *survey) thereOf(root int) []there {
	first := sort.Search(len(s.there), func(i int) bool { return s.root(int(s.there[i].row)) >= root })
	end := first
	for end < len(s.there) && s.root(int(s.there[end].row)) == root {
		end++
	}
	return s.there[first:end]
}

// again yields the rows once more. Rows that are new are left to the next import.
func (im *importing) again(reading rowstore.Reading, s *survey) iter.Seq2[numbered, error] {
	return func(yield func(numbered, error) bool) {
		for _, row := range s.rows {
			if !yield(row, nil) {
				return
			}
		}
		if s.held {
			return
		}
		met, next := make([]bool, len(s.parent)), 0
		for row, err := range checked(reading.Rows) {
			if errors.Is(err, tokenstore.ErrUnreadable) || err == nil && im.others(row.Token) {
				continue
			}
			i, ok := next, next < len(s.parent)
			if next++; !reading.Fixed && err == nil {
				var n int32
				n, ok = s.byID[s.hash(row.Token.ID)]
				i = int(n)
			}
			if err == nil && (!ok || met[i]) {
				continue
			}
			if err == nil {
				met[i] = true
			}
			if !yield(numbered{row, i, err == nil && !s.fits(row.Token, i)}, err) || err != nil {
				return
			}
		}
		for _, ok := range met {
			if !ok {
				s.gone++
			}
		}
	}
}

// fits reports whether a row still belongs to no other group.
func (s *survey) fits(t tokenstore.OAuthToken, i int) bool {
	if s.digest[i] == s.digestOf(t) {
		return true
	}
	for _, h := range s.hashes(t) {
		if first, ok := s.owner[h]; ok && s.root(int(first)) != s.root(i) {
			return false
		}
	}
	return true
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func are(n int, what string) string {
	if n == 1 {
		return "1 " + what + " is"
	}
	return count(n, what) + " are"
}
