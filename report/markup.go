package report

import (
	"fmt"
	"html"
	"strings"
)

// markup is HTML under construction. Every text comes in through add, which escapes it.
// (html/template is not used: it finds fields and methods by name, so that the linker
// must keep all exported methods of the program, 4 MB of them.)
type markup struct{ strings.Builder }

// add appends HTML, in which each %s stands for one of the texts. A text may stand
// between tags and in a quoted attribute; not in a style, in a script, or where a URL is
// expected. The HTML is a constant.
func (m *markup) add(constant string, texts ...string) {
	escaped := make([]any, len(texts))
	for i, text := range texts {
		escaped[i] = html.EscapeString(text)
	}
	fmt.Fprintf(m, constant, escaped...)
}

// head begins a page. Its policy forbids every request, and allows the style and what
// allowed adds. Allowed and metas are constants or hashes.
func (m *markup) head(title, allowed, metas string) {
	m.WriteString(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; ` + allowed + `style-src '` + hash(style) + `'; base-uri 'none'; form-action 'none'">
` + metas)
	m.add("<title>%s</title>\n", title)
	m.WriteString("<style>" + style + "</style>\n</head>\n<body>\n<main>\n")
}
