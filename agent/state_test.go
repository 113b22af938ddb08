package agent

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func someState() state {
	return state{
		boot: "boot-1", session: [16]byte{1, 2, 3}, position: 1 << 40, ends: 7,
		table: []byte("table"), pending: []byte{0, 0}, clock: []byte("clock"),
		paths: map[uint64]string{1: "/", 4711: "/system.slice/a.service"},
		told:  map[string]uint64{"exit: ring buffer full": 3, "record malformed": 0},
	}
}

func TestStateOnFile(t *testing.T) {
	dir, err := openState(filepath.Join(t.TempDir(), "made", "by", "procspan"))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	if _, err := dir.load("boot-1"); !errors.Is(err, errNoState) {
		t.Errorf("before there is any: got %v, want errNoState", err)
	}
	want := someState()
	for range 2 { // the second takes the first one's place
		want.position++
		if err := dir.save(&want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := dir.load("boot-1")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := dir.load("boot-2"); !errors.Is(err, errNoState) {
		t.Errorf("of another boot: got %v, want errNoState", err)
	}
	for _, tc := range []struct {
		path string
		want os.FileMode
	}{{dir.path, 0o700}, {dir.file(), 0o600}} {
		if info, err := os.Stat(tc.path); err != nil || info.Mode().Perm() != tc.want {
			t.Errorf("%s has mode %v, %v; want %v", tc.path, info.Mode().Perm(), err, tc.want)
		}
	}
	if err := dir.remove(); err != nil {
		t.Error(err)
	}
	if err := dir.remove(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if _, err := dir.load("boot-1"); !errors.Is(err, errNoState) {
		t.Errorf("after it was removed: got %v, want errNoState", err)
	}
}

func TestStateDamaged(t *testing.T) {
	s := someState()
	whole := s.append(nil)
	for n := range whole {
		if _, err := parseState(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes are taken for all", n, len(whole))
		}
		damaged := append([]byte(nil), whole...)
		damaged[n] ^= 0x10
		if _, err := parseState(damaged); err == nil {
			t.Errorf("a wrong byte %d is not found", n)
		}
	}
}

func TestStateDirectoryIsOneAgentsAlone(t *testing.T) {
	path := t.TempDir()
	first, err := openState(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openState(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "end that one first") {
		t.Errorf("got %v, want an error that names the directory and the cure", err)
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	second, err := openState(path)
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	if err := second.close(); err != nil {
		t.Error(err)
	}
}

func FuzzState(f *testing.F) {
	s := someState()
	f.Add(s.append(nil))
	f.Add([]byte(stateMagic))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := parseState(in)
		if err != nil {
			return
		}
		again, err := parseState(s.append(nil))
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Errorf("read %+v, then %+v, %v", s, again, err)
		}
	})
}
