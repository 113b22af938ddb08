package enrich

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/procspan/procspan/process"
)

// Living returns what /proc shows of a running process, for callers without BPF
// programs: its image as Image has it, and what it belongs to, but for its cgroups. Of
// its parent only the pid is known.
func (p Proc) Living(pid uint32, argsMax int, variables []string) (process.Living, error) {
	dir := p.dir(pid)
	fields, err := statFields(filepath.Join(dir, "stat"))
	if err != nil {
		return process.Living{}, err
	}
	number := func(field int) uint64 { // as proc(5) counts them; what is negative is none
		n, err := strconv.ParseUint(fields[field-3], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	l := process.Living{
		ID:     process.ID{PID: pid, Start: process.Time(number(22) * clockTick).Add(-p.shift)},
		Parent: process.ID{PID: uint32(number(4))},
		Groups: process.Groups{Group: uint32(number(5)), Session: uint32(number(6)), Terminal: uint32(number(7))},
		VPID:   pid,
	}
	status, _, err := readFile(filepath.Join(dir, "status"), statReadMax)
	if err != nil {
		return l, err
	}
	for line := range bytes.Lines(status) {
		key, values, _ := strings.Cut(string(line), ":")
		words := strings.Fields(values)
		switch {
		case key == "Uid" && len(words) > 1:
			l.Credentials.RealUser, l.Credentials.EffectiveUser = number32(words[0]), number32(words[1])
		case key == "NSpid" && len(words) > 1: // in a pid namespace below procspan's
			l.VPID = number32(words[len(words)-1])
			link, _ := os.Readlink(filepath.Join(dir, "ns/pid"))
			l.Namespaces.PID = number32(strings.Trim(link, "pid:[]"))
		}
	}
	root, _ := os.Readlink(filepath.Join(dir, "root"))
	l.Credentials.OtherRoot = root != "" && root != "/"
	l.Image, err = p.Image(l.ID, argsMax, variables)
	l.Execed = l.Image.Executable != "" || l.Image.Args != ""
	return l, err
}

func number32(text string) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// statFields returns the fields of /proc/PID/stat from the third on.
func statFields(path string) ([]string, error) {
	stat, err := readStat(path)
	if err != nil {
		return nil, err
	}
	// Field 2, the name, stands in parentheses and may contain anything.
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return nil, fmt.Errorf("read %s: it has no name", path)
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 20 {
		return nil, fmt.Errorf("read %s: it has %d fields after the name, want 20 or more", path, len(fields))
	}
	return fields, nil
}
