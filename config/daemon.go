package config

import "path/filepath"

func (s section) daemon(d *Daemon) {
	d.Persist = s.boolean("persist", d.Persist)
	d.PinDirectory = s.directory("pin_directory", d.PinDirectory)
	d.StateDirectory = s.directory("state_directory", d.StateDirectory)
}

// directory reads the absolute path of a directory.
func (s section) directory(key, def string) string {
	path, ok := s.text(key)
	switch {
	case !ok:
		return def
	case !filepath.IsAbs(path):
		s.fail(key, "must be an absolute path (got %s)", quote(path))
		return def
	case filepath.Clean(path) == "/":
		s.fail(key, "must be a directory of procspan's own (got %s)", quote(path))
		return def
	}
	return filepath.Clean(path)
}
