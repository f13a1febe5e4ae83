// What is left in a console's input behind a line: if nobody discarded it, the shell would run
// it when the command ends.

package command

import (
	"context"
	"time"

	"golang.org/x/sys/windows"
)

// discardInput drops what the console has. Whether it was more than the ends of lines is not
// known.
func discardInput(ctx context.Context, fd int) (more bool) {
	select { // The console may still be adding what was pasted.
	case <-ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
	_ = windows.FlushConsoleInputBuffer(windows.Handle(fd)) // #nosec G115 -- a descriptor is a handle.
	return false
}
