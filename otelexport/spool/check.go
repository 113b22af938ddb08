package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The layout of bbolt's file, version 2: pages with a header and elements, two of
// them with the meta data of the last two transactions.
const (
	magic         = 0xED0CDAED
	layoutVersion = 2

	pageHeader  = 16
	elementSize = 16 // of branch and leaf pages alike

	flagBranch, flagLeaf, flagFreelist = 0x01, 0x02, 0x10
	flagBucket                         = 0x01 // of a leaf's element: its value is a bucket

	bucketHeader = 16
	metaSum      = 56 // where a meta page's checksum stands, after its header
	maxDepth     = 32
)

// check reads the structure of a file, from the valid meta page to each page in
// use and each free one, and returns a *corruption where it is not sound. bbolt
// trusts what it reads: a page that refers to itself would have it recurse until
// the program ends. The contents of records are not read; they have checksums.
// A file of length 0 is sound: bbolt has not written to it yet.
func check(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("open the store: %s is no regular file; move it away", path)
	case info.Size() == 0:
		return nil
	}
	c := checker{file: file, size: info.Size()}
	if err := c.all(); err != nil {
		return fmt.Errorf("check the store: %w", err)
	}
	return nil
}

type checker struct {
	file     io.ReaderAt
	size     int64
	pageSize int64
	end      uint64          // the first page that was never in use
	seen     map[uint64]bool // pages that are in use
}

func wrong(format string, args ...any) error { return &corruption{fmt.Errorf(format, args...)} }

func (c *checker) all() error {
	root, freelist, err := c.meta()
	if err != nil {
		return err
	}
	c.seen = map[uint64]bool{0: true, 1: true}
	if err := c.tree(root, 0); err != nil {
		return err
	}
	return c.free(freelist)
}

// meta reads the younger of the valid meta pages. They stand on the first two
// pages, whose size only they tell: it is this package's, unless another machine
// made the file.
func (c *checker) meta() (root, freelist uint64, err error) {
	var best []byte
	var txid uint64
	for i := range int64(2) {
		at := i * pageSize
		page := make([]byte, pageHeader+metaSum+8)
		if err := c.read(page, at); err != nil {
			if i == 1 && best != nil {
				break
			}
			return 0, 0, err
		}
		m := page[pageHeader:]
		sum := fnv.New64a()
		sum.Write(m[:metaSum])
		if le32(m) != magic || le32(m[4:]) != layoutVersion || le64(m[metaSum:]) != sum.Sum64() {
			continue
		}
		if id := le64(m[48:]); best == nil || id > txid {
			best, txid = m, id
		}
	}
	if best == nil {
		return 0, 0, wrong("it has no valid beginning")
	}
	c.pageSize, c.end = int64(le32(best[8:])), le64(best[40:])
	if c.pageSize != pageSize {
		return 0, 0, wrong("its pages have %d bytes, want %d", c.pageSize, pageSize)
	}
	if c.end < 4 || c.end > uint64(c.size/c.pageSize) {
		return 0, 0, wrong("it has %d bytes, want %d pages of %d: it was cut off", c.size, c.end, c.pageSize)
	}
	return le64(best[16:]), le64(best[32:]), nil
}

// tree walks the pages below one, which are branches, leaves, and the trees of
// the buckets in those.
func (c *checker) tree(id uint64, depth int) error {
	if depth > maxDepth {
		return wrong("its pages are nested %d deep", depth)
	}
	page, err := c.page(id)
	if err != nil {
		return err
	}
	switch flags(page) {
	case flagBranch:
		if count(page) == 0 {
			return wrong("page %d is a branch without leaves", id)
		}
		for i := range count(page) {
			e, err := element(page, i)
			if err != nil {
				return fmt.Errorf("page %d: %w", id, err)
			}
			if _, err := span(e, le32(e), le32(e[4:])); err != nil {
				return fmt.Errorf("page %d: %w", id, err)
			}
			if err := c.tree(le64(e[8:]), depth+1); err != nil {
				return err
			}
		}
		return nil
	case flagLeaf:
		return c.leaf(id, page, depth)
	}
	return wrong("page %d is none of a tree (%#x)", id, flags(page))
}

func (c *checker) leaf(id uint64, page []byte, depth int) error {
	for i := range count(page) {
		e, err := element(page, i)
		if err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		kind, at, keyLen, valueLen := le32(e), le32(e[4:]), le32(e[8:]), le32(e[12:])
		if kind&flagBucket == 0 {
			// A value may lie on the pages that follow, which were not read.
			if int64(at)+int64(keyLen)+int64(valueLen) > c.extent(page)-int64(len(page)-len(e)) {
				return wrong("page %d has a value beyond its end", id)
			}
			continue
		}
		both, err := span(e, at, keyLen+valueLen)
		if err != nil || keyLen == 0 || uint64(keyLen)+bucketHeader > uint64(len(both)) {
			return wrong("page %d has a bucket beyond its end", id)
		}
		value := both[keyLen:]
		if root := le64(value); root != 0 {
			err = c.tree(root, depth+1)
		} else if inline := value[bucketHeader:]; len(inline) < pageHeader || flags(inline) != flagLeaf || depth > maxDepth {
			err = wrong("page %d has a broken bucket", id)
		} else {
			err = c.leaf(id, inline, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// free checks that the list of free pages has only such.
func (c *checker) free(id uint64) error {
	page, err := c.page(id)
	if err != nil {
		return err
	}
	if flags(page) != flagFreelist {
		return wrong("page %d is no list of free pages (%#x)", id, flags(page))
	}
	n, at := uint64(count(page)), int64(pageHeader)
	if n == 0xffff {
		n, at = le64(page[pageHeader:]), at+8
	}
	if n > uint64(c.extent(page)-at)/8 {
		return wrong("its list of free pages is longer than its page")
	}
	ids := make([]byte, 8*n)
	if err := c.read(ids, int64(id)*c.pageSize+at); err != nil {
		return err
	}
	for i := range n {
		free := le64(ids[8*i:])
		if free >= c.end || c.seen[free] {
			return wrong("page %d is free and in use", free)
		}
		c.seen[free] = true
	}
	return nil
}

// page reads the first of a page's bytes and marks it and those that it goes on
// in as in use.
func (c *checker) page(id uint64) ([]byte, error) {
	if id >= c.end || c.seen[id] {
		return nil, wrong("page %d is in use twice, or does not exist", id)
	}
	page := make([]byte, c.pageSize)
	if err := c.read(page, int64(id)*c.pageSize); err != nil {
		return nil, err
	}
	if le64(page) != id {
		return nil, wrong("page %d says that it is page %d", id, le64(page))
	}
	last := id + uint64(le32(page[12:]))
	if last >= c.end {
		return nil, wrong("page %d goes on beyond the end", id)
	}
	for ; id <= last; id++ {
		if c.seen[id] {
			return nil, wrong("page %d is in use twice", id)
		}
		c.seen[id] = true
	}
	return page, nil
}

// extent is how many bytes a page has with those that it goes on in. An inline
// one has what there is of it.
func (c *checker) extent(page []byte) int64 {
	if int64(len(page)) < c.pageSize {
		return int64(len(page))
	}
	return (1 + int64(le32(page[12:]))) * c.pageSize
}

func (c *checker) read(b []byte, at int64) error {
	_, err := c.file.ReadAt(b, at)
	if errors.Is(err, io.EOF) {
		return wrong("it ends after %d bytes", c.size)
	}
	return err
}

func flags(page []byte) uint16 { return binary.LittleEndian.Uint16(page[8:]) }
func count(page []byte) int    { return int(binary.LittleEndian.Uint16(page[10:])) }
func le32(b []byte) uint32     { return binary.LittleEndian.Uint32(b) }
func le64(b []byte) uint64     { return binary.LittleEndian.Uint64(b) }

// element returns the page from its i-th element on.
func element(page []byte, i int) ([]byte, error) {
	at := pageHeader + i*elementSize
	if at+elementSize > len(page) {
		return nil, wrong("it has too many elements")
	}
	return page[at:], nil
}

// span returns n bytes at an offset from an element.
func span(element []byte, at, n uint32) ([]byte, error) {
	if uint64(at)+uint64(n) > uint64(len(element)) {
		return nil, wrong("it has an element beyond its end")
	}
	return element[at:][:n], nil
}
