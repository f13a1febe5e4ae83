// The passwords that stores ask for while they are opened.

package command

import (
	"context"
	"sync"

	"example.com/tokenstore"
)

// withPrompt returns a context in which a store can ask the person at the terminal for a
// password, which is not echoed. Each is asked for once, though a verb may open a store twice.
func (c Command) withPrompt(ctx context.Context) context.Context {
	fd, ok := terminal(c.Stdin)
	if !ok {
		return ctx
	}
	var mu sync.Mutex
	answers := map[string]string{}
	return tokenstore.WithPrompt(ctx, func(ctx context.Context, what string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if answer, ok := answers[what]; ok {
			return answer, nil
		}
		answer, err := readHidden(ctx, printable(what), fd, c.Stderr)
		if err == nil {
			answers[what] = answer
		}
		return answer, err
	})
}
