package need

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// given are the addresses that this process has given to tests.
var given sync.Map

// Address returns an address of 127.0.0.1 on which nothing listens, for a server of the
// test's own, which may be ended and started again. The port is below the range that systems
// use for outgoing connections, since any of those would take it while the server is down,
// and below the ports of the servers that ci/servers starts.
func Address(t testing.TB) string {
	t.Helper()
	const first, ports, tries = 10_000, 10_000, 100
	for range tries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(ports))) // #nosec G404 -- no secret.
		var config net.ListenConfig
		listener, err := config.Listen(t.Context(), "tcp", address)
		if err != nil {
			continue
		}
		_ = listener.Close() // The port is free either way.
		if _, taken := given.LoadOrStore(address, true); !taken {
			return address
		}
	}
	t.Fatal("no port of 127.0.0.1 is free")
	return ""
}
