package rooms

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/procspan/procspan"

// listed is what go list says of a package; its tests are not part of it.
type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	room       string // its folder in the module
}

// product lists the packages of the module, without those below test.
func product(t *testing.T) (packages []listed) {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...")
	list.Dir = "../.."
	out, err := list.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("%s: %v\n%s", list, err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%s: %v", list, err)
		}
		p.room = strings.TrimPrefix(p.ImportPath, module+"/")
		if !strings.HasPrefix(p.room, "test/") {
			packages = append(packages, p)
		}
	}
	if len(packages) < 10 {
		t.Fatalf("%s lists %d packages of the product, want more", list, len(packages))
	}
	return packages
}
