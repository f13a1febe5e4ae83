// The probe: the permissions of a role are tried on a secret of its own. Its name is fixed, so
// that what an interrupted probe has left is removed by the next one.

package secretstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
)

const (
	probeFolder = "doctor/"
	probeName   = probeFolder + "probe"
	// probeData is what the secret holds: nothing.
	probeData = `{"about":"written and deleted by tokenstore doctor, to try its permissions"}`
	// mostSkew is how far the clocks of this machine and the service may be apart. A minute
	// harms nothing yet.
	mostSkew = time.Minute
)

// prober is one probe.
type prober struct {
	s        *Store
	name     string
	findings []tokenstore.Finding
}

// probe tries what a role needs, and returns what it may not do.
func (s *Store) probe(ctx context.Context, role tokenstore.Role) []tokenstore.Finding {
	p := &prober{s: s, name: s.prefix + probeName}
	left, err := s.secrets.Get(ctx, p.name)
	if err != nil && !errors.Is(err, driver.ErrNotFound) {
		p.failed("read", role, err)
		return p.findings
	}
	if s.needsList(role) {
		for _, err := range s.secrets.List(ctx, s.prefix+probeFolder) {
			if err != nil {
				p.failed("list", role, err)
			}
		}
	}
	if role != tokenstore.RoleReader {
		p.writes(ctx, role, left.Revision)
	}
	return p.findings
}

// writes tries to create, to replace and to delete. revision is that of a secret which an
// earlier probe has left.
func (p *prober) writes(ctx context.Context, role tokenstore.Role, revision string) {
	s, created := p.s, revision == ""
	put := func(revision string) (string, error) {
		return s.secrets.Put(ctx, driver.Secret{Name: p.name, Data: []byte(probeData), Revision: revision})
	}
	if created {
		before := s.now()
		var err error
		if revision, err = put(""); err != nil {
			p.failed("create", role, err)
			return
		}
		p.clock(ctx, revision, before)
	}
	if replaced, err := put(revision); err != nil {
		p.failed("update", role, err)
	} else {
		revision = replaced
	}
	err := s.secrets.Delete(ctx, p.name, revision)
	if err == nil {
		return
	}
	p.failed("delete", role, err)
	if !errors.Is(err, driver.ErrConflict) {
		p.find(tokenstore.Finding{
			Code: CodeProbeLeft, Severity: tokenstore.SeverityWarning, Where: p.name, What: "the secret on which the permissions were tried could not be deleted; it holds nothing",
			Repair: "delete it in the service's console, or run {name} doctor {store} with a role that may delete",
		})
	}
}

func (p *prober) find(f tokenstore.Finding) { p.findings = append(p.findings, f) }

// failed reports a call that failed, unless the context ended.
func (p *prober) failed(op string, role tokenstore.Role, err error) {
	f := tokenstore.Finding{What: p.s.fail("try to "+op+" a secret", "", err).Error(), Where: p.name, Err: err}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return
	case errors.Is(err, driver.ErrDenied):
		f.Code, f.Severity = codeDenied+op, tokenstore.SeverityError
		f.Repair = fmt.Sprintf("grant what {name} policy {store} --role %s prints", role)
	case errors.Is(err, driver.ErrConflict), errors.Is(err, driver.ErrThrottled), errors.Is(err, driver.ErrQuota):
		f.Code, f.Severity, f.Err = CodeProbeUntried, tokenstore.SeverityNote, nil
		f.Repair = "run {name} doctor {store} again later: another doctor is running, or the service's limit is reached"
	default:
		f.Code, f.Severity, f.Repair = CodeProbeFailed, tokenstore.SeverityError, repairOf(f.Err, role)
	}
	p.find(f)
}

// clock compares the clocks. The revision was written after the time before, and before now.
func (p *prober) clock(ctx context.Context, revision string, before time.Time) {
	dated, ok := driver.As[driver.Dated](p.s.secrets)
	if !ok {
		return
	}
	after := p.s.now()
	written, err := dated.Written(ctx, p.name, revision)
	if err != nil || written.IsZero() {
		return // The permission to read was tried already, and a read may be stale.
	}
	skew, word := before.Sub(written), "ahead of"
	if written.After(after) {
		skew, word = written.Sub(after), "behind"
	}
	if skew > mostSkew {
		p.find(tokenstore.Finding{
			Code: CodeClockSkew, Severity: tokenstore.SeverityWarning, What: fmt.Sprintf("the clock of this machine is %s %s that of the service", skew.Round(time.Second), word),
			Repair: "synchronise the clock of this machine (timedatectl set-ntp true)",
		})
	}
}
