package config

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v4"
)

func (s section) filter(f *Filter) {
	f.MinDuration = s.duration("min_duration", f.MinDuration, 0)
	f.KeepErrors = s.boolean("keep_errors", f.KeepErrors)
}

func (s section) policy(p *TracePolicy) {
	p.SplitOn = s.splitOn("split_on", p.SplitOn)
	p.MaxSpans = s.integer("max_spans", p.MaxSpans, 1, maxMaxSpans)
	p.MaxAge = s.duration("max_age", p.MaxAge, time.Nanosecond)
	p.LongLivedAfter = s.duration("long_lived_after", p.LongLivedAfter, time.Nanosecond)
	p.Join = s.boolean("join", p.Join)
	p.HonourSampled = s.boolean("honour_sampled", p.HonourSampled)
	p.KeepErrors = s.boolean("keep_errors", p.KeepErrors)
}

// splitWords are the words that can stand in split_on.
func splitWords() []string { return []string{"session", "cgroup", "job", "long_lived"} }

// flag returns what a word of split_on turns on; nil for another word.
func (on *SplitOn) flag(word string) *bool {
	switch word {
	case "session":
		return &on.Session
	case "cgroup":
		return &on.Cgroup
	case "job":
		return &on.Job
	case "long_lived":
		return &on.LongLived
	}
	return nil
}

// words returns what is on.
func (on SplitOn) words() []string {
	return slices.DeleteFunc(splitWords(), func(word string) bool { return !*on.flag(word) })
}

// splitOn reads a list of words, which may be empty.
func (s section) splitOn(key string, def SplitOn) SplitOn {
	items, ok := s.list(key)
	if !ok {
		return def
	}
	var on SplitOn
	for i, item := range items {
		path := itemPath(s.path, key, i)
		var flag *bool
		if item.Kind == yaml.ScalarNode && item.Tag == tagStr {
			flag = on.flag(item.Value)
		}
		switch {
		case item.Kind == yaml.AliasNode:
		case flag == nil:
			s.w.fail(item, path, "must be %s (got %s)", choice(splitWords()), found(item, false))
		case *flag:
			s.w.fail(item, path, "is given twice (got %s)", quote(item.Value))
		default:
			*flag = true
		}
	}
	return on
}
