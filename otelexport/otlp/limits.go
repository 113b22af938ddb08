package otlp

import (
	"math"

	"github.com/procspan/procspan/config"
)

// limits bound the attributes of one kind of message.
type limits struct {
	text  int // characters of a string, or of each string in a list
	count int // attributes
}

// defaultCount is the limit for attributes that OpenTelemetry recommends.
const defaultCount = 128

func limitsOf(l config.AttributeLimits) limits {
	all := limits{math.MaxInt, defaultCount}
	if l.ValueLength != nil {
		all.text = *l.ValueLength
	}
	if l.Count != nil {
		all.count = *l.Count
	}
	return all
}

// Limited counts what limits took away: values that were cut, and attributes, events
// and links that were dropped.
type Limited struct {
	Values, Attributes, Events, Links uint64
}

// fit applies the limit for the number of attributes, and counts what limits took away
// from them. It returns how many were dropped.
func (e *Encoder) fit(a *attributeList, within limits) int {
	dropped := a.fit(within.count)
	e.limited.Values += a.cuts
	e.limited.Attributes += uint64(dropped)
	a.cuts = 0
	return dropped
}
