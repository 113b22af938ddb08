package config

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// damage changes a few bytes or lines of a file.
func damage(r *rand.Rand, file string) string {
	for range 1 + r.IntN(3) {
		if file == "" {
			return file
		}
		at := r.IntN(len(file))
		end := min(at+1+r.IntN(12), len(file))
		switch r.IntN(7) {
		case 0:
			file = file[:at] + string(rune(r.IntN(0x180))) + file[at+1:]
		case 1:
			file = file[:at] + file[end:]
		case 2:
			file = file[:at]
		case 3:
			file = file[:at] + strings.Repeat(file[at:end], r.IntN(40)) + file[end:]
		case 4:
			signs := []string{":", "\n", "- ", "{", "}", "[", "]", "&a ", "*a", "!x ", "\"", "'", "${", "#", "  ", "\x00", "~", "<<: "}
			file = file[:at] + signs[r.IntN(len(signs))] + file[at:]
		default:
			lines := strings.SplitAfter(file, "\n")
			i, j := r.IntN(len(lines)), r.IntN(len(lines))
			lines[i], lines[j] = lines[j], lines[i]
			file = strings.Join(lines, "")
		}
	}
	return file
}

// TestDamagedConfigurations: whatever was done to a file, reading it does not
// panic, reports little, and quotes no secret.
func TestDamagedConfigurations(t *testing.T) {
	const secret, literal = "correct-horse", "battery-staple"
	whole, err := os.ReadFile("testdata/whole.yml")
	if err != nil {
		t.Fatal(err)
	}
	files := []string{
		strings.Replace(string(whole), "Bearer ${TOKEN}", literal, 1),
		strings.NewReplacer("            headers:\n", "            headers: [{name: authorization, value: '"+literal+"'}]\n",
			"endpoint: http://localhost:4317", "endpoint: ${TOKEN}:x@localhost").Replace(string(Reference())),
	}
	r := rand.New(rand.NewPCG(13, 15))
	env := lookup(map[string]string{"TOKEN": secret})
	valid := 0
	for i := range 2000 {
		file := damage(r, files[i%len(files)])
		c, err := Parse("damaged.yml", []byte(file), env)
		var invalid *Invalid
		switch {
		case err == nil:
			valid++
			checkReparses(t, c)
			continue
		case !errors.As(err, &invalid):
			t.Fatalf("error %v of\n%s", err, file)
		case len(invalid.Problems) > maxProblems || len(err.Error()) > 32<<10:
			t.Errorf("%d problems in %d bytes of\n%s", len(invalid.Problems), len(err.Error()), file)
		}
		for _, s := range []string{secret, literal} {
			if strings.Contains(err.Error(), s) {
				t.Errorf("the error quotes a secret: %v", err)
			}
		}
	}
	if valid == 2000 {
		t.Error("nothing was damaged")
	}
}

// TestManyProblems: a bad file of 1 MiB is not answered with more than that.
func TestManyProblems(t *testing.T) {
	const least = "file_format: '1.0'\n"
	key := strings.Repeat("k", 900<<10)
	deep := strings.Repeat("a: {", 50_000)
	var unknown strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&unknown, "k%d: 1\n", i)
	}
	for name, tt := range map[string]struct {
		file string
		more int
	}{
		"empty items":  {least + "resource: {attributes: [" + strings.Repeat("{},", 100_000) + "]}", 2*100_000 - maxProblems},
		"unknown keys": {least + unknown.String(), 100_000 - maxProblems},
		"bad entries":  {least + "resource: {attributes_list: '" + strings.Repeat("x,", 100_000) + "'}", 100_000 - maxProblems},
		"bad headers":  {around("headers_list: " + strings.Repeat("x,", 100_000)), 100_000 - maxProblems},
		"long key":     {least + "? " + key + "\n: 1\n", 0},
		"deep":         {least + deep, 0},
		"deep lists":   {least + "resource: " + strings.Repeat("[", 4000) + strings.Repeat("]", 4000), 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("many.yml", []byte(tt.file), lookup(nil))
			var invalid *Invalid
			if !errors.As(err, &invalid) {
				t.Fatal(err)
			}
			if len(err.Error()) > 32<<10 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if invalid.More != tt.more {
				t.Errorf("%d more problems, want %d", invalid.More, tt.more)
			}
			if want := fmt.Sprintf("\nand %d more problems", tt.more); tt.more > 0 && !strings.HasSuffix(err.Error(), want) {
				t.Errorf("the error does not end in %q", want)
			}
		})
	}
}

// TestNoConfiguration: of a file that is none, nothing is quoted. It may be one
// that only root may read.
func TestNoConfiguration(t *testing.T) {
	for name, file := range map[string]string{
		"shadow":    "root:$6$hunter2$s3cret:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\nhunter2:!hunter2:1::::::\n",
		"one line":  "root:$6$hunter2:19000:0:99999:7:::",
		"key":       "-----BEGIN PRIVATE KEY-----\nhunter2hunter2\n-----END PRIVATE KEY-----\n",
		"sudoers":   "# x\nDefaults env_reset\nhunter2 ALL=(ALL:ALL) ALL\n%hunter2 ALL=(ALL) NOPASSWD: /bin/hunter2\n",
		"ini":       "[hunter2]\npassword = hunter2\n",
		"yaml":      "password: hunter2\nhunter2: &hunter2 x\nresource: {attributes: hunter2}\ndisabled: hunter2\n",
		"list":      "- hunter2\n- *hunter2\n",
		"anchors":   "a: &hunter2 1\nb: *hunter3\n",
		"json":      `{"auths": {"hunter2": {"auth": "hunter2"}}}`,
		"tag":       "!hunter2 x: !!hunter2 {y: z}",
		"directive": "%hunter2 x\n---\nhunter2",
		"escape":    `"hunter2 \q hunter2": x`,
		"tab":       "\thunter2: x\n\thunter2",
		"flow":      "{hunter2: [hunter2}",
		"brackets":  "hunter2: ]hunter2",
		"at":        "@hunter2",
		"percent":   "a: %hunter2",
		"env":       "HUNTER2=hunter2\nexport x='hunter2",
		"two":       "hunter2: 1\nhunter2: 2\n",
		"document":  "--- hunter2\n--- hunter2\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("file", []byte(file), lookup(nil))
			if err == nil || strings.Contains(strings.ToLower(err.Error()), "hunter") {
				t.Errorf("error: %v", err)
			}
		})
	}
}
