package config

import (
	"path/filepath"
	"strings"
	"time"
)

func (s section) delivery(d *Delivery) {
	d.Directory = s.directory("directory")
	d.MaxSize = s.size("max_size", d.MaxSize, minStoreSize, maxStoreSize)
	d.MaxAge = s.duration("max_age", d.MaxAge, time.Nanosecond)
}

// directory reads an absolute path, in its shortest form; "" where there is none.
func (s section) directory(key string) string {
	path, ok := s.text(key)
	switch {
	case !ok || path == "":
		return ""
	case strings.ContainsRune(path, 0):
		s.fail(key, "must be a path without NUL (got %s)", quote(path))
		return ""
	case !filepath.IsAbs(path):
		s.fail(key, "must be an absolute path, as in /var/lib/procspan (got %s)", quote(path))
		return ""
	}
	return filepath.Clean(path)
}

// size reads a number of bytes with its unit.
func (s section) size(key string, def, low, high int64) int64 {
	const what = "a size with its unit, as in 512MiB"
	n, ok := s.scalar(key, what, tagStr, tagInt)
	if !ok {
		return def
	}
	size, ok := parseSize(n.Value)
	switch {
	case !ok:
		s.fail(key, "must be %s (got %s); units are B, KiB, MiB and GiB", what, found(n, false))
		return def
	case size < low || size > high:
		s.fail(key, "must be %s to %s (got %s)", formatSize(low), formatSize(high), found(n, false))
		return def
	}
	return size
}
