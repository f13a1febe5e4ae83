package importer

// WithLimits returns the options with other limits: how many rows are held, and how many
// the largest batch has.
func WithLimits(o Options, held, most int) Options {
	o.heldRows, o.mostRows = held, most
	return o
}
