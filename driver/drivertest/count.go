// Counting calls: what an operation costs is part of the design, and tests hold it.

package drivertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"example.com/tokenstore/driver"
)

// Counts counts the calls to a driver by method. A call counts when it begins,
// whether it succeeds or not. Counts is safe for concurrent use; the zero value is
// ready to use.
type Counts struct {
	mu           sync.Mutex
	byMethod     map[Method]int
	batchSecrets int
}

// Count returns secrets with every call counted in the returned Counts.
func Count(secrets driver.Secrets) (driver.Secrets, *Counts) {
	counts := new(Counts)
	return counts.Wrap(secrets), counts
}

// Wrap returns secrets with every call counted in c. Several drivers may share one
// Counts, for example those of all processes of a test.
func (c *Counts) Wrap(secrets driver.Secrets) driver.Secrets {
	return Intercept(secrets, func(ctx context.Context, call Call, do func(context.Context) error) error {
		c.add(call)
		return do(ctx)
	})
}

func (c *Counts) add(call Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byMethod == nil {
		c.byMethod = map[Method]int{}
	}
	c.byMethod[call.Method]++
	c.batchSecrets += len(call.Names)
}

// Of returns the number of calls of one method.
func (c *Counts) Of(method Method) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byMethod[method]
}

// BatchSecrets returns the number of secrets requested through GetBatch.
func (c *Counts) BatchSecrets() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.batchSecrets
}

// Reads returns the number of calls that only read: Get, GetBatch and List.
func (c *Counts) Reads() int { return c.sum(func(m Method) bool { return !m.Writes() }) }

// Writes returns the number of calls of Put, Delete and Retire.
func (c *Counts) Writes() int { return c.sum(Method.Writes) }

// Total returns the number of calls.
func (c *Counts) Total() int { return c.sum(func(Method) bool { return true }) }

func (c *Counts) sum(counted func(Method) bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := 0
	for method, n := range c.byMethod {
		if counted(method) {
			sum += n
		}
	}
	return sum
}

// Reset sets all counts to zero.
func (c *Counts) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byMethod, c.batchSecrets = nil, 0
}

// String lists the methods that were called, sorted, such as "Get 2, Put 1".
// For batch reads it includes the number of secrets: "GetBatch 1 (20 secrets)".
func (c *Counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var parts []string
	for _, method := range slices.Sorted(maps.Keys(c.byMethod)) {
		part := fmt.Sprintf("%s %d", method, c.byMethod[method])
		if method == GetBatch {
			part += fmt.Sprintf(" (%d secrets)", c.batchSecrets)
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "no calls"
	}
	return strings.Join(parts, ", ")
}

// counter numbers calls from 1.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) next() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.n
}
