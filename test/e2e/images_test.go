package e2e

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	imageref "github.com/distribution/reference"
)

// images returns the images of .env by the names of their variables, each with its
// digest, if any.
func images(t *testing.T) map[string]string {
	t.Helper()
	variables, err := dotenv.Read("../../.env")
	if err != nil {
		t.Fatal(err)
	}
	images := make(map[string]string)
	for variable, image := range variables {
		if name, ok := strings.CutSuffix(variable, "_IMAGE"); ok {
			digest, ok := variables[name+"_DIGEST"]
			if !ok {
				t.Errorf(".env has %s and no %s_DIGEST", variable, name)
			}
			images[name] = image + digest
		}
	}
	return images
}

// checkImage returns what is wrong with an image: it must have a registry, a
// version, and a digest, if any, that can be one.
func checkImage(image string) error {
	ref, err := imageref.Parse(image)
	if err != nil {
		return fmt.Errorf("%s: %w", image, err)
	}
	named, ok := ref.(imageref.Named)
	if !ok || !strings.Contains(imageref.Domain(named), ".") {
		return fmt.Errorf("%s names no registry", image)
	}
	if tagged, ok := ref.(imageref.Tagged); !ok || tagged.Tag() == "latest" {
		return fmt.Errorf("%s names no version", image)
	}
	if _, ok := ref.(imageref.Digested); !ok && strings.Contains(image, "@") {
		return fmt.Errorf("%s has no digest", image)
	}
	return nil
}

// TestImages holds that .env alone says which images are used, and that they are
// what the tests run: the versions in go.mod files.
func TestImages(t *testing.T) {
	images := images(t)
	for _, image := range images {
		if err := checkImage(image); err != nil {
			t.Error(".env:", err)
		}
	}
	jaeger, err := strconv.Atoi(required(t, "jaeger", `github\.com/jaegertracing/jaeger v1\.(\d+)\.0`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"GO":        "docker.io/library/golang:" + required(t, "../..", `(?m)^go (\d+\.\d+)`) + "-bookworm",
		"COLLECTOR": "docker.io/otel/opentelemetry-collector:" + required(t, "collector", `go\.opentelemetry\.io/collector/otelcol v(\S+)`),
		// Jaeger tags its releases twice: the module v1.76.0 is the image 2.13.0.
		"JAEGER": fmt.Sprintf("docker.io/jaegertracing/jaeger:2.%d.0", jaeger-63),
	}
	tags := maps.Clone(images)
	for name, image := range tags {
		tags[name], _, _ = strings.Cut(image, "@")
	}
	if !maps.Equal(tags, want) {
		t.Errorf(".env has the images\n%v\nwant those of the go.mod files\n%v", tags, want)
	}

	project := composeFile(t)
	for use, image := range map[string]string{
		project.Services["collector"].Image:                  images["COLLECTOR"],
		project.Services["jaeger"].Image:                     images["JAEGER"],
		*project.Services["procspan"].Build.Args["GO_IMAGE"]: images["GO"],
	} {
		if use != image {
			t.Errorf("docker-compose.yml uses %s, want that of .env, %s", use, image)
		}
	}
	dockerfile, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	if line := "ARG GO_IMAGE=" + tags["GO"] + "\nFROM ${GO_IMAGE} "; !strings.Contains(string(dockerfile), line) {
		t.Errorf("the Dockerfile has not\n%s", line)
	}
	for place, image := range namedImages(t, images) {
		t.Errorf("%s names the image %s: only .env does", place, image)
	}
}

// required returns what a pattern finds in a module's go.mod.
func required(t *testing.T, dir, pattern string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(pattern).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s/go.mod has no %s", dir, pattern)
	}
	return string(found[1])
}

// namedImages returns the images that other files name, by file and line: those of
// .env with a tag or a digest, and what stands where an image must. procspan's own
// image, which a release makes, is none of them, nor is the system that the CI of this
// project runs on, since a workflow cannot read .env.
func namedImages(t *testing.T, images map[string]string) map[string]string {
	t.Helper()
	var repositories []string
	for _, image := range images {
		repository, _, _ := strings.Cut(image, ":")
		repositories = append(repositories, regexp.QuoteMeta(strings.TrimPrefix(strings.TrimPrefix(repository, "docker.io/"), "library/")))
	}
	anywhere := regexp.MustCompile(`(?:` + strings.Join(repositories, "|") + `)[:@][\w@:][\w.@:-]*`)
	place := regexp.MustCompile(`^(?:\s*-?\s*image:\s+|FROM\s+(?:--platform=\S+\s+)?)"?([^\s"]+)`)
	ours := regexp.MustCompile(`^(?:\$\{.*|\{\{.*|scratch|procspan|ghcr\.io/procspan/procspan:.*|debian:12)$`)
	found := make(map[string]string)
	var read int
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", "bin", "dist", "testdata"}, entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		switch filepath.Ext(path) {
		case ".md", ".yml", ".yaml", ".tpl", ".txt", ".sh", ".mk", "":
		default:
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		read++
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			at := fmt.Sprintf("%s:%d", path, number)
			if image := anywhere.FindString(line); image != "" && !strings.HasPrefix(line, "ARG GO_IMAGE=") {
				found[at] = image
			} else if m := place.FindStringSubmatch(line); m != nil && !ours.MatchString(m[1]) {
				found[at] = m[1]
			}
		}
		return nil
	})
	if err != nil || read < 50 {
		t.Fatalf("read %d files: %v", read, err)
	}
	return found
}

// TestPinnedImages holds that a digest in .env pins the image, that one that cannot
// be a digest is found, and that docker-compose.yml does nothing without .env.
func TestPinnedImages(t *testing.T) {
	digest := strings.Repeat("0123456789abcdef", 4)
	for value, valid := range map[string]bool{
		"":                        true,
		"@sha256:" + digest:       true,
		"sha256:" + digest:        false,
		"@" + digest:              false,
		"@sha256:" + digest[1:]:   false,
		"@sha256:" + digest + "0": false,
		"@sha256:g" + digest[1:]:  false,
		"@unknown:" + digest:      false,
		" @sha256:" + digest:      false,
	} {
		project := composeFile(t, "JAEGER_DIGEST="+value, "COLLECTOR_DIGEST="+value, "GO_DIGEST="+value)
		for name, image := range map[string]string{
			"JAEGER":    project.Services["jaeger"].Image,
			"COLLECTOR": project.Services["collector"].Image,
			"GO":        *project.Services["procspan"].Build.Args["GO_IMAGE"],
		} {
			tag, _, _ := strings.Cut(images(t)[name], "@")
			if image != tag+value {
				t.Errorf("with %s_DIGEST=%q the image is %s, want %s", name, value, image, tag+value)
			}
			if err := checkImage(image); (err == nil) != valid {
				t.Errorf("%s is valid: %v (%v), want %v", image, err == nil, err, valid)
			}
		}
	}

	text, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = loadCompose(t.Context(), writeFile(t, "docker-compose.yml", string(text)))
	if err == nil || !strings.Contains(err.Error(), "comes from .env, which belongs beside this file") {
		t.Errorf("without .env: %v", err)
	}
}
