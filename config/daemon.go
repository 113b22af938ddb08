package config

import (
	"errors"
	"path/filepath"
)

func (s section) daemon(d *Daemon, store Delivery) {
	d.Persist = s.boolean("persist", d.Persist)
	d.PinDirectory = s.ownDirectory("pin_directory", d.PinDirectory)
	d.StateDirectory = s.ownDirectory("state_directory", d.StateDirectory)
	if d.Persist && store.Directory == "" {
		s.fail("persist", needsStore)
	}
}

const needsStore = "needs distribution.procspan.delivery.directory, for what is on its way to the collector when procspan ends; set it"

// Persisting returns c with daemon.persist set.
func (c Config) Persisting() (Config, error) {
	if c.Delivery.Directory == "" {
		return c, errors.New(needsStore)
	}
	c.Daemon.Persist = true
	return c, nil
}

// ownDirectory reads the absolute path of a directory that is procspan's alone.
func (s section) ownDirectory(key, def string) string {
	path := s.directory(key)
	switch {
	case path == "":
		return def
	case filepath.Dir(path) == path:
		s.fail(key, "must be a directory of procspan's own (got %s)", quote(path))
		return def
	}
	return path
}
