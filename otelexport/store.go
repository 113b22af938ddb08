package otelexport

import (
	"log/slog"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport/spool"
)

// openStore returns the store that is configured, or nil.
func openStore(o config.Delivery, log *slog.Logger) (*spool.Store, error) {
	if o.Directory == "" {
		return nil, nil
	}
	return spool.Open(spool.Options{
		Directory: o.Directory,
		MaxSize:   o.MaxSize,
		MaxAge:    o.MaxAge,
		Version:   storedVersion,
		Log:       log,
	})
}

func closeStore(store *spool.Store) error {
	if store == nil {
		return nil
	}
	return store.Close()
}

// leave has the store keep what it may have of a signal that is not sent any
// more, within its limits, until it is sent again.
func leave(s signal, store *spool.Store, log *slog.Logger) {
	if store != nil {
		store.Lane(s.key(), left{s, log})
	}
}

// left says what becomes of the items of such a signal.
type left struct {
	signal signal
	log    *slog.Logger
}

// Found implements spool.Listener.
func (l left) Found(items int) {
	l.log.Warn(string(l.signal)+" of earlier are in the store, and there is no exporter for them", l.signal.key(), items,
		"cure", "configure one, or they are dropped when they are older than delivery.max_age")
}

// Lost implements spool.Listener.
func (l left) Lost(items int, why spool.Loss) {
	l.log.Warn(string(l.signal)+" dropped", "reason", storeReason(why).String(), l.signal.key(), items)
}

func storeReason(why spool.Loss) reason {
	switch why {
	case spool.Full:
		return storeFull
	case spool.Expired:
		return storeExpired
	}
	return storeCorrupt
}
