package otelexport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/procspan/procspan/config"
)

// This file is what others see of the delivery, to watch it, and what they share
// with it to send something of their own.

// Depth says what of one signal waits right now, and for how much there is room.
type Depth struct {
	Queued   int // spans or records in the queue
	Bytes    int // of those
	InFlight int // under way to the server
	Capacity int // how many the queue holds
}

// Depth returns those of both signals; of one that is not sent, zero. It may be
// called at any time.
func (e *Exporter) Depth() (spans, logRecords Depth) { return e.traces.depth(), e.logs.depth() }

func (p *pipeline) depth() Depth {
	if p == nil {
		return Depth{}
	}
	q := p.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	return Depth{Queued: q.waiting, Bytes: q.bytes, InFlight: q.inFlight, Capacity: q.items}
}

// Attempted is told of an attempt to send a batch: how long it took and why it
// failed, as errorType has it, or "". It is called by the goroutine that delivers.
type Attempted func(took time.Duration, errorType string)

// timed has a link tell of its attempts, where anyone wants to know.
func timed(over link, tell Attempted) link {
	if tell == nil {
		return over
	}
	return timedLink{over, tell}
}

type timedLink struct {
	link
	tell Attempted
}

func (l timedLink) upload(ctx context.Context, parts []part) (*partialSuccess, error) {
	begin := time.Now()
	partial, err := l.link.upload(ctx, parts)
	l.tell(time.Since(begin), errorType(partial, err))
	return partial, err
}

// errorType is that of the semantic conventions: the gRPC code as the protocol
// spells it, "rejected" where the server took a part only, or "".
func errorType(partial *partialSuccess, err error) string {
	switch {
	case err != nil:
		return codeName(status.Convert(err).Code())
	case partial.GetRejectedSpans() > 0:
		return rejected.String()
	}
	return ""
}

// codeName returns DEADLINE_EXCEEDED of DeadlineExceeded.
func codeName(c codes.Code) string {
	switch c {
	case codes.OK:
		return "OK"
	case codes.Canceled:
		return "CANCELLED"
	}
	var name strings.Builder
	for i, r := range c.String() {
		if i > 0 && unicode.IsUpper(r) {
			name.WriteByte('_')
		}
		name.WriteRune(unicode.ToUpper(r))
	}
	return name.String()
}

// Dial prepares a connection as those of spans and log records are; it is made
// with the first call. tls holds unless o.Insecure; nil is the system's roots.
func Dial(o config.OTLPGRPC, tls *tls.Config, version string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+o.Target, dialOptions(o, tls, version)...)
	if err != nil {
		return nil, fmt.Errorf("prepare connection to %s: %w; the exporter's endpoint is http://HOST:PORT or https://HOST:PORT", o.Target, err)
	}
	return conn, nil
}

// Failure words what a call to an OTLP/gRPC endpoint ended with: without the
// values of headers, and with the cure.
func Failure(what string, o config.OTLPGRPC, err error) error {
	s := status.Convert(err)
	if inner := (interface{ GRPCStatus() *status.Status })(nil); errors.As(err, &inner) {
		s = inner.GRPCStatus() // without what is wrapped around it
	}
	return fmt.Errorf("send %s to %s: %s: %s; %s", what, o.Target, s.Code(), newScrubber(o.Headers).clean(s.Message()), cureFor(err))
}
