//go:build !race

package agent

const million = 1_000_000
