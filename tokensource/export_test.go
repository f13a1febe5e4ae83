package tokensource

// WithLimit sets how many tokens are kept in memory.
func WithLimit(tokens int) Option { return func(s *settings) { s.limit = tokens } }

// Sizes returns how many tokens and queries are in memory.
func Sizes(s *Source) (tokens, queries int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID), s.entries.len()
}
