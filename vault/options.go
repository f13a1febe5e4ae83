// The options of New and NewSecrets.

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

// defaultMaxSize fits into the smallest storage entry that Vault has, the 512
// KiB of Consul, with what Vault and this package add.
const defaultMaxSize = 480 << 10

func defaults() config {
	return config{mount: "secret", prefix: "tokenstore/", maxSize: defaultMaxSize, now: time.Now}
}

// WithMount sets where the KV version 2 secrets engine is mounted, for example
// "secret" or "team/kv".
func WithMount(path string) Option { return func(c *config) { c.mount = path } }

// WithPrefix sets what the names of all secrets below the mount begin with; it
// ends in a slash. Stores with different prefixes know nothing of each other.
func WithPrefix(prefix string) Option { return func(c *config) { c.prefix = prefix } }

// WithNamespace sets the namespace of the mount (Vault Enterprise, OpenBao).
// Without it the client's own namespace is used.
func WithNamespace(namespace string) Option { return func(c *config) { c.namespace = namespace } }

// Reads says what a read has to wait for in a cluster whose standby nodes
// answer reads. On other clusters all are the same.
type Reads int

const (
	// ReadsAnyNode takes what the node that is asked knows. It may be old.
	ReadsAnyNode Reads = iota
	// ReadsOwnWrites makes the client repeat a read until the node that is asked
	// knows what this store has written. What other processes have written may
	// still be missing.
	ReadsOwnWrites
	// ReadsActiveNode has every read passed on to the active node, which knows
	// everything. Vault Enterprise must allow it by allow_forwarding_via_header,
	// and every other server refuses it. With OpenBao, give the client the address
	// of the active node, or set disable_standby_reads on the server.
	ReadsActiveNode
)

// WithReads sets what a read has to wait for; the default is ReadsAnyNode.
func WithReads(reads Reads) Option { return func(c *config) { c.reads = reads } }

// WithMaxSize sets the size of the largest secret in bytes. The default of 480
// KiB fits every storage; with integrated storage it may be twice that.
func WithMaxSize(bytes int) Option { return func(c *config) { c.maxSize = bytes } }

// WithMaxVersions sets how many versions Vault keeps of a secret that is
// created from now on. It costs one more call for each new secret and needs the
// capability update on its metadata. Where the mount sets a number itself, the
// higher one counts. Without it the mount's number counts, which is 10 if it
// sets none. Secrets of the index keep at most two in any case.
func WithMaxVersions(versions int) Option { return func(c *config) { c.maxVersions = versions } }

// WithLogin makes the store log in by itself, at its first call, when its token
// is about to expire, also while the process was frozen, and once when Vault
// refuses the token. Kinds of logins: [LoginAppRole], [LoginKubernetes],
// [LoginTokenFile], and every other api.AuthMethod.
func WithLogin(method api.AuthMethod) Option { return func(c *config) { c.login = method } }

// WithSession is like [WithLogin], with a session that the caller holds too: to
// have it renewed in the background, or to share it with other stores.
func WithSession(session *Session) Option { return func(c *config) { c.session = session } }

// WithStoreOptions passes options on to secretstore.New. Set the
// prefix with [WithPrefix] instead.
func WithStoreOptions(options ...secretstore.Option) Option {
	return func(c *config) { c.store = append(c.store, options...) }
}

// WithClock sets the clock by which the age of deleted secrets is told; nil or
// no option means time.Now. The store itself has secretstore.WithClock.
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
		return errors.New("the mount is not a path")
	}
	if !strings.HasSuffix(c.prefix, "/") || driver.CheckName(strings.TrimSuffix(c.prefix, "/")) != nil {
		return errors.New("the prefix must be a path that ends in a slash, such as tokenstore/")
	}
	if first, _, _ := strings.Cut(c.prefix, "/"); first == "data" || first == "metadata" {
		return errors.New("the prefix begins with " + first + "/, which is part of the API's paths, not of a secret's: leave it out")
	}
	if c.maxSize < 1 || c.maxVersions < 0 {
		return errors.New("the largest size must be positive and the number of versions not negative")
	}
	return nil
}
