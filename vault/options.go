// The options of New and NewSecrets. They are checked when the store is made, so that a
// mistake shows before the first call.

package vault

import (
	"errors"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"example.com/tokenstore/driver"
	"example.com/tokenstore/secretstore"
)

// Option changes what [New] and [NewSecrets] return.
type Option func(*config)

type config struct {
	mount, prefix, namespace string
	reads                    Reads
	maxSize, maxVersions     int
	session                  *Session
	login                    api.AuthMethod
	store                    []secretstore.Option
	now                      func() time.Time
}

// defaultMaxSize fits into Vault's smallest storage entry, the 512 KiB of Consul, with
// what Vault and this package add.
const defaultMaxSize = 480 << 10

func defaults() config {
	return config{mount: "secret", prefix: secretstore.DefaultPrefix, maxSize: defaultMaxSize, now: time.Now}
}

// WithMount sets the path where the KV version 2 secrets engine is mounted, such as
// "secret" or "team/kv".
func WithMount(path string) Option { return func(c *config) { c.mount = path } }

// WithPrefix sets the prefix of all secrets' names below the mount. It must end in a slash.
// Stores with different prefixes are independent.
func WithPrefix(prefix string) Option { return func(c *config) { c.prefix = prefix } }

// WithNamespace sets the namespace of the mount (Vault Enterprise, OpenBao).
// Without it the client's own namespace is used.
func WithNamespace(namespace string) Option { return func(c *config) { c.namespace = namespace } }

// Reads says how consistent reads must be in a cluster whose standbys answer them. On other
// clusters all values are equivalent.
type Reads int

const (
	// ReadsAnyNode accepts any node's answer, which may be out of date.
	ReadsAnyNode Reads = iota
	// ReadsOwnWrites makes the client retry a read until the node has everything that
	// this store has written. Other processes' writes may still be missing.
	ReadsOwnWrites
	// ReadsActiveNode forwards every read to the active node, which is never out of date.
	// Vault Enterprise must allow it with allow_forwarding_via_header; every other server
	// refuses it. With OpenBao, give the client the active node's address, or set
	// disable_standby_reads on the server.
	ReadsActiveNode
)

// WithReads sets how consistent reads must be; the default is ReadsAnyNode.
func WithReads(reads Reads) Option { return func(c *config) { c.reads = reads } }

// WithMaxSize sets the size of the largest secret in bytes. The default of 480 KiB fits
// every storage; integrated storage accepts twice that.
func WithMaxSize(bytes int) Option { return func(c *config) { c.maxSize = bytes } }

// WithMaxVersions sets how many versions Vault keeps of each new secret. It costs one more
// call per new secret and needs the capability update on its metadata. If the mount sets a
// number too, the higher one applies. By default the mount's number applies, or 10 if it
// sets none. Secrets of the index keep at most two in any case.
func WithMaxVersions(versions int) Option { return func(c *config) { c.maxVersions = versions } }

// WithLogin makes the store log in by itself: at its first call, when its token is
// about to expire or expired while the process was frozen, and once when Vault refuses
// the token. Use [LoginAppRole], [LoginKubernetes], [LoginTokenFile] or any other
// api.AuthMethod.
func WithLogin(method api.AuthMethod) Option { return func(c *config) { c.login = method } }

// WithSession is like [WithLogin], with a session of the caller's, which can renew it
// in the background or share it with other stores.
func WithSession(session *Session) Option { return func(c *config) { c.session = session } }

// WithStoreOptions passes options to secretstore.New. Set the prefix with [WithPrefix]
// instead.
func WithStoreOptions(options ...secretstore.Option) Option {
	return func(c *config) { c.store = append(c.store, options...) }
}

// WithClock sets the clock that measures the age of deleted secrets; the default, also for
// nil, is time.Now. The store itself has secretstore.WithClock.
func WithClock(now func() time.Time) Option {
	return func(c *config) {
		if now != nil {
			c.now = now
		}
	}
}

func (c *config) check() error {
	c.mount = strings.Trim(c.mount, "/")
	if driver.CheckName(c.mount) != nil {
		return errors.New("invalid mount: must be a path such as secret or team/kv")
	}
	if !strings.HasSuffix(c.prefix, "/") || driver.CheckName(strings.TrimSuffix(c.prefix, "/")) != nil {
		return errors.New("the prefix must be a path that ends in a slash, such as tokenstore/")
	}
	if first, _, _ := strings.Cut(c.prefix, "/"); first == "data" || first == "metadata" {
		return errors.New("the prefix begins with " + first + "/, which belongs to the API's paths, not to a secret's: leave it out")
	}
	if c.maxSize < 1 || c.maxVersions < 0 {
		return errors.New("WithMaxSize must be positive, and WithMaxVersions must not be negative")
	}
	return nil
}
