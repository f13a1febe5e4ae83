// Asking a person for a password while a store is opened: a URL holds none, and the
// environment may hold none either.

package tokenstore

import "context"

// Prompt asks a person for a credential, which it names by what, such as "password of app at
// db.example.com:3306". The answer is not shown while it is typed. An empty answer means
// that there is none.
type Prompt func(ctx context.Context, what string) (string, error)

type promptKey struct{}

// WithPrompt returns a context in which [Open] may ask a person for a credential. The
// operator's command opens stores with one if a person is at its terminal; a service has no
// use for it.
func WithPrompt(ctx context.Context, ask Prompt) context.Context {
	return context.WithValue(ctx, promptKey{}, ask)
}

// Ask asks for a credential, and returns "" if nobody can be asked. It is for packages of
// stores, in their [OpenFunc], after what the environment offers was not enough.
func Ask(ctx context.Context, what string) (string, error) {
	ask, ok := ctx.Value(promptKey{}).(Prompt)
	if !ok {
		return "", nil
	}
	return ask(ctx, what)
}
