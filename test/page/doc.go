// Package page opens reports in a real Chromium, from file:// and from http://,
// and holds what only a browser can show: that a page requests nothing and that
// nothing of a process acts in it, that what is drawn at a pixel is what the model
// says, and that a page of 100,000 processes can be used.
//
// It holds tests only. They drive Chromium by the DevTools protocol over a pair of
// pipes, so they need no library and no port. They fail where there is none:
// install the package chromium.
//
//	go test ./test/page
//
// Figures of speed are printed and bounded generously. PAGE_FIGURES=1 (make
// page-figures) measures them with larger jobs and the real bounds.
package page
