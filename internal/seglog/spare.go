package seglog

import (
	"os"
	"strings"
)

// What a spare file holds is no part of the segment that it becomes: the records of
// that one have another mark.

func (l *Log) sparePrefix() string { return l.o.Log + ".spare-" }

// findSpares takes over the spare files of an earlier process.
func (l *Log) findSpares() {
	files, _ := l.o.Dir.Names() // without them, new files are made
	for _, file := range files {
		if strings.HasPrefix(file, l.sparePrefix()) {
			l.spares = append(l.spares, file)
		}
	}
}

// create makes the file of a segment, of a spare one if there is any.
func (l *Log) create(name string) (*os.File, error) {
	if n := len(l.spares); n > 0 {
		spare := l.spares[n-1]
		l.spares = l.spares[:n-1]
		if l.o.Dir.Rename(spare, name) == nil {
			if file, err := l.o.Dir.OpenFile(name, os.O_RDWR); err == nil {
				return file, nil
			}
			_ = l.o.Dir.Remove(name) // it is not ours
		}
	}
	return l.o.Dir.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// dispose removes the file of a segment, or makes it one of so many spare ones.
func (l *Log) dispose(name string, spares int) error {
	if len(l.spares) < spares {
		spare := l.sparePrefix() + strings.TrimPrefix(name, l.o.Log+"-")
		if l.o.Dir.Rename(name, spare) == nil {
			l.spares = append(l.spares, spare)
			return nil
		}
	}
	return l.o.Dir.Remove(name)
}

// Free removes the spare files.
func (l *Log) Free() (err error) {
	for _, spare := range l.spares {
		if removeErr := l.o.Dir.Remove(spare); err == nil {
			err = removeErr
		}
	}
	l.spares = nil
	return err
}
