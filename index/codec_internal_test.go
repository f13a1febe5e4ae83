package index

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
)

// A page is read as it was written, with any hints.
func TestPageRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	ids := []string{"a", "generation", strings.Repeat("x", 128), Hash(tokenstore.Key{Kind: tokenstore.UserKey, Value: "fake"}, nil)}
	for range 500 {
		p := &page{object: absent("index/root"), layout: layout{5, 16, random.IntN(2) == 0}, sealed: random.Int64N(3)}
		p.revision, p.generation = "1", 7
		for range random.IntN(20) {
			key := Hash(tokenstore.Key{Kind: tokenstore.UserKey, Value: []string{"fake", "a", "b"}[random.IntN(3)]}, nil)[:shortHash]
			c := Claim{ID: ids[random.IntN(len(ids))], Generation: random.Int64N(3) * random.Int64N(driver.MaxNumber/3)}
			now := time.Unix(random.Int64N(2_000_000_000), 0)
			want := p.marks(key).claim(c, now)
			if p.claim(key, c, now); !slices.Equal(p.marks(key), want) {
				t.Fatalf("hints %v, want %v", p.marks(key), want)
			}
		}
		for n := range 16 {
			if random.IntN(2) == 0 {
				p.filled = append(p.filled, n)
			}
		}
		if random.IntN(2) == 0 {
			p.next = &layout{6, 1 + random.IntN(MaxFanout), random.IntN(2) == 0}
		}
		for i := range random.Int64N(4) {
			p.retired = append(p.retired, retirement{epoch: 1 + i, fanout: 1 + random.IntN(MaxFanout), since: random.Int64N(2_000_000_000)})
		}
		data := p.stored().encode()
		again := mustPage(t, data)
		if !slices.Equal(again.retired, p.retired) {
			t.Fatalf("%s read as %v, want %v", data, again.retired, p.retired)
		}
		if (p.next == nil) != (again.next == nil) || p.next != nil && *again.next != *p.next {
			t.Fatalf("%s announces %v, want %v", data, again.next, p.next)
		}
		if !slices.Equal(again.all(), p.all()) || again.layout != p.layout || again.sealed != p.sealed || !slices.Equal(again.filled, p.filled) {
			t.Fatalf("%s read as %+v", data, again)
		}
		for _, h := range p.all() { // By the places of the keys, and without.
			if !slices.Equal(again.marks(h.key), p.marks(h.key)) {
				t.Fatalf("%s has the hints %v of %s, want %v", data, again.marks(h.key), h.key, p.marks(h.key))
			}
		}
		if second := again.stored().encode(); !bytes.Equal(second, data) {
			t.Fatalf("written again:\n%s\n%s", second, data)
		}
	}
}

func mustPage(t *testing.T, data []byte) *page {
	t.Helper()
	o, err := decodeObject(driver.Secret{Name: "index/root", Data: data, Revision: "1"})
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	p, err := decodePage(o, true)
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return p
}

func FuzzPage(f *testing.F) {
	own := Hash(tokenstore.Key{Kind: tokenstore.UserKey, Value: "fake"}, nil)
	key := Hash(tokenstore.Key{Kind: tokenstore.RefreshKey, Value: "fake"}, nil)[:shortHash]
	for _, seed := range []string{
		`{"epoch":"1","fanout":"1","generation":"1800000000","writes":"ahcw:12 1:3","@` + own + `":"t1x2y3 = ` + key + `;t1x2y9+5a ` + key[:15] + `a.1"}`,
		`{"epoch":"1800000000","fanout":"16","retired":"1 2 3;4 5 6","filled":"ffff","next":"1800000001 1","sealed":"1"}`,
		`{"epoch":"1800000000","fanout":"1","omits":"access refresh","next":"1800000001 4 access refresh","sealed":"1"}`,
		`{"epoch":1,"fanout":2,"x":{"y":[null]},"@a":"1-5 ` + key + `.zz"}`,
		`{"epoch":"1","fanout":"1","@a":"1 ` + key + `;2 ` + key + `"}`,
		`{"epoch":"1","fanout":"1024","filled":"` + strings.Repeat("f", 256) + `"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := decodeObject(driver.Secret{Name: "index/root", Data: data, Revision: "1"})
		var p *page
		if err == nil {
			p, err = decodePage(o, true)
		}
		if err != nil {
			if !errors.Is(err, driver.ErrUnreadable) {
				t.Fatalf("%v does not match ErrUnreadable", err)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatalf("read %q, which is no JSON", data)
		}
		without := *p
		without.places = nil
		for _, h := range p.all() {
			if !slices.Equal(p.marks(h.key), without.marks(h.key)) {
				t.Fatalf("hints %v by the places of the keys, %v without", p.marks(h.key), without.marks(h.key))
			}
		}
		// A claim and its release keep everything else.
		before := p.all()
		fresh := Hash(tokenstore.Key{Kind: tokenstore.GrantKey, Value: "fake"}, nil)[:shortHash]
		p.claim(fresh, Claim{ID: "fresh", Generation: 5}, time.Unix(100, 0))
		written := p.stored().encode()
		if !json.Valid(written) {
			t.Fatalf("wrote %q, which is no JSON", written)
		}
		again := mustPage(t, written)
		if !bytes.Equal(again.stored().encode(), written) {
			t.Fatalf("written again it differs from %s", written)
		}
		again.release(fresh, Claim{ID: "fresh"})
		if got := again.all(); len(p.marks(fresh)) == 1 && !sameHints(got, before) {
			t.Fatalf("hints %v, want %v", got, before)
		}
	})
}

// sameHints compares without regard to the order.
func sameHints(a, b []held) bool {
	text := func(hints []held) []string {
		var texts []string
		for _, h := range hints {
			texts = append(texts, fmt.Sprint(h.key, h.ID, h.Generation, h.Claimed.Unix(), h.order))
		}
		slices.Sort(texts)
		return texts
	}
	return slices.Equal(text(a), text(b))
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte(`{"generation":"1800000000","written":"1800000000","@a":"1 2","@b":"3 4 1","note":"x"}`))
	f.Add([]byte(`{"@a": 5, "written": null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := decodeObject(driver.Secret{Name: "index/x", Data: data, Revision: "1"})
		var e *entry
		if err == nil {
			e, err = decodeEntry(o)
		}
		if err != nil {
			if !errors.Is(err, driver.ErrUnreadable) {
				t.Fatalf("%v does not match ErrUnreadable", err)
			}
			return
		}
		written := e.stored().encode()
		o, err = decodeObject(driver.Secret{Name: "index/x", Data: written, Revision: "1"})
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		again, err := decodeEntry(o)
		if err != nil || !slices.Equal(again.marks, e.marks) || !bytes.Equal(again.stored().encode(), written) {
			t.Fatalf("%s is read as %+v, %v", written, again, err)
		}
	})
}

func TestWrites(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var w writes
	counted := 0
	for hour := range 60 {
		for range hour % 4 {
			w = w.add(now)
			counted++
		}
		if hour%4 != 0 {
			if again := parseWrites(w.String()); !slices.Equal(again, w) {
				t.Fatalf("%q read as %v, want %v", w.String(), again, w)
			}
		}
		now = now.Add(time.Hour)
	}
	if got := w.total(now.Add(-time.Hour)); got < 24*6/4 || got > 25*6/4+3 {
		t.Errorf("total %d of %d in 60 hours, want those of the last 24", got, counted)
	}
	if len(w.String()) > 120 {
		t.Errorf("%d bytes: %s", len(w.String()), w)
	}
	// A clock that is behind does not lose counts.
	before := w.total(now)
	if w = w.add(now.Add(-10 * time.Hour)); w.total(now) != before+1 {
		t.Errorf("total %d after a write by a clock that is behind, want %d", w.total(now), before+1)
	}
	for _, broken := range []string{"?", "a", "a:", "a:-1", "a:b", ":1", "-5:1", "a:99999999999999"} {
		if w := parseWrites(broken); len(w) != 0 {
			t.Errorf("%q read as %v", broken, w)
		}
	}
}

// No text of an error or of a key holds a key's value, and no error an ID.
func TestNothingLeaks(t *testing.T) {
	k := tokenstore.Key{Kind: tokenstore.RefreshKey, Value: "fake-secret"}
	if text := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Contains(text, "fake-secret") {
		t.Error(text)
	}
	if text, err := json.Marshal([]tokenstore.Key{k}); err != nil || strings.Contains(string(text), "fake-secret") {
		t.Errorf("%s, %v", text, err)
	}
	for _, data := range []string{`{"@fake-secret":"1"}`, `{"@fake_id":["x"]}`, `{"@fake_id":"1 fake-secret"}`, `{"epoch":"fake-secret"}`, `fake-secret`} {
		o, err := decodeObject(driver.Secret{Name: "index/root", Data: []byte(data), Revision: "1"})
		if err == nil {
			_, err = decodePage(o, true)
		}
		if err == nil || strings.Contains(err.Error(), "fake") {
			t.Errorf("%s: %v", data, err)
		}
	}
}
