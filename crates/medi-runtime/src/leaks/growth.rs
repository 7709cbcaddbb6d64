//! Which structure grows: two looks at what is reached from where, compared.

use std::collections::{HashMap, HashSet};

use medi_heap::{Bytes, PathNode, Paths, SiteUse, TypeId};

use super::trend::LEAST_GROWTH;
use super::{Finding, Kind};
use crate::check::Sites;
use crate::stack::grouped;

/// Structures that are told of.
const MOST: usize = 5;
/// Types of one structure that are told of.
const TYPES: usize = 4;
/// Links of a chain that are shown.
const LINKS: usize = 6;

/// What was reached from where after a collection.
#[derive(Debug)]
pub(super) struct Look {
    /// The collection's number, full ones counted.
    pub cycle: usize,
    pub paths: Paths,
    pub sites: Vec<SiteUse>,
}

/// Names from the root to a node.
pub(super) fn chain(nodes: &[PathNode], node: usize) -> Vec<&str> {
    let mut names = vec![];
    let mut at = Some(node);
    while let Some(index) = at {
        names.push(nodes[index].name.as_str());
        at = nodes[index].parent;
    }
    names.reverse();
    names
}

/// By node of the later look: how many bytes and objects more there are than in the earlier one.
fn growth(earlier: Option<&Look>, later: &Look) -> Vec<(i64, i64)> {
    let before: HashMap<Vec<&str>, &PathNode> = earlier
        .map(|look| &look.paths.nodes)
        .map(|nodes| nodes.iter().enumerate().map(|(i, node)| (chain(nodes, i), node)).collect())
        .unwrap_or_default();
    let nodes = &later.paths.nodes;
    let more = |(index, node): (usize, &PathNode)| {
        let before = before.get(&chain(nodes, index));
        let (bytes, objects) = before.map_or((0, 0), |node| (node.bytes, node.objects));
        (node.bytes as i64 - bytes as i64, node.objects as i64 - objects as i64)
    };
    nodes.iter().enumerate().map(more).collect()
}

/// Which part of all bytes is reached from roots with that in their names.
pub(super) fn held_by(paths: &Paths, name: &str) -> f64 {
    let nodes = &paths.nodes;
    let mut inside = vec![false; nodes.len()];
    let (mut part, mut all) = (0, 0);
    for (index, node) in nodes.iter().enumerate() {
        inside[index] = match node.parent {
            Some(parent) => inside[parent],
            None => node.name.contains(name),
        };
        part += if inside[index] { node.bytes } else { 0 };
        all += node.bytes;
    }
    part as f64 / all.max(1) as f64
}

/// The structures that grow, of types that do, the fastest first.
pub(super) fn findings(
    earlier: Option<&Look>,
    later: &Look,
    growing: &HashSet<TypeId>,
    cycles: usize,
    sites: Sites,
) -> Vec<Finding> {
    let nodes = &later.paths.nodes;
    let growth = growth(earlier, later);
    // Of each node and all below it.
    let mut whole: Vec<i64> = growth.iter().map(|(bytes, _)| *bytes).collect();
    let mut held: Vec<u64> = nodes.iter().map(|node| node.bytes).collect();
    for index in (0..nodes.len()).rev() {
        if let Some(parent) = nodes[index].parent {
            whole[parent] += whole[index];
            held[parent] += held[index];
        }
    }
    let is_root = |index: &usize| nodes[*index].parent.is_none();
    let mut roots: Vec<usize> = (0..nodes.len()).filter(is_root).collect();
    roots.sort_by_key(|root| std::cmp::Reverse(whole[*root]));
    let all: i64 = roots.iter().map(|root| whole[*root].max(0)).sum();
    let least = (LEAST_GROWTH as i64).max(all / 10);
    let mut findings = vec![];
    for root in roots.into_iter().take_while(|root| whole[*root] >= least).take(MOST) {
        let below = below(nodes, root);
        let of_growing_types = below
            .iter()
            .filter(|index| nodes[**index].type_id.is_some_and(|ty| growing.contains(&ty)));
        let grown: i64 = of_growing_types.map(|index| growth[*index].0.max(0)).sum();
        if grown < whole[root] / 2 {
            continue;
        }
        let path = path(nodes, &whole, root);
        let types = by_type(nodes, &growth, &below);
        let now = held[root];
        let before = now.saturating_sub(whole[root] as u64);
        let since = earlier.map_or(String::new(), |look| {
            format!("{} after collection {}, ", Bytes(before), look.cycle)
        });
        let mut details = vec![
            ("path", chain_text(&path.iter().map(|i| nodes[*i].name.as_str()).collect::<Vec<_>>())),
            ("more", types.iter().map(|more| more.text()).collect::<Vec<_>>().join(", ")),
        ];
        let allocated = allocated(&types, &later.sites, sites);
        if !allocated.is_empty() {
            details.push(("allocated", allocated));
        }
        details.push(("do", advice(path.iter().map(|index| nodes[*index].name.as_str()))));
        findings.push(Finding {
            kind: Kind::Grows,
            what: format!(
                "{} keeps growing: {since}{} after collection {} of {cycles}",
                nodes[root].name,
                Bytes(now),
                later.cycle
            ),
            bytes: now,
            details,
        });
    }
    findings
}

/// A node and all below it.
fn below(nodes: &[PathNode], top: usize) -> Vec<usize> {
    let mut inside = vec![false; nodes.len()];
    inside[top] = true;
    for index in top + 1..nodes.len() {
        inside[index] |= nodes[index].parent.is_some_and(|parent| inside[parent]);
    }
    (top..nodes.len()).filter(|index| inside[*index]).collect()
}

/// From the root down to where the growth is, or parts.
fn path(nodes: &[PathNode], whole: &[i64], root: usize) -> Vec<usize> {
    let mut path = vec![root];
    loop {
        let at = path[path.len() - 1];
        let children = (at + 1..nodes.len()).filter(|index| nodes[*index].parent == Some(at));
        match children.max_by_key(|index| whole[*index]) {
            Some(child) if whole[child] * 2 >= whole[at] => path.push(child),
            _ => return path,
        }
    }
}

fn chain_text(names: &[&str]) -> String {
    if names.len() <= LINKS + 1 {
        return names.join(" → ");
    }
    let (start, end) = (&names[..LINKS - 2], &names[names.len() - 2..]);
    format!("{} → … → {}", start.join(" → "), end.join(" → "))
}

struct More<'a> {
    name: &'a str,
    type_id: TypeId,
    bytes: i64,
    objects: i64,
}

impl More<'_> {
    fn text(&self) -> String {
        let size = Bytes(self.bytes as u64);
        match self.objects {
            ..=0 => format!("{} ({size})", self.name),
            objects => format!("{} {} ({size})", grouped(objects as usize), self.name),
        }
    }
}

/// The types that have grown most, below a root.
fn by_type<'a>(nodes: &'a [PathNode], growth: &[(i64, i64)], below: &[usize]) -> Vec<More<'a>> {
    let mut types: Vec<More> = vec![];
    for index in below {
        let Some(type_id) = nodes[*index].type_id else { continue };
        let (bytes, objects) = growth[*index];
        match types.iter_mut().find(|more| more.type_id == type_id) {
            Some(more) => {
                more.bytes += bytes;
                more.objects += objects;
            }
            None => types.push(More { name: &nodes[*index].name, type_id, bytes, objects }),
        }
    }
    let least = types.iter().map(|more| more.bytes.max(0)).sum::<i64>() / 50;
    types.retain(|more| more.bytes > least.max(0));
    types.sort_by_key(|more| std::cmp::Reverse(more.bytes));
    types.truncate(TYPES);
    types
}

/// Where the types that grow most are allocated.
fn allocated(types: &[More], samples: &[SiteUse], sites: Sites) -> String {
    let mut places: Vec<String> = vec![];
    for more in types {
        let of_type = samples.iter().filter(|sample| sample.type_id == more.type_id);
        // Largest first; what the library allocates for a collection says less than who makes what is in it.
        let place = of_type.filter_map(|sample| {
            let frames = sites.code.site_frames(sample.site);
            let program = frames.into_iter().find(|frame| !frame.file.starts_with("lib/"));
            program.filter(|frame| frame.line > 0)
        });
        if let Some(place) = place.into_iter().next() {
            places.push(format!("{} in {place}", more.name));
        }
    }
    places.join("; ")
}

fn advice<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let starts = |name: &&str| {
        ["map[", "set[", "list[", "array["].iter().any(|start| name.starts_with(start))
    };
    match names.into_iter().find(starts) {
        Some(name) if name.starts_with("map[") => {
            "remove entries that are done with (`remove(key)`), or keep at most so many and remove the oldest".into()
        }
        Some(name) if name.starts_with("set[") => {
            "remove elements that are done with (`remove(x)`)".into()
        }
        Some(_) => {
            "take elements out that are done with (`pop()`, `clear()`), or write results as they come instead of \
             keeping them"
                .into()
        }
        None => "let go of what is done with: set the last reference to it to nil".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(parent: Option<usize>, name: &str, ty: u32, objects: u64, bytes: u64) -> PathNode {
        let type_id = parent.map(|_| TypeId(ty));
        PathNode { parent, name: name.into(), type_id, objects, bytes }
    }

    /// A cache that grows, and one that does not, of the same type.
    fn look(cycle: usize, patients: u64) -> Look {
        let nodes = vec![
            node(None, "`seen` in main (a.medi:3)", 0, 0, 0),
            node(None, "`recent` in main (a.medi:4)", 0, 0, 0),
            node(Some(0), "map[string, Patient]", 1, 1, 64),
            node(Some(1), "map[string, Patient]", 1, 1, 64),
            node(Some(2), "array[Patient]", 2, 1, patients * 8),
            node(Some(4), "Patient", 3, patients, patients * 32),
            node(Some(3), "array[Patient]", 2, 1, 8000),
            node(Some(6), "Patient", 3, 1000, 32_000),
        ];
        Look { cycle, paths: Paths { nodes }, sites: vec![] }
    }

    #[test]
    fn the_structure_that_grows_is_told_from_one_of_the_same_type_that_does_not() {
        let (code, stacks) = (crate::code_map::CodeMap::empty(), Default::default());
        let sites = Sites { code: &code, stacks: &stacks };
        let growing = HashSet::from([TypeId(3), TypeId(2)]);
        let (earlier, later) = (look(8, 10_000), look(16, 50_000));
        let found = findings(Some(&earlier), &later, &growing, 20, sites);
        assert_eq!(found.len(), 1);
        let what = "`seen` in main (a.medi:3) keeps growing: 390.7 KiB after collection 8, 1.9 MiB after collection 16 of 20";
        assert_eq!(found[0].what, what);
        assert_eq!(
            found[0].details[0].1,
            "`seen` in main (a.medi:3) → map[string, Patient] → array[Patient] → Patient"
        );
        assert_eq!(found[0].details[1].1, "40,000 Patient (1.2 MiB), array[Patient] (312.5 KiB)");
        assert!(found[0].details[2].1.contains("`remove(key)`"));
        assert_eq!(findings(Some(&earlier), &later, &HashSet::new(), 20, sites), []);
        assert_eq!(findings(Some(&later), &later, &growing, 20, sites), []);
    }
}
