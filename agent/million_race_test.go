//go:build race

package agent

// The race detector makes everything ten times slower: a tenth shows as much.
const million = 100_000
