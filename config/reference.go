package config

import _ "embed"

//go:embed reference.yml
var referenceFile string

// Reference returns the commented file with every option and its default. It
// is itself a valid configuration: the defaults, with an exporter.
func Reference() []byte { return []byte(referenceFile) }
