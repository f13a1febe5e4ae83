package faults

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"example.com/tokenstore"
)

// ledger holds the reports of a fleet's processes.
type ledger struct {
	mu       sync.Mutex
	states   map[string]*state
	counts   map[string]int
	findings []string
	measures map[string][]usage // by process and life
}

// state is what is known of a token, or of a field of the shared one.
type state struct {
	returned int   // the version of the last call that has returned; 0: none
	begun    []int // the versions of later calls, which may have been applied
}

// usage is the memory use of a process at one time.
type usage struct{ heap, resident, goroutines int64 }

func newLedger() *ledger {
	return &ledger{states: map[string]*state{}, counts: map[string]int{}, measures: map[string][]usage{}}
}

// take records one line of a process.
func (l *ledger) take(process, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "try", "ok":
		name, number, _ := strings.Cut(rest, " ")
		if version, err := strconv.Atoi(number); err == nil {
			l.call(verb, name, version)
		}
	case "count":
		number, what, _ := strings.Cut(rest, " ")
		n, _ := strconv.Atoi(number)
		l.counts[what] += n
	case "memory":
		var u usage
		if n, _ := fmt.Sscan(rest, &u.heap, &u.resident, &u.goroutines); n == 3 {
			l.measures[process] = append(l.measures[process], u)
		}
	case "finding":
		if text, err := strconv.Unquote(rest); err == nil {
			rest = text
		}
		l.findings = append(l.findings, rest)
	case "ready", "done":
	default:
		l.findings = append(l.findings, "a line that is none of the test's: "+line)
	}
}

func (l *ledger) call(verb, name string, version int) {
	s := l.states[name]
	if s == nil {
		s = &state{}
		l.states[name] = s
	}
	if verb == "try" {
		s.begun = append(s.begun, version)
		return
	}
	if strings.HasPrefix(name, "own-") || strings.HasPrefix(name, "field-") {
		s.begun = nil // A client makes one call at a time.
	}
	s.returned = max(s.returned, version)
	l.counts[changed]++
}

// allowed are the versions that a token, or a field, may have now.
func (s *state) allowed() []int { return append([]int{s.returned}, s.begun...) }

// judge compares the stored tokens with the reports.
func (l *ledger) judge(rows []tokenstore.OAuthToken) (findings []string) {
	finds := func(format string, args ...any) { findings = append(findings, fmt.Sprintf(format, args...)) }
	byName := map[string][]tokenstore.OAuthToken{}
	for _, row := range rows {
		byName[nameOf(row)] = append(byName[nameOf(row)], row)
	}
	for name, found := range byName {
		if len(found) > 1 {
			finds("%s is stored %d times", name, len(found))
		}
		if name != sharedID && l.states[name] == nil {
			finds("%q is stored, and nobody has saved it", name)
		}
	}
	shared := byName[sharedID]
	for name, s := range l.states {
		if process, ok := strings.CutPrefix(name, "field-"); ok {
			if len(shared) != 1 || !s.allowsField(process, shared[0]) {
				finds("%s has a value that is none of %v", name, s.allowed())
			}
			continue
		}
		if found := byName[name]; !s.allows(name, found) {
			finds("%s is not in one of the versions %v: stored are %s", name, s.allowed(), versionsOf(found))
		}
	}
	return findings
}

// nameOf returns the tests' name of a token.
func nameOf(row tokenstore.OAuthToken) string {
	if name, ok := strings.CutPrefix(row.UserName, userOf("")); ok {
		return name
	}
	name, _ := strings.CutPrefix(row.RefreshToken, secretMark+"refresh-")
	return strings.TrimSuffix(name, "-0")
}

// allows reports whether a token's stored state is possible.
func (s *state) allows(name string, found []tokenstore.OAuthToken) bool {
	for _, version := range s.allowed() {
		absent := version == 0 || strings.HasPrefix(name, "own-") && deletion(version)
		if len(found) == 0 && absent {
			return true
		}
		want := versionOf(name, version)
		if strings.HasPrefix(name, "free-") {
			want = sameOwnerless(name)
		}
		if len(found) == 1 && !absent && withoutID(found[0]) == want {
			return true
		}
	}
	return false
}

func (s *state) allowsField(process string, shared tokenstore.OAuthToken) bool {
	p, err := strconv.Atoi(process)
	if err != nil {
		return false
	}
	got := *sharedFields[p](&shared)
	for _, version := range s.allowed() {
		if version == 0 && got == "" || got == sharedValue(p, version) {
			return true
		}
	}
	return false
}

// versionsOf shows tokens without their credentials.
func versionsOf(rows []tokenstore.OAuthToken) string {
	shown := []string{}
	for _, row := range rows {
		shown = append(shown, strings.TrimPrefix(row.RedirectURL, "https://app.example/"))
	}
	return "[" + strings.Join(shown, " ") + "]"
}
