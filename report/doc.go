// Package report shows a timeline: as text, Markdown, JSON or one HTML page, and
// in the formats of other tools.
//
// A [timeline.Analysis] goes in, bytes come out. The HTML page carries the data
// itself, and [Open] reads them back: the report is the data.
//
// The rules of this package:
//
//   - The same analysis gives the same bytes.
//   - Text of processes is foreign. In HTML it is escaped by markup.add and
//     shown by textContent; on a terminal and in Markdown, what acts is made
//     visible. Redaction comes before: nothing in here sees a secret.
//   - A page fetches nothing: its policy forbids every request, and allows the one
//     script and the one style sheet by their hashes.
//   - The page is readable without scripts and without styles.
//   - What is estimated, inferred or missing is said where it is shown.
package report
