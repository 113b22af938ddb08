package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxFileSize bounds what Load reads, in bytes.
const maxFileSize = 1 << 20

// Load reads the file at path and parses it. env is where "${NAME}" looks.
func Load(path string, env func(string) (string, bool)) (Config, error) {
	data, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Config{}, fmt.Errorf("read configuration: %w; name a file that exists with --config or OTEL_CONFIG_FILE, or leave both away", err)
	case err != nil:
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data, env)
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("%s is larger than 1 MiB: that is no procspan configuration", path)
	}
	return data, nil
}

// Parse turns an OpenTelemetry declarative configuration (file_format 1.x)
// into a Config. name stands in the errors; env is where "${NAME}" looks.
// Whatever is not understood is an error; an *Invalid has all of them.
func Parse(name string, data []byte, env func(string) (string, bool)) (Config, error) {
	w := &walker{name: name, env: env, schema: schema()}
	if valid := validPrefix(data); valid < len(data) {
		w.problems = append(w.problems, Problem{Name: name, Line: 1 + bytes.Count(data[:valid], []byte("\n")), Text: "is not UTF-8 text"})
		return Config{}, invalid(w.problems)
	}
	var doc yaml.Node
	if err := yaml.Load(data, &doc); err != nil {
		w.problems = append(w.problems, syntax(name, data, err))
		return Config{}, invalid(w.problems)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		w.problems = append(w.problems, Problem{Name: name, Text: emptyFile})
		return Config{}, invalid(w.problems)
	}
	root := doc.Content[0]
	w.prepare(root, "", false)
	c := w.root(root)
	if err := invalid(w.problems); err != nil {
		return Config{}, err
	}
	return c, nil
}

const emptyFile = `is empty; the least is file_format: "1.0"`

// syntax words an error of the YAML reader. Its own text can quote an anchor's
// name, which may be the start of a secret, so that one is not passed on.
func syntax(name string, data []byte, err error) Problem {
	p := Problem{Name: name, Text: "is not valid YAML"}
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return p
	}
	p.Line = load.Mark.Line
	if p.Line == 0 && load.Stage == yaml.ReaderStage && load.Mark.Index > 0 && load.Mark.Index < len(data) {
		p.Line = 1 + bytes.Count(data[:load.Mark.Index], []byte("\n"))
	}
	switch {
	case strings.Contains(load.Message, "no documents"):
		p.Text = emptyFile
	case strings.Contains(load.Message, "found multiple"):
		p.Line = secondDocument(data)
		p.Text = "has more than one YAML document; keep one and remove the others with their ---"
	case strings.Contains(load.Message, "unknown anchor"):
		p.Text = "is not valid YAML: unknown anchor; quote a text that starts with *"
	case strings.Contains(load.Message, "expected alphabetic"):
		p.Text = "is not valid YAML: a text that starts with * or & must be in quotes"
	case load.Stage == yaml.ReaderStage:
		p.Text = "has a character that YAML does not allow"
	case load.Stage == yaml.ScannerStage || load.Stage == yaml.ParserStage:
		p.Text = "is not valid YAML: " + load.Message
		lines := bytes.Split(data, []byte("\n"))
		if i := p.Line - 1; i >= 0 && i < len(lines) && bytes.Contains(lines[i], []byte("${")) {
			p.Text += "; a ${NAME} inside { } or [ ] must be in quotes"
		}
	}
	return p
}

// validPrefix returns how many bytes are UTF-8.
func validPrefix(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return len(data)
}

// secondDocument returns the line where the second YAML document starts, or 0.
func secondDocument(data []byte) int {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return 0
	}
	var first, second yaml.Node
	if loader.Load(&first) != nil || loader.Load(&second) != nil {
		return 0
	}
	return second.Line
}

var formatVersion = regexp.MustCompile(`^1\.[0-9]{1,3}$`)

func (w *walker) root(n *yaml.Node) Config {
	c := Default()
	if n.Kind == yaml.ScalarNode && n.Tag == tagNull {
		w.fail(n, "", "%s", emptyFile)
		return c
	}
	s := w.section(n, "", atRoot)
	if version, ok := s.text("file_format"); ok && !formatVersion.MatchString(version) {
		s.fail("file_format", `must be a released version 1.x of the format (got %s); write "1.0"`, quote(version))
	} else if !s.has("file_format") {
		s.missing("file_format", `write file_format: "1.0"`)
	}
	if s.boolean("disabled", false) {
		s.fail("disabled", "procspan does not run disabled (got true); do not start it")
	}
	c.Resource.Attributes = s.section("resource").attributes()
	if s.has("tracer_provider") {
		c.Traces = s.section("tracer_provider").traces()
	}
	if s.has("logger_provider") {
		c.Logs = s.section("logger_provider").logs()
	}
	own := s.section("distribution").section("procspan")
	c.ServiceName = own.serviceName("service_name", c.Resource)
	own.section("expected_exits").expectedExits(c.ExpectedExits)
	own.section("capture").capture(&c.Capture)
	own.section("filter").filter(&c.Filter)
	own.section("traces").policy(&c.TracePolicy)
	own.section("delivery").delivery(&c.Delivery)
	own.section("kernel").kernel(&c.Kernel)
	own.section("daemon").daemon(&c.Daemon, c.Delivery)
	return c
}

func (s section) kernel(k *Kernel) {
	const what = "a size with its unit, as in 16MiB"
	if n, ok := s.scalar("ring_size", what, tagStr, tagInt); ok {
		size, ok := parseSize(n.Value)
		switch {
		case !ok:
			s.fail("ring_size", "must be %s (got %s); units are B, KiB, MiB and GiB", what, found(n, false))
		case size < minRingSize || size > maxRingSize || size&(size-1) != 0:
			s.fail("ring_size", "must be a power of two from 64KiB to 1GiB (got %s)%s", found(n, false), nearSize(size))
		default:
			k.RingSize = int(size)
		}
	}
	k.MaxProcesses = s.integer("max_processes", k.MaxProcesses, 1, maxMaxProcesses)
}

// nearSize offers the next power of two.
func nearSize(size int64) string {
	if size <= minRingSize || size > maxRingSize {
		return ""
	}
	up := int64(minRingSize)
	for up < size && up < math.MaxInt64/2 {
		up *= 2
	}
	return "; the next one is " + formatSize(up)
}
