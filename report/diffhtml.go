package report

import (
	"fmt"
	"html/template"
	"os"

	"github.com/procspan/procspan/console"
	"github.com/procspan/procspan/timeline"
)

var diffPage = template.Must(template.New("diff").Funcs(template.FuncMap{
	"duration": console.Duration, "visible": console.Printable,
}).Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '{{.StyleHash}}'; base-uri 'none'; form-action 'none'">
<title>comparison · procspan</title>
<style>{{.Style}}</style>
</head>
<body>
<main>
<h1>{{duration .A}} → {{duration .B}}</h1>
<p>Differences below {{duration .Noise}} of the elapsed time are noise.{{if .LessParallel}} The same work was done less in parallel.{{end}}</p>
{{- range .Lists}}
<h2>{{.Title}}</h2>
{{- if .All}}
<table>
<thead><tr><th></th><th class="num">before</th><th class="num">after</th><th class="num">difference</th><th class="num">processes</th><th>command</th></tr></thead>
<tbody>
{{- range .All}}
<tr><td>{{.Kind}}</td><td class="num">{{duration .A}}</td><td class="num">{{duration .B}}</td><td class="num">{{duration .Delta}}</td><td class="num">{{.CountA}} → {{.CountB}}</td><td class="line">{{visible .Text}}</td></tr>
{{- end}}
</tbody></table>
{{- else}}
<p>None differs by more than the noise.</p>
{{- end}}
{{- end}}
</main>
</body>
</html>
`))

// DiffHTML writes a comparison to a file, as a page without scripts.
func DiffHTML(path string, c *timeline.Comparison) error {
	type list struct {
		Title string
		All   []timeline.Difference
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return fmt.Errorf("write the comparison: %w", err)
	}
	defer f.Close()
	err = diffPage.Execute(f, struct {
		*timeline.Comparison
		Style     template.CSS
		StyleHash template.HTMLAttr
		Lists     []list
	}{c, template.CSS(style), hash(style), []list{{"By command", c.Commands}, {"By command line", c.Processes}}})
	if err != nil {
		return fmt.Errorf("write the comparison: %w", err)
	}
	return nil
}
