package vault

import (
	"net/url"
	"testing"
)

func TestURLOptions(t *testing.T) {
	for raw, want := range map[string]config{
		"vault://secret":                        {mount: "secret", prefix: "tokenstore/"},
		"vault://kv/a/b/":                       {mount: "kv", prefix: "a/b/"},
		"vault:///p?mount=team/kv&namespace=ns": {mount: "team/kv", prefix: "p/", namespace: "ns"},
		"vault://kv?reads=active":               {mount: "kv", prefix: "tokenstore/", reads: ReadsActiveNode},
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		options, err := urlOptions(u)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		c := defaults()
		for _, option := range options {
			option(&c)
		}
		if c.mount != want.mount || c.prefix != want.prefix || c.namespace != want.namespace || c.reads != want.reads {
			t.Errorf("%s: %q %q %q %v", raw, c.mount, c.prefix, c.namespace, c.reads)
		}
	}
	for _, raw := range []string{"vault:", "vault:secret", "vault://host:8200/p", "vault://kv?mount=other", "vault://kv?reads=never", "vault:///p"} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := urlOptions(u); err == nil {
			t.Errorf("%s is taken", raw)
		}
	}
}
