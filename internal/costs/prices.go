// The services' list prices, in one place for the simulated months and the benchmarks.

package costs

// Prices is what a service charges for. Prices are in US dollars, without a free tier.
type Prices struct {
	Stored  float64 // for each stored thing, a month of 30 days
	PerCall float64 // for each call that is charged for
	Source  string  // the page that names them
	Read    string  // when that page was read
}

// AWS charges for each secret, and for each call of any kind. The prices are those of US regions,
// without a KMS key of one's own.
var AWS = Prices{Stored: 0.40, PerCall: 0.05 / 1e4, Source: "https://aws.amazon.com/secrets-manager/pricing/", Read: "September 2026"}

// GCP charges for each version that is not destroyed, in each location, and for each access. Other
// calls are free.
var GCP = Prices{Stored: 0.06, PerCall: 0.03 / 1e4, Source: "https://cloud.google.com/secret-manager/pricing", Read: "November 2026"}
