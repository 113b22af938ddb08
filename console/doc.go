// Package console prints processes on a terminal: the live table as they start and
// end, and the waterfall of a finished tree. No control character of a process
// reaches the terminal, and columns line up in every script.
package console
