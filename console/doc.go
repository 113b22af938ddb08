// Package console shows processes on a terminal: the live table while they
// start and end, and the waterfall of a finished tree. Text from processes is
// made harmless first; no control character of theirs reaches a terminal.
package console
