package config

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
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
		return Config{}, fmt.Errorf("read configuration: %w; name a file that exists with --config or OTEL_CONFIG_FILE, or use neither", err)
	case err != nil:
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	c, err := Parse(path, data, env)
	c.Source = Source{Path: path, SHA256: fmt.Sprintf("%x", sha256.Sum256(data))}
	return c, err
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
		return nil, fmt.Errorf("%s is larger than 1 MiB: that is not a procspan configuration", path)
	}
	return data, nil
}

// Parse turns an OpenTelemetry declarative configuration (file_format 1.x)
// into a Config. name stands in the errors; env is where "${NAME}" looks.
// Whatever is not understood is an error, an *Invalid.
func Parse(name string, data []byte, env func(string) (string, bool)) (Config, error) {
	w := &walker{name: name, env: env, sections: make(map[*yaml.Node]section)}
	c := Default()
	if root, problem := load(data); problem.Text != "" {
		problem.Name = name
		w.problems.add(func() Problem { return problem })
	} else {
		value{w, root, &place{}}.readFile(&c)
	}
	if err := w.problems.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// load returns the root of the one document in data, or what is wrong with it.
func load(data []byte) (*yaml.Node, Problem) {
	if valid := validPrefix(data); valid < len(data) {
		return nil, Problem{Line: 1 + bytes.Count(data[:valid], []byte("\n")), Text: "is not UTF-8 text"}
	}
	var doc yaml.Node
	if err := yaml.Load(data, &doc); err != nil {
		return nil, syntax(data, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, Problem{Text: emptyFile}
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Value == "" {
		return nil, Problem{Line: root.Line, Text: emptyFile}
	}
	return root, Problem{}
}

// readFile reads the whole file. Nothing of a file that is no configuration is
// quoted: it may be one that only root may read.
func (v value) readFile(c *Config) {
	o := describe(reflect.TypeFor[Config]())
	hasFormat := false
	for i := 0; v.node.Kind == yaml.MappingNode && i+1 < len(v.node.Content); i += 2 {
		hasFormat = hasFormat || v.node.Content[i].Value == "file_format"
	}
	switch {
	case v.node.Kind != yaml.MappingNode:
		v.fail("is not a configuration; the least is %s", leastFile)
	case !hasFormat:
		v.w.fail(v.node, v.at.at("file_format", false), "is missing; write %s", leastFile)
	default:
		v.prepare(o, false)
		v.readStruct(o, reflect.ValueOf(c).Elem())
	}
}

// check holds what concerns several sections.
func (c *Config) check(s section) {
	if s.isTrue("disabled") {
		s.fail("disabled", "procspan does not run disabled (got true); do not start it")
	}
	own := s.section(vendors).section("procspan")
	if !own.has("service_name") {
		c.ServiceName = defaultServiceName(c.Resource)
	}
	c.checkRules(own)
	c.inheritLimits()
	if c.Daemon.Persist && c.Delivery.Directory == "" {
		own.section("daemon").fail("persist", needsStore)
	}
}

// defaultServiceName is what holds where service_name is not given: a service
// that is named is the name for all.
func defaultServiceName(r Resource) ServiceName {
	if slices.ContainsFunc(r.Attributes, func(a Attribute) bool { return a.Name == "service.name" && a.Value != "" }) {
		return ServiceNameFixed
	}
	return ServiceNameUnit
}

const needsStore = "needs distribution.procspan.delivery.directory, for spans that are not delivered when procspan ends; set it"

// Persisting returns c with daemon.persist set.
func (c Config) Persisting() (Config, error) {
	if c.Delivery.Directory == "" {
		return c, errors.New(needsStore)
	}
	c.Daemon.Persist = true
	return c, nil
}

const (
	leastFile = `file_format: "1.0"`
	emptyFile = "is empty; the least is " + leastFile
)

// syntax words an error of the YAML reader. Its own text can quote an anchor's
// name, which may be the start of a secret, so that one is not passed on.
func syntax(data []byte, err error) Problem {
	p := Problem{Text: "is not valid YAML"}
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
