package rules

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/procspan/procspan/process"
)

// Limits of what is compiled; package config reports sets beyond them.
const (
	// MaxRules is how many rules a Set has at most.
	MaxRules = 256
	// MaxPrograms is how many different lists of globs its keys parent and ancestor
	// have.
	MaxPrograms = 64
)

// Host tells what a Candidate does not say itself. Its methods do not block.
type Host interface {
	// Workload returns what encloses the processes of a cgroup, and whether it is known.
	Workload(process.Cgroup) (Workload, bool)
	// User returns the name of a user, or "".
	User(uid uint32) string
	// Args redacts arguments, each ended by a NUL byte, and Variable the value of an
	// environment variable.
	Args(args string) string
	Variable(name, value string) string
}

// Compiled is a Set that judges processes; it implements process.Rules. Only its caches
// change. One goroutine uses it.
type Compiled struct {
	set  Set
	host Host
	// programs has the globs of the keys parent and ancestor, by bit, and programNames
	// their texts.
	programs     [][]Glob
	programNames []string
	lineage      []kinRule
	// Rules by index: all, those that have a key of some kind, and those that match one
	// of its values.
	all, late, ofArgs, ofEnvironment ruleBits
	interactive, outside             [2]ruleBits // by no and yes
	ofUser, ofWorkload, expands      ruleBits

	images    cache[imageKey, *imageMatch]
	lastImage imageKey // and last is its match
	last      *imageMatch
	workloads cache[process.Cgroup, *ruleBits]
	users     cache[userKey, *ruleBits]
	rulings   cache[moment, *process.Ruling]
	expanded  cache[string, *process.Ruling]
}

// kinRule is what a rule needs of Kin: each mask that is not 0 must have a bit in common.
type kinRule struct {
	rule             int
	parent, ancestor uint64
}

// imageKey is what the key executable is matched by.
type imageKey struct{ filename, script, executable string }

type imageMatch struct {
	rules    ruleBits
	programs uint64
}

// Compile returns a Set that judges processes of a host. It expects no Problems, and
// ignores rules beyond MaxRules.
func Compile(set Set, host Host) *Compiled {
	c := &Compiled{set: set[:min(len(set), MaxRules)], host: host}
	for i := range c.set {
		m := &c.set[i].Match
		c.all.add(i)
		c.late.addIf(i, len(m.endKeys()) > 0)
		c.ofArgs.addIf(i, len(m.Args) > 0)
		c.ofEnvironment.addIf(i, len(m.Environment) > 0)
		c.ofUser.addIf(i, len(m.User) > 0)
		c.ofWorkload.addIf(i, m.ofWorkload())
		c.expands.addIf(i, c.set[i].expands())
		for yes := range 2 {
			c.interactive[yes].addIf(i, is(m.Interactive, yes == 1))
			c.outside[yes].addIf(i, is(m.OutsideInit, yes == 1))
		}
		if k := (kinRule{i, c.program(m.Parent), c.program(m.Ancestor)}); k.parent|k.ancestor != 0 {
			c.lineage = append(c.lineage, k)
		}
	}
	return c
}

// program returns the bit of a list of globs, 0 of an empty one.
func (c *Compiled) program(globs []Glob) uint64 {
	name := Join(globs)
	i := slices.Index(c.programNames, name)
	switch {
	case len(globs) == 0:
		return 0
	case i < 0:
		i = len(c.programs)
		c.programs = append(c.programs, globs)
		c.programNames = append(c.programNames, name)
	}
	return 1 << i
}

// Programs implements process.Rules.
func (c *Compiled) Programs() []string { return c.programNames }

// DropsTree implements process.Rules.
func (c *Compiled) DropsTree(rule string) bool {
	for i := range c.set {
		if c.set[i].Action == DropTree && c.set.Title(i) == rule {
			return true
		}
	}
	return false
}

// Program implements process.Rules.
func (c *Compiled) Program(im *process.Image) uint64 { return c.image(im).programs }

// image returns what the executed file alone decides.
func (c *Compiled) image(im *process.Image) *imageMatch {
	key := imageKey{im.Filename, im.Script, im.Executable}
	if key == c.lastImage && c.last != nil {
		return c.last
	}
	match, ok := c.images.get(key)
	if !ok {
		key = imageKey{strings.Clone(key.filename), strings.Clone(key.script), strings.Clone(key.executable)}
		match = c.matchImage(im)
		c.images.set(key, match, len(key.filename)+len(key.script)+len(key.executable))
	}
	c.lastImage, c.last = key, match
	return match
}

func (c *Compiled) matchImage(im *process.Image) *imageMatch {
	match := &imageMatch{}
	for i := range c.set {
		match.rules.addIf(i, c.set[i].Match.matchesProgram(im))
	}
	for i, globs := range c.programs {
		if isProgram(globs, im) {
			match.programs |= 1 << i
		}
	}
	return match
}

// Start implements process.Rules.
func (c *Compiled) Start(p *process.Candidate) *process.Ruling {
	matched := c.match(p)
	if matched.none() {
		return nil
	}
	return c.ruling(matched, p.Image, nil)
}

// End implements process.Rules.
func (c *Compiled) End(start *process.Ruling, p *process.Candidate, l *process.Lifetime) *process.Ruling {
	matched := ruleBits(start.Matched)
	if matched.none() { // another agent's, whose rules may differ
		matched = c.match(p)
	}
	late := matched
	late.and(&c.late)
	for i := range late.each() {
		if c.set[i].Match.matchesEnd(l) != "" {
			matched.remove(i)
		}
	}
	return c.ruling(matched, p.Image, start)
}

// match returns the rules that match by what is known at an exec.
func (c *Compiled) match(p *process.Candidate) ruleBits {
	m := c.image(p.Image).rules
	m.and(&c.interactive[bit(p.Groups.Terminal != 0)])
	m.and(&c.outside[bit(p.OutsideInit)])
	if m.meets(&c.ofUser) {
		m.and(c.user(p.Credentials))
	}
	if m.meets(&c.ofWorkload) {
		m.and(c.workload(p.Groups.Cgroup))
	}
	for i := range c.lineage {
		if k := &c.lineage[i]; k.parent != 0 && k.parent&p.Kin.Parent == 0 || k.ancestor != 0 && k.ancestor&p.Kin.Ancestors == 0 {
			m.remove(k.rule)
		}
	}
	if m.meets(&c.ofEnvironment) {
		some := m
		some.and(&c.ofEnvironment)
		for i := range some.each() {
			if !c.set[i].Match.matchesEnvironment(p.Image.Variable) {
				m.remove(i)
			}
		}
	}
	if m.meets(&c.ofArgs) {
		some, args := m, c.args(p.Image)
		some.and(&c.ofArgs)
		for i := range some.each() {
			if !anyOf(c.set[i].Match.Args, args) {
				m.remove(i)
			}
		}
	}
	return m
}

// args returns the redacted arguments of an image, with a space between them.
func (c *Compiled) args(im *process.Image) string {
	return strings.ReplaceAll(strings.TrimSuffix(c.host.Args(im.Args), "\x00"), "\x00", " ")
}

// user returns the rules that match a user, who has a name only below this host's root.
func (c *Compiled) user(of *process.Credentials) *ruleBits {
	key := userKey{uid: of.EffectiveUser}
	if !of.OtherRoot {
		key.name = c.host.User(key.uid)
	}
	if found, ok := c.users.get(key); ok {
		return found
	}
	match := &ruleBits{}
	for i := range c.set {
		match.addIf(i, c.set[i].Match.matchesUser(key.uid, key.name))
	}
	c.users.set(key, match, len(key.name))
	return match
}

type userKey struct {
	uid  uint32
	name string
}

func (c *Compiled) workload(of process.Cgroup) *ruleBits {
	if found, ok := c.workloads.get(of); ok {
		return found
	}
	w, known := c.host.Workload(of)
	match := &ruleBits{}
	for i := range c.set {
		match.addIf(i, c.set[i].Match.matchesWorkload(&w) == "")
	}
	if known {
		c.workloads.set(of, match, 0)
	}
	return match
}

func bit(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// ruleBits is a set of rules, by index.
type ruleBits [MaxRules / 64]uint64

func (b *ruleBits) add(i int)      { b[i/64] |= 1 << (i % 64) }
func (b *ruleBits) remove(i int)   { b[i/64] &^= 1 << (i % 64) }
func (b *ruleBits) has(i int) bool { return b[i/64]>>(i%64)&1 != 0 }
func (b *ruleBits) none() bool     { return *b == ruleBits{} }
func (b *ruleBits) and(o *ruleBits) {
	for i := range b {
		b[i] &= o[i]
	}
}

func (b *ruleBits) addIf(i int, is bool) {
	if is {
		b.add(i)
	}
}

func (b *ruleBits) meets(o *ruleBits) bool {
	return b[0]&o[0]|b[1]&o[1]|b[2]&o[2]|b[3]&o[3] != 0
}

// each yields the rules in their order.
func (b ruleBits) each() func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for word := range b {
			for rest := b[word]; rest != 0; rest &= rest - 1 {
				if !yield(word*64 + bits.TrailingZeros64(rest)) {
					return
				}
			}
		}
	}
}

// cache is a map that is emptied when it is full. A user of the host can fill it.
type cache[K comparable, V any] struct {
	values map[K]V
	bytes  int
}

const (
	maxCached      = 4096
	maxCachedBytes = 1 << 20
)

func (c *cache[K, V]) get(key K) (V, bool) {
	v, ok := c.values[key]
	return v, ok
}

// set adds a value whose key takes so many bytes.
func (c *cache[K, V]) set(key K, v V, bytes int) {
	if c.values == nil || len(c.values) >= maxCached || c.bytes >= maxCachedBytes {
		c.values, c.bytes = make(map[K]V), 0
	}
	c.values[key] = v
	c.bytes += bytes
}
