package oci

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// What packages are packed into: the large ones into layers of their own, the others into groups by a hash of their names, so
// that a change of one touches one group. See docs/decisions/0010-layers-of-packages.md for what was measured.
const (
	// mostOwn is how many packages may have a layer of their own, and mostGroups how many groups there are.
	mostOwn    = 48
	mostGroups = 16
	// fewLayers is how many layers an image may have before packages share them, and maxLayers how many a node can stack.
	fewLayers = 100
	maxLayers = 127
	// otherLayers are those of proa's files and of the code.
	otherLayers = 2
)

// room is how many layers packages may take.
type room struct {
	own, groups int
}

// roomAbove is what a base of so many layers leaves.
func roomAbove(base int) room {
	return room{own: min(max(fewLayers-base-mostGroups-otherLayers, 0), mostOwn),
		groups: min(max(maxLayers-base-otherLayers, 1), mostGroups)}
}

// member is one package of a resolution and what is known of it.
type member struct {
	locked

	// key names the package by everything that its files follow from.
	key string
	// size is what it takes when installed; 0 if that isn't known.
	size int64
	// own is its layer, if it ever had one to itself.
	own *layer
	// dist are its files; nil until it is installed.
	dist *dist
}

// entry is what the cache keeps of a member.
type entry struct {
	Size  int64  `json:"size"`
	Layer *layer `json:"layer,omitempty"`
}

func (j *job) members(lock []locked) []*member {
	out := make([]*member, len(lock))
	for i, l := range lock {
		m := &member{locked: l, key: j.entryKey(l)}
		var e entry
		if j.cache.load("entries", m.key, &e) {
			m.size, m.own = e.Size, e.Layer
		}
		out[i] = m
	}
	return out
}

func (j *job) entryKey(l locked) string {
	return sum(fmt.Sprintf("%d\n%s\n%s\n%s\n%v\n%s", layout, l.line(), pythonPlatform(j.r.Platform, j.r.Base), j.r.Python,
		j.bytecode, j.options.Compression))
}

// pack is one layer of packages.
type pack struct {
	what, contents string

	of []*member
	// own says that it is for a single large package.
	own bool
	// made says that the layer is there.
	made  bool
	layer layer
}

// arrange says which packages share a layer. The largest come first, and the groups last: nodes unpack again what lies
// above a layer that changed.
func arrange(members []*member, r room, large int64) []*pack {
	bySize := slices.Clone(members)
	slices.SortFunc(bySize, func(a, b *member) int {
		return cmp.Or(cmp.Compare(b.size, a.size), strings.Compare(a.name, b.name))
	})
	var out []*pack
	for len(out) < r.own && len(out) < len(bySize) && bySize[len(out)].size >= large {
		m := bySize[len(out)]
		out = append(out, &pack{what: m.label(), of: []*member{m}, own: true})
	}
	rest := bySize[len(out):]
	slices.SortFunc(rest, func(a, b *member) int { return strings.Compare(a.name, b.name) })
	groups := make([]*pack, r.groups)
	for _, m := range rest {
		at := groupOf(m.name, r.groups)
		if groups[at] == nil {
			groups[at] = &pack{}
		}
		groups[at].of = append(groups[at].of, m)
	}
	for _, g := range groups {
		if g != nil {
			g.what, g.contents = plural(len(g.of), "small package"), labels(g.of)
			out = append(out, g)
		}
	}
	return out
}

func groupOf(name string, groups int) int {
	h := sha256.Sum256([]byte(name))
	return (int(h[0])<<8 | int(h[1])) % groups
}

// labels lists packages.
func labels(members []*member) string {
	out := make([]string, len(members))
	for i, m := range members {
		out[i] = m.label()
	}
	return strings.Join(out, ", ")
}

// items are the files of its packages. A file that two of them claim is the first one's.
func (p *pack) items() []item {
	var out []item
	taken := map[string]bool{}
	for _, m := range p.of {
		for _, it := range m.dist.items {
			if !taken[it.name] {
				taken[it.name] = true
				out = append(out, it)
			}
		}
	}
	return out
}

func (p *pack) key() string {
	keys := make([]string, len(p.of))
	for i, m := range p.of {
		keys[i] = m.key
	}
	slices.Sort(keys)
	return sum("group\n" + strings.Join(keys, "\n"))
}

// findPack looks for the layer in the cache.
func (j *job) findPack(p *pack) {
	var l layer
	switch {
	case p.own && p.of[0].own != nil:
		l = *p.of[0].own
	case p.own || !j.cache.load("groups", p.key(), &l):
		return
	}
	p.layer, p.made = j.cache.find(l)
}

// record remembers a layer for the next environment that needs it, and the sizes of its packages.
func (j *job) record(p *pack) {
	if !p.own {
		_ = j.cache.save("groups", p.key(), p.layer)
	}
	for _, m := range p.of {
		e := entry{Size: m.size, Layer: m.own}
		if p.own {
			e.Layer = &p.layer
		}
		_ = j.cache.save("entries", m.key, e)
	}
}
