package config

import (
	"regexp"

	"go.yaml.in/yaml/v4"
)

// maxDepth is how deep a file may be nested; a configuration needs some 15 levels.
const maxDepth = 100

// prepare substitutes the variables of all scalar values and resolves their
// types anew. Aliases are never followed, so a cycle does no harm; a node that is
// blamed becomes an alias too, which nobody reads and which does not count as
// missing. o describes the node, nil where it is unknown. foreign parts are
// another vendor's: only their references are checked.
func (v value) prepare(o *option, foreign bool) {
	n := v.node
	if v.at.depth > maxDepth {
		v.fail("is nested too deeply: %d levels at most", maxDepth)
		n.Kind, n.Content = yaml.AliasNode, nil
		return
	}
	if !foreign {
		switch {
		case n.Kind == yaml.AliasNode:
			v.fail("aliases are not supported; write the value out, or quote a text that starts with *")
			return
		case n.Anchor != "":
			v.fail("anchors are not supported; remove it, or quote a text that starts with &")
		case n.Style&yaml.TaggedStyle != 0:
			v.fail("tags are not supported; remove it, or quote a text that starts with !")
			n.Kind = yaml.AliasNode
			return
		}
	}
	switch n.Kind {
	case yaml.ScalarNode:
		plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
		text := n.Value
		if !v.at.raw {
			var err error
			if text, err = substitute(n.Value, v.w.env); err != nil {
				v.fail("%v", err)
				n.Kind = yaml.AliasNode
				return
			}
		}
		n.Value, n.Tag = text, tagStr
		if plain {
			n.Tag = coreTag(text)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			value{v.w, item, v.at.item(i)}.prepare(o, foreign)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if key == "<<" && !foreign {
				continue // section refuses it
			}
			k := o.key(key)
			at := v.at
			if k != nil || !at.secret { // a key that is not known may be the secret
				at = at.at(key, k != nil && k.has("secret"))
			}
			at.raw = at.raw || k != nil && k.has("raw") && at != v.at
			vendor := o != nil && o.name == vendors && k == nil
			value{v.w, n.Content[i+1], at}.prepare(k, foreign || vendor)
		}
	}
}

// vendors is the mapping that holds procspan's keys beside other vendors'.
const vendors = "distribution"

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_./-]{1,60}$`)

// join appends a key to a path.
func join(path, key string) string {
	if !plainKey.MatchString(key) {
		key = quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
