package spool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/procspan/procspan/internal/seglog"
)

// keysFile says whose each lane is, a line for each: its name, a space, a key.
const (
	keysFile = "lanes"
	maxKeys  = 64 << 10 // bytes
)

// Keys returns the lanes that are in use or in which something is stored, by name,
// and whose they are: a lane of which that is not known has the key "". Their names
// are prefix, or begin with it and a dot.
func (s *Store) Keys(prefix string) (map[string]string, error) {
	all, err := s.readKeys()
	files, listed := s.dir.Names()
	if err = errors.Join(err, listed); err != nil {
		return map[string]string{}, err
	}
	lanes := make(map[string]string)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		if of(l.name, prefix) {
			lanes[l.name] = all[l.name]
		}
	}
	for _, file := range files {
		if lane, ok := seglog.LogOf(file); ok && of(lane, prefix) {
			lanes[lane] = all[lane]
		}
	}
	return lanes, nil
}

// SetKeys says whose the lanes of a prefix are, for the next process.
func (s *Store) SetKeys(prefix string, lanes map[string]string) error {
	all, _ := s.readKeys() // what cannot be read is written anew
	before := maps.Clone(all)
	maps.DeleteFunc(all, func(lane, _ string) bool { return of(lane, prefix) })
	maps.Copy(all, lanes)
	if maps.Equal(before, all) {
		return nil
	}
	var text bytes.Buffer
	for _, lane := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s %s\n", lane, all[lane])
	}
	return s.writeKeys(text.Bytes())
}

func of(lane, prefix string) bool {
	rest, ok := strings.CutPrefix(lane, prefix)
	return ok && (rest == "" || rest[0] == '.')
}

func (s *Store) readKeys() (map[string]string, error) {
	all := make(map[string]string)
	file, err := s.dir.OpenFile(keysFile, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, err
	}
	defer file.Close()
	lines := bufio.NewScanner(io.LimitReader(file, maxKeys))
	for lines.Scan() {
		if lane, key, ok := strings.Cut(lines.Text(), " "); ok {
			all[lane] = key
		}
	}
	return all, lines.Err()
}

func (s *Store) writeKeys(text []byte) error {
	const temporary = keysFile + ".new"
	file, err := s.dir.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := s.dir.Rename(temporary, keysFile); err != nil {
		return err
	}
	return s.dir.Sync()
}
