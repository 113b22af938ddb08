package otlp

import "time"

// timestamp formats times by RFC 3339 with nine digits. It caches the last
// second, because most times that follow are in the same one.
type timestamp struct {
	second uint64
	text   [len(timestampLayout)]byte
}

const timestampLayout = "2006-01-02T15:04:05.000000000Z"

// format returns the text of a time in Unix ns. It is valid until the next call.
func (t *timestamp) format(ns uint64) []byte {
	second, rest := ns/1e9, ns%1e9
	if second != t.second || t.text[0] == 0 {
		time.Unix(int64(second), 0).UTC().AppendFormat(t.text[:0], timestampLayout)
		t.second = second
	}
	for i := len(t.text) - 2; i > len(t.text)-2-9; i-- {
		t.text[i] = '0' + byte(rest%10)
		rest /= 10
	}
	return t.text[:]
}
