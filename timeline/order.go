package timeline

import (
	"cmp"
	"slices"
)

// sortBy sorts records, those of equal rank as they stood. It sorts their indices:
// each type that package slices sorts by itself adds 10 KB to the program.
func sortBy[T any](all []T, compare func(a, b *T) int) {
	order := make([]int32, len(all))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(x, y int32) int {
		return cmp.Or(compare(&all[x], &all[y]), cmp.Compare(x, y))
	})
	sorted := make([]T, len(all))
	for at, i := range order {
		sorted[at] = all[i]
	}
	copy(all, sorted)
}
