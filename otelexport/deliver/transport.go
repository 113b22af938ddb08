package deliver

import (
	"context"
	"time"
)

// Transport brings batches of one signal to a collector. One goroutine uses it.
type Transport interface {
	// Upload makes one attempt to send a batch. It keeps nothing of parts.
	Upload(ctx context.Context, parts []Part) Verdict
	// Recover returns when a broken connection works again, or when ctx ends.
	Recover(ctx context.Context)
	// Close releases the connection.
	Close()
}

// Outcome says what to do with a batch after an attempt.
type Outcome int

// The outcomes.
const (
	Delivered         Outcome = iota // accepted, perhaps in part
	Retry                            // send it again later
	RetryUntilFixed                  // as Retry, until a person corrects credentials or compression
	UnclearAnswer                    // perhaps not the collector's answer: send it again for a while
	Split                            // too large: send it in two parts
	Final                            // the answer rules out a retry
	UnsupportedSignal                // the endpoint does not implement the signal
)

// Verdict is the result of one attempt.
type Verdict struct {
	Outcome  Outcome
	Rejected int           // items that a partial success refused
	Code     string        // error.type by the semantic conventions: UNAVAILABLE, 503
	Message  string        // the collector's, or the text of an error
	Hint     string        // what the user can do
	Wait     time.Duration // how long the collector asks to wait
}

// errorType is the error.type of the attempt, or "".
func (v *Verdict) errorType() string {
	if v.Outcome == Delivered && v.Rejected > 0 {
		return Rejected.String()
	}
	return v.Code
}

// dropped returns how many of a batch's items are dropped when it ends, and why.
func (v *Verdict) dropped(items int) (int, Reason) {
	switch v.Outcome {
	case Delivered:
		if tooOld(v.Message) {
			return v.Rejected, TooOld
		}
		return v.Rejected, Rejected
	case Split:
		return items, TooLarge
	case UnclearAnswer:
		return items, Unclear
	case UnsupportedSignal:
		return items, Unsupported
	}
	if tooOld(v.Message) {
		return items, TooOld
	}
	return items, Refused
}

// detail is what to log about dropped items.
func (v *Verdict) detail() string {
	if v.Outcome == Final || v.Outcome == UnclearAnswer {
		return v.Code + ": " + v.Message
	}
	return v.Message
}
