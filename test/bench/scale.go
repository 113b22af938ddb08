package main

import (
	"context"
	"errors"
	"time"
)

// scale takes procspan's memory with many processes alive, its CPU time at
// rest, and the time of its start.
func (l *lab) scale(ctx context.Context, p plan) (*scale, error) {
	s := &scale{Living: room(p.Living), Older: room(p.Older), Idle: int64(p.Idle)}
	if s.Living < p.Living {
		l.say("this host has room for %d living processes only, not for %d", s.Living, p.Living)
	}
	if err := l.living(ctx, s); err != nil {
		return nil, err
	}
	l.say("%d living: %.1f MB; at rest: %.4f %% of a core", s.Living, float64(s.RSS)/1e6, 100*float64(s.IdleCPU)/float64(s.Idle))
	disperse, err := l.gather(ctx, s.Older)
	if err != nil {
		return nil, err
	}
	for range p.Starts {
		t, err := l.startProcspan(ctx, setup{})
		if err != nil {
			return nil, errors.Join(err, disperse())
		}
		s.Ready = append(s.Ready, int64(t.ready))
		if _, err := t.finish(); err != nil {
			return nil, errors.Join(err, disperse())
		}
	}
	l.say("%d older: observes after %.0f ms", s.Older, float64(median(s.Ready))/1e6)
	return s, disperse()
}

// living has processes start while procspan observes, and looks at procspan
// while they sleep.
func (l *lab) living(ctx context.Context, s *scale) error {
	t, err := l.startProcspan(ctx, setup{})
	if err != nil {
		return err
	}
	disperse, err := l.gather(ctx, s.Living)
	if err != nil {
		_, ended := t.finish()
		return errors.Join(err, ended)
	}
	err = func() error {
		// What started them goes through, and the garbage of it.
		if err := t.settle(ctx, 1, func(counts) int { return 0 }); err != nil {
			return err
		}
		var err error
		if s.RSS, s.PeakRSS, err = t.rss(); err != nil {
			return err
		}
		spans, err := t.receiver.counts()
		if err != nil {
			return err
		}
		before, err := t.cpu()
		if err != nil {
			return err
		}
		begin := time.Now()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(s.Idle)):
		}
		after, err := t.cpu()
		if err != nil {
			return err
		}
		s.Idle, s.IdleCPU = int64(time.Since(begin)), int64(after-before)
		later, err := t.receiver.counts()
		s.IdleSpans = later.OtherSpans - spans.OtherSpans
		return err
	}()
	dispersed := disperse()
	_, ended := t.finish()
	return errors.Join(err, dispersed, ended)
}
